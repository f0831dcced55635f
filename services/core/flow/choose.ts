/** Which worker gets a task now, if any: by who is free, who is in trouble, and who would have it done first. */

import type { Placement, WorkerState } from './dispatch-worker.ts';
import type { Paces } from './paces.ts';

/** A task as a choice looks at it. */
export interface Choosable extends Placement {
  /** Unique among items: a worker still busy with an earlier one of this key would answer for both at once. */
  readonly key: string;
  readonly sort: string;
}

/** Failures and timeouts in a row from which on a worker is asked after all others: one alone may be a lost message. */
const TROUBLED = 2;
/** Ends this many times as far away as the nearest are as near: what is known of durations is no better. */
const AS_SOON = 1.25;

/** When workers would have a task done, at one moment; what is held back for a worker counts as if it had it. */
export class Outlook {
  readonly #paces: Paces;
  readonly #now: number;
  readonly #backlogs = new Map<WorkerState, number>();

  constructor(paces: Paces, now: number) {
    this.#paces = paces;
    this.#now = now;
  }

  /** Milliseconds until a worker would have it done; undefined where nothing is known of such tasks. */
  doneInMs(worker: WorkerState, sort: string): number | undefined {
    const own = this.#paces.expectedMs(worker.view.id, sort, this.#now);
    return own === undefined ? undefined : this.#backlog(worker) + own;
  }

  /** A task of the sort waits for this worker. */
  promise(worker: WorkerState, sort: string): void {
    const done = this.doneInMs(worker, sort);
    if (done !== undefined) this.#backlogs.set(worker, done);
  }

  /** Its slots have changed. */
  sent(worker: WorkerState): void {
    this.#backlogs.delete(worker);
  }

  /**
   * Milliseconds until it has done what it has, one task after the other. One that takes longer than it should is taken
   * to need as much again: nothing waits long for a worker that hangs.
   */
  #backlog(worker: WorkerState): number {
    let backlog = this.#backlogs.get(worker);
    if (backlog !== undefined) return backlog;
    backlog = 0;
    let first = true;
    for (const { sort } of worker.active.values()) {
      const elapsed = first ? Math.max(0, this.#now - worker.since) : 0;
      const expected = this.#paces.expectedMs(worker.view.id, sort, this.#now) ?? elapsed;
      backlog += Math.abs(expected - elapsed);
      first = false;
    }
    this.#backlogs.set(worker, backlog);
    return backlog;
  }
}

/**
 * The candidate to take; undefined: the task waits, for nobody is free, or for one that will have it done clearly sooner
 * than any that is. Of those that are free and would have it done as soon: first one that has not let this task time
 * out, then one that is not in trouble, then one with nothing to do, or a task would wait behind another while somebody
 * listed after it stands idle; then by the plan's order, then the one with least trouble, then with most slots free,
 * then by id, so that equal states give equal choices.
 */
export function choose(
  among: readonly WorkerState[],
  item: Choosable,
  avoid: ReadonlySet<string>,
  outlook: Outlook,
): WorkerState | undefined {
  const soonest = soonestOf(among, item, avoid, outlook);
  const within = soonest === undefined ? Number.POSITIVE_INFINITY : AS_SOON * soonest.ms;
  let best: WorkerState | undefined;
  let bestRank: readonly (number | string)[] = [];
  for (const worker of among) {
    if (!worker.idle || worker.active.has(item.key)) continue;
    // Whoever is expected first always passes: no reading, however wrong, may keep a task from everybody.
    if (worker !== soonest?.worker && (outlook.doneInMs(worker, item.sort) ?? 0) > within) continue;
    const rank = rankOf(worker, item, avoid);
    if (best !== undefined && !before(rank, bestRank)) continue;
    best = worker;
    bestRank = rank;
  }
  if (best === undefined && soonest !== undefined) outlook.promise(soonest.worker, item.sort);
  return best;
}

/** Of those a task may wait for, the one that would have it done first. */
function soonestOf(
  among: readonly WorkerState[],
  { key, sort }: Choosable,
  avoid: ReadonlySet<string>,
  outlook: Outlook,
): { readonly worker: WorkerState; readonly ms: number } | undefined {
  let soonest: WorkerState | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const worker of among) {
    if (avoid.has(worker.view.id) || worker.troubles >= TROUBLED || worker.active.has(key)) continue;
    const ms = outlook.doneInMs(worker, sort);
    if (ms === undefined || ms >= least) continue;
    soonest = worker;
    least = ms;
  }
  return soonest && { worker: soonest, ms: least };
}

function rankOf(
  { view: { id, slots }, active, troubles }: WorkerState,
  { devices }: Placement,
  avoid: ReadonlySet<string>,
): (number | string)[] {
  const listed = devices?.indexOf(id) ?? 0;
  return [
    avoid.has(id) ? 1 : 0,
    troubles < TROUBLED ? 0 : 1,
    active.size === 0 ? 0 : 1,
    listed < 0 ? (devices?.length ?? 0) : listed,
    troubles,
    active.size / slots,
    id,
  ];
}

function before(a: readonly (number | string)[], b: readonly (number | string)[]): boolean {
  for (const [i, value] of a.entries()) {
    const other = b[i] as number | string;
    if (value !== other) return value < other;
  }
  return false;
}
