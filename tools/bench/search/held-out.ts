/** How well a profile of this machine predicts tasks that it was not fitted to, network by network. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { computeMs } from '../../../services/core/planning/cost/fleet.ts';
import { deviceOf } from '../../../services/core/planning/cost/fleet-of.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { OrtExecutor } from '../../../services/worker/executor/ort.ts';
import type { Case } from '../../../services/worker/profile/case.ts';
import { limitsHere } from '../../../services/worker/profile/limits.ts';
import { measureCases } from '../../../services/worker/profile/measure.ts';
import { meterOf } from '../../../services/worker/profile/meter.ts';
import { modelCases } from '../../../services/worker/profile/model-cases.ts';
import { measureProfile } from '../../../services/worker/profile/profile.ts';
import { print } from '../../output.ts';
import type { BenchNetwork } from '../emulated/network.ts';

/** Relative errors of the predictions of one network's tasks, in percent of what was measured, without sign. */
export interface HeldOut {
  readonly network: string;
  /** By the profile of its own, fitted to other tasks of it. */
  readonly own: readonly number[];
  /** By a profile that was fitted to another network. */
  readonly foreign: readonly number[];
  readonly foreignNetwork: string;
}

/** Tasks by network: whole runs of nodes, and tiles of them. */
const TASKS = 32;
/** Of the tasks; a profile's own cases have another. */
const SEED = 7;

interface Timed {
  readonly item: Case;
  readonly ms: number;
}

/** Half a minute for each network. */
export async function heldOut(networks: readonly BenchNetwork[]): Promise<HeldOut[]> {
  const profiles: Profile[] = [];
  const timed: Timed[][] = [];
  for (const network of networks) {
    const { model } = network;
    profiles.push(await measureProfile({ device: 'this machine', threads: 1, model }));
    timed.push(await timeOthers(network));
    print(`${model.name}: profiled, and ${timed.at(-1)?.length} other tasks of it timed`);
  }
  return networks.map(({ model }, at): HeldOut => {
    const other = (at + 1) % networks.length;
    const tasks = timed[at] as readonly Timed[];
    return {
      network: model.name,
      own: errors(profiles[at] as Profile, tasks),
      foreign: errors(profiles[other] as Profile, tasks),
      foreignNetwork: networks[other]?.model.name ?? '',
    };
  });
}

async function timeOthers({ model: { graph, analysis } }: BenchNetwork): Promise<Timed[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tilepipe-bench-'));
  const executor = new OrtExecutor({ threads: 1, optimised: join(folder, 'optimised') });
  try {
    await executor.start();
    const cases = modelCases(graph, analysis, {
      seed: SEED,
      most: TASKS,
      without: modelCases(graph, analysis),
    });
    const deps = { executor, folder, meter: meterOf(1, limitsHere().quota) };
    const samples = await measureCases(deps, cases, 0);
    return samples.map(({ ms }, at) => ({ item: cases[at] as Case, ms }));
  } finally {
    await executor.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function errors(profile: Profile, tasks: readonly Timed[]): number[] {
  const device = deviceOf(profile);
  return tasks.map(({ item, ms }) => 100 * Math.abs(computeMs(device, item.work) / ms - 1));
}

export function medianError(errors: readonly number[]): number {
  return errors.length === 0 ? Number.NaN : median(errors);
}
