/**
 * `npm run bench -- throughput`: frames per second of ResNet-50 and VGG-16 on one to eight slow devices, by the plan
 * the search finds for a stream, with all the memory the devices want and with half of what the model's weights need.
 */

import { writeFileSync } from 'node:fs';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { print, table } from '../../output.ts';
import { chosenValues } from '../emulated/cell-names.ts';
import { intervalText, namedInterval } from '../emulated/interval.ts';
import { type BenchNetwork, benchNetwork } from '../emulated/network.ts';
import { plausibleProfile } from '../emulated/plausible-profile.ts';
import { Rig } from '../emulated/rig.ts';
import { type BenchReport, rounded } from '../report.ts';
import { CPU, HUB_CPU, LINK } from './conditions.ts';
import { throughputPlot } from './plot.ts';
import { type MeasuredStream, planStream, Streams, streamFleet } from './streams.ts';
import { errorPercent, type FailedStream, type Memory, speedUp, throughputTargets } from './targets.ts';

export interface ThroughputFlags {
  /** `resnet50,8,limited`; absent: all. */
  readonly cells?: string | undefined;
  /** Loops of each plan; absent: three. */
  readonly repetitions?: number | undefined;
  /** Where the picture goes. */
  readonly svg?: string | undefined;
}

const KINDS = {
  network: ['resnet50', 'vgg16'],
  devices: ['1', '2', '4', '8'],
  memory: ['ample', 'limited'],
} as const;
const REPETITIONS = 3;

type Outcome = MeasuredStream | FailedStream;

export async function benchThroughput(flags: ThroughputFlags): Promise<BenchReport> {
  const chosen = chosenValues(flags.cells, KINDS);
  const { repetitions = REPETITIONS } = flags;
  const began = performance.now();
  const outcomes: Outcome[] = [];
  for (const name of chosen.network) {
    const network = await benchNetwork(name);
    // On a machine of its own, before anything else runs.
    const profile = await withRig(0, 'ample', (rig) => plausibleProfile(rig, network));
    for (const { memory, counts } of groupsOf(chosen)) {
      const found = await measureGroup({ network, profile, memory, counts, repetitions });
      outcomes.push(...found);
      showGroup(found);
    }
  }
  const results = outcomes.filter((outcome) => 'framesPerSecond' in outcome);
  const failed = outcomes.filter((outcome) => 'reason' in outcome);
  const svg = flags.svg ?? 'throughput.svg';
  writeFileSync(svg, throughputPlot(results));
  print(`picture: ${svg}; the whole bench took ${Math.round((performance.now() - began) / 1000)} s`);
  return {
    bench: 'throughput',
    cells: outcomes.map(cellOf),
    targets: throughputTargets(results, failed),
  };
}

type Cell = BenchReport['cells'][number];

function cellOf(outcome: Outcome): Cell {
  const { network, devices, memory } = outcome;
  const where = { link: LINK, cpu: CPU };
  const plan = `${network} x ${devices} ${memory}`;
  if ('reason' in outcome) return { ...where, plan, n: 0, failed: outcome.reason };
  const { held } = outcome;
  const memoryMB =
    held === undefined
      ? {}
      : {
          heldMB: rounded(held.charged / 1e6),
          residentMB: rounded(held.resident / 1e6),
          allowedMB: rounded(held.allowed / 1e6),
          killed: held.killed,
        };
  return {
    ...where,
    plan: `${plan}: ${outcome.strategy}`,
    fps: rounded(outcome.framesPerSecond),
    ...namedInterval(outcome.interval, outcome.n),
    n: outcome.n,
    inFlight: outcome.inFlight,
    oneDevice: rounded(outcome.aloneFramesPerSecond),
    speedUp: rounded(speedUp(outcome)),
    simulated: rounded(outcome.simulatedFramesPerSecond),
    errorPercent: rounded(errorPercent(outcome)),
    medianMs: rounded(outcome.latencyMs),
    hubUse: rounded(outcome.hubUse),
    deviceMs: rounded(outcome.deviceMs),
    ...memoryMB,
  };
}

async function withRig<T>(devices: number, memory: Memory, use: (rig: Rig) => Promise<T>): Promise<T> {
  const names = Array.from({ length: devices }, (_, at) => `device-${at + 1}`);
  const rig = new Rig({
    devices: names,
    cpu: CPU,
    hubCpu: HUB_CPU,
    link: LINK,
    sharedForms: memory === 'ample',
    // Weights that several devices map are charged to one of them: where that matters, each has its own.
    ownBlobs: memory === 'limited',
  });
  try {
    await rig.start();
    return await use(rig);
  } finally {
    await rig.stop();
  }
}

/** After a worker was killed nothing more can be measured on a rig: where that may be, each plan has its own. */
function groupsOf(chosen: {
  readonly memory: readonly Memory[];
  readonly devices: readonly string[];
}): { memory: Memory; counts: number[] }[] {
  const counts = chosen.devices.map(Number);
  return chosen.memory.flatMap((memory): { memory: Memory; counts: number[] }[] =>
    memory === 'ample' ? [{ memory, counts }] : counts.map((count) => ({ memory, counts: [count] })),
  );
}

interface Group {
  readonly network: BenchNetwork;
  readonly profile: Profile;
  readonly memory: Memory;
  readonly counts: readonly number[];
  readonly repetitions: number;
}

/** Cells that share a rig; none is started where no plan fits. */
async function measureGroup({ counts, repetitions, ...of }: Group): Promise<Outcome[]> {
  const { network, memory } = of;
  const planned = counts.map((count) => ({ count, draft: planStream(network, streamFleet(of, count)) }));
  const impossible = planned.flatMap(({ count, draft }) =>
    typeof draft === 'string' ? [{ network: network.model.name, devices: count, memory, reason: draft }] : [],
  );
  const possible = planned.flatMap(({ count, draft }) =>
    typeof draft === 'string' ? [] : [{ count, draft }],
  );
  if (possible.length === 0) return impossible;
  const measured = await withRig(Math.max(...counts), memory, async (rig) => {
    const streams = new Streams({ ...of, rig });
    await streams.start();
    const outcomes: Outcome[] = [];
    for (const { count, draft } of possible) outcomes.push(await streams.measure(draft, count, repetitions));
    return outcomes;
  });
  return [...impossible, ...measured];
}

function showGroup(outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes)
    if ('reason' in outcome)
      print(`${outcome.network} on ${outcome.devices}, ${outcome.memory}: failed: ${outcome.reason}`);
  const results = outcomes.filter((outcome) => 'framesPerSecond' in outcome);
  if (results.length === 0) return;
  print(
    table(
      [
        'plan',
        'devices',
        'frames/s, median',
        '95 %',
        'n',
        'one device',
        'times',
        'simulated',
        'error',
        'hub used',
      ],
      results.map((result) => [
        `${result.network}, ${result.memory}: ${result.strategy}`,
        result.devices,
        rounded(result.framesPerSecond),
        intervalText(result.interval, result.n),
        result.n,
        rounded(result.aloneFramesPerSecond),
        rounded(speedUp(result)),
        rounded(result.simulatedFramesPerSecond),
        `${errorPercent(result).toFixed(1)} %`,
        `${(100 * result.hubUse).toFixed(0)} %`,
      ]),
    ),
  );
}
