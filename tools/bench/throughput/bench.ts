/**
 * `npm run bench -- throughput`: frames per second of ResNet-50 and VGG-16 on one to eight slow devices, by the plan
 * the search finds for a stream, with all the memory the devices want and with half of what the whole model needs.
 */

import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { print, table } from '../../output.ts';
import { chosenValues } from '../emulated/cell-names.ts';
import { LEAST_FOR_INTERVAL } from '../emulated/interval.ts';
import { type BenchNetwork, benchNetwork } from '../emulated/network.ts';
import { plausibleProfile } from '../emulated/plausible-profile.ts';
import { Rig, WorkerKilled } from '../emulated/rig.ts';
import { type BenchReport, rounded } from '../report.ts';
import { CPU, HUB_CPU, LINK } from './conditions.ts';
import { type MeasuredStream, Streams } from './streams.ts';
import { errorPercent, type FailedStream, type Memory, speedUp, throughputTargets } from './targets.ts';

export interface ThroughputFlags {
  /** `resnet50,8,limited`; absent: all. */
  readonly cells?: string | undefined;
  /** Loops of each plan; absent: three. */
  readonly repetitions?: number | undefined;
}

const KINDS = {
  network: ['resnet50', 'vgg16'],
  devices: ['1', '2', '4', '8'],
  memory: ['ample', 'limited'],
} as const;
const REPETITIONS = 3;

export async function benchThroughput(flags: ThroughputFlags): Promise<BenchReport> {
  const chosen = chosenValues(flags.cells, KINDS);
  const began = performance.now();
  const results: MeasuredStream[] = [];
  const failed: FailedStream[] = [];
  for (const name of chosen.network) {
    const network = await benchNetwork(name);
    let profile: Profile | undefined;
    for (const { memory, counts } of groupsOf(chosen)) {
      const cells = { network, memory, counts, repetitions: flags.repetitions };
      await withRig(Math.max(...counts), memory, async (rig) => {
        profile ??= await plausibleProfile(rig, network);
        for (const outcome of await measureAll(rig, { ...cells, profile })) {
          if ('framesPerSecond' in outcome) results.push(outcome);
          else failed.push(outcome);
        }
      });
    }
  }
  print(`the whole bench took ${Math.round((performance.now() - began) / 1000)} s`);
  return {
    bench: 'throughput',
    cells: results.map((result) => ({
      link: LINK,
      cpu: CPU,
      plan: `${result.network} x ${result.devices} ${result.memory}: ${result.strategy}`,
      fps: rounded(result.framesPerSecond),
      [result.n < LEAST_FOR_INTERVAL ? 'range' : 'ci95']: result.interval.map(rounded),
      n: result.n,
      inFlight: result.inFlight,
      oneDevice: rounded(result.aloneFramesPerSecond),
      speedUp: rounded(speedUp(result)),
      simulated: rounded(result.simulatedFramesPerSecond),
      errorPercent: rounded(errorPercent(result)),
      latencyMs: rounded(result.latencyMs),
      hubUse: rounded(result.hubUse),
      deviceMs: rounded(result.deviceMs),
    })),
    targets: throughputTargets(results, failed),
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

interface Cells {
  readonly network: BenchNetwork;
  readonly profile: Profile;
  readonly memory: Memory;
  readonly counts: readonly number[];
  readonly repetitions: number | undefined;
}

async function measureAll(rig: Rig, cells: Cells): Promise<(MeasuredStream | FailedStream)[]> {
  const { network, profile, memory, counts, repetitions = REPETITIONS } = cells;
  const streams = new Streams({ rig, network, profile, memory });
  await streams.start();
  const results: MeasuredStream[] = [];
  const failed: FailedStream[] = [];
  for (const count of counts) {
    const result = await streams.measure(count, repetitions).catch((error: unknown) => {
      if (!(error instanceof WorkerKilled)) throw error;
      print(error.message);
      return undefined;
    });
    if (result === undefined) failed.push({ network: network.model.name, devices: count, memory });
    else results.push(result);
  }
  print(
    table(
      ['plan', 'devices', 'frames/s', 'n', 'one device', 'times', 'simulated', 'error', 'hub'],
      results.map((result) => [
        `${result.network}, ${memory}: ${result.strategy}`,
        result.devices,
        rounded(result.framesPerSecond),
        result.n,
        rounded(result.aloneFramesPerSecond),
        rounded(speedUp(result)),
        rounded(result.simulatedFramesPerSecond),
        `${errorPercent(result).toFixed(1)} %`,
        `${(100 * result.hubUse).toFixed(0)} %`,
      ]),
    ),
  );
  return [...results, ...failed];
}
