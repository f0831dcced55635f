/** How long the search and the simulator take on this machine. */

import { openAnalysed } from '../../../services/controller/prepare.ts';
import { type Device, type Fleet, OTHER } from '../../../services/core/planning/cost/fleet.ts';
import { draftOf } from '../../../services/core/planning/search/fixed.ts';
import { openSpace, search } from '../../../services/core/planning/search/search.ts';
import { simulate } from '../../../services/core/planning/simulate/simulate.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import { type Drawing, Sketch } from '../../zoo/sketch.ts';
import { type BenchNetwork, openNetwork } from '../emulated/network.ts';

export interface Took {
  readonly what: string;
  /** Of the clock, median. */
  readonly ms: number;
  /** Of processors, what collects garbage beside it among them: more than `ms` says nothing, less that others ran. */
  readonly processorMs: number;
  /** Of the clock, before anything was compiled. */
  readonly firstMs: number;
  readonly n: number;
}

/** One run of something, by the clock and by the processor. */
interface Lap {
  readonly ms: number;
  readonly processorMs: number;
}

function lap(run: () => void): Lap {
  const used = process.cpuUsage();
  const began = performance.now();
  run();
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(used);
  return { ms, processorMs: (user + system) / 1000 };
}

function took(what: string, laps: readonly Lap[]): Took {
  return {
    what,
    ms: median(laps.map(({ ms }) => ms)),
    processorMs: median(laps.map(({ processorMs }) => processorMs)),
    firstMs: laps[0]?.ms ?? Number.NaN,
    n: laps.length,
  };
}

/** Residual blocks: the graph of a deep network, its layers small. */
const DEPTH = 78;
/** About a gigabit per second. */
const BYTES_PER_MS = 1e5;
const FRAMES = 10_000;

/** Five nodes a block. */
function deep(): Drawing {
  const sketch = new Sketch();
  let x = sketch.conv('stem', sketch.picture(128), { channels: 16, kernel: 3, activation: 'relu' });
  for (let block = 0; block < DEPTH; block++) {
    if (block % 20 === 19) {
      x = sketch.conv(`down${block}`, x, {
        channels: 2 * x.channels,
        kernel: 3,
        stride: 2,
        activation: 'relu',
      });
      continue;
    }
    let y = sketch.conv(`block${block}.a`, x, { channels: x.channels, kernel: 3, activation: 'relu' });
    y = sketch.conv(`block${block}.b`, y, { channels: x.channels, kernel: 3, gain: 0.3 });
    x = sketch.relu(`block${block}`, sketch.add(`block${block}.sum`, x, y));
  }
  sketch.output(sketch.conv('head', x, { channels: 10, kernel: 1 }));
  return sketch;
}

/** Devices of four speeds, each on a cable of its own. */
export function fleetFor(count: number): Fleet {
  const devices = Array.from({ length: count }, (_, at): Device => {
    const mac = 1e-7 * (1 + 0.3 * (at % 4));
    return {
      id: `device-${at}`,
      kinds: new Map([[OTHER, { run: 0.02, mac, byte: 5e-7, weight: 5e-7 }]]),
      taskMs: 0.3,
      byteMs: 1e-6,
      memoryBytes: Number.POSITIVE_INFINITY,
      idleBytes: 1e8,
      medium: `cable ${at}`,
      estimated: true,
    };
  });
  const media = devices.map(({ medium = '' }) => {
    return [medium, { name: medium, bytesPerMs: BYTES_PER_MS, duplex: 'full', latencyMs: 0.3 }] as const;
  });
  return { hub: { messageMs: 0.05, byteMs: 1e-6 }, media: new Map(media), devices };
}

/** A model's first search, everything worked out anew each time. */
async function searchTimes(file: string, devices: number, repetitions: number): Promise<Took> {
  const fleet = fleetFor(devices);
  const laps: Lap[] = [];
  let nodes = 0;
  let name = '';
  for (let done = 0; done < repetitions; done++) {
    const model = await openAnalysed(file, {});
    const { graph, analysis } = model;
    nodes = graph.nodes.length;
    name = model.name;
    laps.push(lap(() => search(openSpace(graph, analysis), fleet, { objective: 'latency' })));
  }
  return took(`search: ${name}, ${nodes} nodes on ${devices} devices`, laps);
}

/** Ten thousand frames on a thousand devices: each frame whole, and ten blocks of a hundred devices each. */
function simulatorTimes({ space }: BenchNetwork): Took[] {
  const fleet = fleetFor(1000);
  const ids = fleet.devices.map(({ id }) => id);
  const { positions } = space.line;
  return [1, 10].map((blocks) => {
    const cuts = Array.from(
      { length: blocks - 1 },
      (_, at) => positions[Math.floor(((at + 1) * (positions.length - 1)) / blocks)] as number,
    );
    const share = ids.length / blocks;
    const devices = Array.from({ length: blocks }, (_, at) => ids.slice(share * at, share * (at + 1)));
    const draft = draftOf(space, fleet, { cuts, devices, late: true });
    const options = { frames: FRAMES, inFlight: ids.length, binding: 'late' } as const;
    return took(`simulator: ${FRAMES} frames on ${ids.length} devices, blocks: ${blocks}`, [
      lap(() => simulate(draft.blocks, fleet, options)),
    ]);
  });
}

/** The searches first: VGG-16, and a graph of about 400 nodes. */
export async function timesHere(
  vgg16: BenchNetwork,
  repetitions: number,
): Promise<{
  readonly vgg16: Took;
  readonly large: Took;
  readonly simulator: readonly Took[];
}> {
  const large = await openNetwork({ name: `residual-${DEPTH}`, summary: 'a deep graph', draw: deep });
  return {
    vgg16: await searchTimes(vgg16.file, 5, repetitions),
    large: await searchTimes(large.file, 16, repetitions),
    simulator: simulatorTimes(vgg16),
  };
}
