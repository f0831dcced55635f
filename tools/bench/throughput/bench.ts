/**
 * `npm run bench -- throughput`: frames per second of ResNet-50 and VGG-16 on one to eight slow devices, by the plan
 * the search finds for a stream, with all the memory the devices want and with half of what the model's weights need.
 */

import { writeFileSync } from 'node:fs';
import type { Draft } from '../../../services/core/planning/draft.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { print, table } from '../../output.ts';
import { chosenValues } from '../emulated/cell-names.ts';
import { intervalText, namedInterval } from '../emulated/interval.ts';
import { type BenchNetwork, benchNetwork } from '../emulated/network.ts';
import { plausibleProfile } from '../emulated/plausible-profile.ts';
import { Rig } from '../emulated/rig.ts';
import { Stopwatch } from '../emulated/stopwatch.ts';
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

export const THROUGHPUT_CELLS = {
  network: ['resnet50', 'vgg16'],
  devices: ['1', '2', '4', '8'],
  memory: ['ample', 'limited'],
} as const;
const REPETITIONS = 3;

type Outcome = MeasuredStream | FailedStream;

export async function benchThroughput(flags: ThroughputFlags): Promise<BenchReport> {
  const chosen = chosenValues(flags.cells, THROUGHPUT_CELLS);
  const { repetitions = REPETITIONS } = flags;
  const watch = new Stopwatch();
  const outcomes: Outcome[] = [];
  for (const name of chosen.network) {
    const network = await benchNetwork(name);
    // On a device with ample memory, whatever memory the cells have.
    const profile = await watch.time(`${name}, profiled`, () =>
      withRig(1, 'ample', (rig) => plausibleProfile(rig, network)),
    );
    for (const memory of chosen.memory) {
      const counts = chosen.devices.map(Number);
      const found = await measureGroup({ network, profile, memory, repetitions, watch }, counts);
      outcomes.push(...found);
      showGroup(found);
    }
  }
  const results = outcomes.filter((outcome) => 'framesPerSecond' in outcome);
  const failed = outcomes.filter((outcome) => 'reason' in outcome);
  const svg = flags.svg ?? 'throughput.svg';
  writeFileSync(svg, throughputPlot(results));
  print(`picture: ${svg}`);
  return {
    bench: 'throughput',
    cells: outcomes.map(cellOf),
    targets: [...throughputTargets(results, failed), watch.total],
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

interface Group {
  readonly network: BenchNetwork;
  readonly profile: Profile;
  readonly memory: Memory;
  readonly repetitions: number;
  readonly watch: Stopwatch;
}

/** A plan for so many devices. */
interface Planned {
  readonly count: number;
  readonly draft: Draft;
}

/**
 * Cells of one network and memory share a rig; after a failed one nothing more can be measured on it, and the rest have
 * another. Those that no plan fits need none.
 */
async function measureGroup(group: Group, counts: readonly number[]): Promise<Outcome[]> {
  const { network, memory } = group;
  const planned: Planned[] = [];
  const outcomes = new Map<number, Outcome>();
  for (const count of counts) {
    const draft = planStream(network, streamFleet(group, count));
    if (typeof draft !== 'string') planned.push({ count, draft });
    else outcomes.set(count, { network: network.model.name, devices: count, memory, reason: draft });
  }
  while (planned.length > 0) {
    const most = Math.max(...planned.map(({ count }) => count));
    const found = await withRig(most, memory, (rig) => measureUntilFailed(group, planned, rig));
    for (const outcome of found) outcomes.set(outcome.devices, outcome);
    planned.splice(0, found.length);
  }
  return counts.flatMap((count) => outcomes.get(count) ?? []);
}

async function measureUntilFailed(
  { network, profile, memory, repetitions, watch }: Group,
  planned: readonly Planned[],
  rig: Rig,
): Promise<Outcome[]> {
  const { name } = network.model;
  const streams = new Streams({ network, memory, profile, rig });
  await watch.time(`${name}, ${memory}, started`, () => streams.start());
  const outcomes: Outcome[] = [];
  for (const { count, draft } of planned) {
    const outcome = await watch.time(`${name}, ${count}, ${memory}`, () =>
      streams.measure(draft, count, repetitions),
    );
    outcomes.push(outcome);
    if ('reason' in outcome) break;
  }
  return outcomes;
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
