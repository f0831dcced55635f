/**
 * `npm run bench -- deepthings`: the first 16 layers of YOLOv2 on one to six slow devices, as in DeepThings: how much
 * sooner a frame is there than on one device, and what each device has to hold for it.
 */

import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { bytes, print, table } from '../../output.ts';
import { chosenValues } from '../emulated/cell-names.ts';
import { LEAST_FOR_INTERVAL } from '../emulated/interval.ts';
import { benchNetwork } from '../emulated/network.ts';
import { plausibleProfile } from '../emulated/plausible-profile.ts';
import { Rig } from '../emulated/rig.ts';
import { Stopwatch } from '../emulated/stopwatch.ts';
import { type BenchReport, rounded } from '../report.ts';
import { CPU, DEVICES, HUB_CPU, LINK, NETWORK } from './conditions.ts';
import { Runs } from './runs.ts';
import { gainOf, measureSources } from './sources.ts';
import { showSources, sourcesCells } from './sources-report.ts';
import {
  deepThingsTargets,
  type MemoryResult,
  type ReuseResult,
  type SpeedResult,
  sharesOf,
  sourcesTargets,
  speedUp,
} from './targets.ts';

export interface DeepThingsFlags {
  /** `speed,6` or `sources`; absent: all. */
  readonly cells?: string | undefined;
  /** Frames of each plan; absent: six, and of the sources two rounds. */
  readonly repetitions?: number | undefined;
}

export const DEEPTHINGS_CELLS = {
  part: ['speed', 'memory', 'reuse', 'sources'],
  devices: ['1', '2', '3', '4', '5', '6'],
} as const;
const REPETITIONS = 6;
/** Of twice 80 s of a moving source and 30 s of steady ones. */
const SOURCES_REPETITIONS = 2;

export async function benchDeepThings(flags: DeepThingsFlags): Promise<BenchReport> {
  const { part, devices } = chosenValues(flags.cells, DEEPTHINGS_CELLS);
  const watch = new Stopwatch();
  const layers = part.some((name) => name !== 'sources')
    ? await benchLayers(part, devices.map(Number), flags.repetitions ?? REPETITIONS, watch)
    : NOTHING;
  const sources = part.includes('sources')
    ? await watch.time('sources', () =>
        measureSources(flags.repetitions ?? SOURCES_REPETITIONS, layers.profile),
      )
    : undefined;
  show(layers);
  if (sources !== undefined) showSources(sources);
  const { speeds, memories, reuses } = layers;
  const gains = sources && { moving: gainOf(sources, 'moving'), steady: gainOf(sources, 'steady') };
  return {
    bench: 'deepthings',
    cells: [
      ...speeds.map((result) => cellOf(result, 'speed')),
      ...memories.map(memoryCell),
      ...reuses.map(reuseCell),
      ...(sources === undefined ? [] : sourcesCells(sources)),
    ],
    targets: [
      ...deepThingsTargets(speeds, memories),
      ...(gains === undefined ? [] : sourcesTargets(gains)),
      watch.total,
    ],
  };
}

/** What was measured of the 16 layers on one to six devices. */
interface Layers {
  readonly speeds: readonly SpeedResult[];
  readonly memories: readonly MemoryResult[];
  readonly reuses: readonly ReuseResult[];
  /** Of one device. */
  readonly profile: Profile | undefined;
}

const NOTHING: Layers = { speeds: [], memories: [], reuses: [], profile: undefined };

async function benchLayers(
  part: readonly string[],
  counts: readonly number[],
  repetitions: number,
  watch: Stopwatch,
): Promise<Layers> {
  const network = await benchNetwork(NETWORK);
  const rig = new Rig({ devices: DEVICES, cpu: CPU, hubCpu: HUB_CPU, link: LINK, sharedForms: true });
  const speeds: SpeedResult[] = [];
  try {
    const profile = await watch.time('started and profiled', async () => {
      await rig.start();
      const found = await plausibleProfile(rig, network);
      rig.cluster.unlimit();
      await rig.startServices();
      return found;
    });
    const runs = new Runs({ rig, network, profile, repetitions });
    if (part.includes('speed'))
      for (const count of counts)
        speeds.push(...(await watch.time(`speed, ${count}`, () => runs.speed(count))));
    const reuses = part.includes('reuse') ? await watch.time('reuse', () => runs.reuse()) : [];
    const memories = part.includes('memory') ? await watch.time('memory', () => runs.memory()) : [];
    return { speeds, memories, reuses, profile };
  } finally {
    await rig.stop();
  }
}

type Cell = BenchReport['cells'][number];

function cellOf(result: SpeedResult, part: string): Cell {
  return {
    link: LINK,
    cpu: CPU,
    plan: `${part}: ${result.plan} x ${result.devices}`,
    medianMs: rounded(result.medianMs),
    [result.n < LEAST_FOR_INTERVAL ? 'range' : 'ci95']: result.interval.map(rounded),
    n: result.n,
    oneDeviceMs: rounded(result.aloneMs),
    speedUp: rounded(speedUp(result)),
  };
}

function memoryCell(result: MemoryResult): Cell {
  const { executor, process } = sharesOf(result);
  return {
    ...cellOf(result, 'memory'),
    plannedMB: rounded(result.plannedBytes / 1e6),
    executorMB: rounded(result.executorBytes / 1e6),
    executorShare: rounded(executor),
    processMB: rounded(result.peakBytes / 1e6),
    processShare: rounded(process),
  };
}

function reuseCell(result: ReuseResult): Cell {
  return {
    ...cellOf(result, 'reuse'),
    gmacs: rounded(result.macs / 1e9),
    fps: rounded(result.framesPerSecond),
    deviceMs: rounded(result.deviceMs),
  };
}

function show({ speeds, memories, reuses }: Layers): void {
  const times = (result: SpeedResult): string => `${speedUp(result).toFixed(2)} x`;
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  if (speeds.length > 0)
    print(
      table(
        ['devices', 'plan', 'ms', 'n', 'one device, ms', 'speed-up'],
        speeds.map((result) => [
          result.devices,
          result.plan,
          rounded(result.medianMs),
          result.n,
          rounded(result.aloneMs),
          times(result),
        ]),
      ),
    );
  if (reuses.length > 0)
    print(
      table(
        ['plan', 'GMAC', 'ms, one frame', 'speed-up', 'frames/s, 4 under way', 'devices, ms a frame'],
        reuses.map((result) => [
          result.plan,
          rounded(result.macs / 1e9),
          rounded(result.medianMs),
          times(result),
          rounded(result.framesPerSecond),
          rounded(result.deviceMs),
        ]),
      ),
    );
  if (memories.length > 0)
    print(
      table(
        ['plan', 'planned', 'executor', 'of untiled', 'whole process', 'of untiled', 'speed-up'],
        memories.map((result) => [
          result.plan,
          bytes(result.plannedBytes),
          bytes(result.executorBytes),
          percent(sharesOf(result).executor),
          bytes(result.peakBytes),
          percent(sharesOf(result).process),
          times(result),
        ]),
      ),
    );
}
