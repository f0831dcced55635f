/** From telemetry to readings: what each task took beside what its device's profile says it takes. */

import type { Plan } from '../../schema/generated/plan.ts';
import type { Telemetry } from '../../schema/generated/telemetry.ts';
import { computeMs, type Device } from '../cost/fleet.ts';
import type { Work } from '../cost/work.ts';
import type { Draft } from '../draft.ts';
import type { Reading, RunningReading } from './devices.ts';

/** What must be known of a plan to judge what its tasks took. */
export interface PlanExpectations {
  readonly digest: string;
  /** By task. */
  readonly tasks: ReadonlyMap<string, ExpectedTask>;
  /** Tasks of one frame whose answers are told: those that dispatchers hand out. */
  readonly tasksPerFrame: number;
}

/**
 * Tasks that take less than this share of a device's longest say nothing of a device's speed: overheads decide, and under
 * a quota of processor time (CFS bandwidth control) what ends within one period runs as if there were none.
 */
const TELLING = 1 / 5;
/** The usual period of such a quota, in milliseconds: who seems fast in a task that is shorter has not been slowed yet. */
const SHORT_MS = 100;

export interface ExpectedTask {
  readonly work: Work;
  /** The same for tasks of a plan that move the same bytes. */
  readonly sort: string;
  /** Who may run it; absent: anybody. */
  readonly devices?: readonly string[];
}

/** Joins a draft with the plan made of it: a task's block and index are the draft's block and part. */
export function expectationsOf(digest: string, plan: Plan, draft: Draft): PlanExpectations {
  const tasks = new Map<string, ExpectedTask>();
  const parts = new Map(
    draft.blocks.flatMap(({ block, parts: all }) =>
      all.map(({ tile, work, bytesIn, bytesOut }) => {
        const sort = `block ${block.id}: ${bytesIn} in, ${bytesOut} out`;
        return [`${block.id} ${tile.index}`, { work, sort }] as const;
      }),
    ),
  );
  let runs = 0;
  for (const { id, kind, block, index, replica, devices, gather } of plan.tasks) {
    if (kind !== 'run' || block === undefined) continue;
    if (gather !== 'worker') runs += replica === undefined ? 1 : 1 / (plan.replicas ?? 1);
    const task = parts.get(`${block} ${index ?? 0}`);
    if (task !== undefined) tasks.set(id, devices === undefined ? task : { ...task, devices });
  }
  return { digest, tasks, tasksPerFrame: Math.max(1, runs) };
}

export interface Told {
  readonly readings: readonly Reading[];
  /** Of tasks that have not ended. */
  readonly running: readonly RunningReading[];
  /** Frames' worth of tasks that were answered. */
  readonly frames: number;
  /** Timeouts of workers from which no answer came. */
  readonly silent: readonly { readonly device: string; readonly timeouts: number }[];
}

/** What a telemetry document says of plans that are known. */
export function readingsOf(
  { tasks, workers, running = [] }: Pick<Telemetry, 'tasks' | 'workers' | 'running'>,
  plans: ReadonlyMap<string, PlanExpectations>,
  devices: ReadonlyMap<string, Device>,
): Told {
  const readings: Reading[] = [];
  const answered = new Set<string>();
  const longest = new Map<string, number>();
  const isTelling = (plan: PlanExpectations, device: Device, profiledMs: number): boolean => {
    const key = `${plan.digest} ${device.id}`;
    const most = longest.get(key) ?? longestMs(plan, device);
    longest.set(key, most);
    return profiledMs >= TELLING * most;
  };
  let frames = 0;
  for (const row of tasks) {
    answered.add(row.worker);
    const plan = plans.get(row.plan);
    const device = devices.get(row.worker);
    const task = plan?.tasks.get(row.task);
    if (plan === undefined) continue;
    frames += row.count / plan.tasksPerFrame;
    if (device === undefined || task === undefined) continue;
    const profiledMs = computeMs(device, task.work);
    readings.push({
      device: row.worker,
      task: `${row.plan} ${task.sort}`,
      computeMs: row.computeMs,
      profiledMs,
      telling: isTelling(plan, device, profiledMs),
      short: profiledMs < SHORT_MS,
      restMs: row.restMs,
    });
  }
  const silent = workers
    .filter(({ worker, timeouts }) => timeouts > 0 && !answered.has(worker))
    .map(({ worker, timeouts }) => ({ device: worker, timeouts }));
  const overdue = running.flatMap(({ worker, plan: digest, task: id, computeMs: elapsedMs, usualMs }) => {
    const plan = plans.get(digest);
    const device = devices.get(worker);
    const work = plan?.tasks.get(id)?.work;
    if (plan === undefined || device === undefined || work === undefined) return [];
    const profiledMs = computeMs(device, work);
    if (!isTelling(plan, device, profiledMs)) return [];
    return [{ device: worker, computeMs: elapsedMs, profiledMs, usualMs }];
  });
  return { readings, running: overdue, frames, silent };
}

/** Milliseconds that the longest of a plan's tasks for a device takes there by its profile. */
function longestMs({ tasks }: PlanExpectations, device: Device): number {
  let longest = 0;
  for (const { work, devices } of tasks.values())
    if (devices?.includes(device.id) ?? true) longest = Math.max(longest, computeMs(device, work));
  return longest;
}
