/** Strips that have not come although others of the same task have: who is asked for them, when, and when no more. */

import type { MessageMeta } from '../wire/message.ts';
import { Durations } from './durations.ts';
import type { Missing } from './gather.ts';
import type { PlanIndex } from './plan-index.ts';

/** What is asked for: of each worker, what these tasks made for the one that waits. */
export interface Want {
  /** Of the last message of the frame. */
  readonly meta: MessageMeta;
  /** The task that waits. */
  readonly task: string;
  readonly from: ReadonlyMap<string, readonly string[]>;
  /** Asked often enough: the frame has to run again. */
  readonly lost: boolean;
}

interface Waiting {
  /** When its first strip came. */
  readonly since: number;
  /** When the attempt at the frame ends. */
  readonly until: number;
  /** Milliseconds from its first strip until it is asked for; again after twice, four times, ... as many. */
  readonly firstMs: number;
  meta: MessageMeta;
  asked: number;
}

/** Of a task: the wait in force when it was last asked for. No shorter one begins for so many waits that need no asking. */
interface Hold {
  readonly ms: number;
  readonly waits: number;
}

/**
 * Waits after one that was given up: asking did not help, so whoever was asked is slow, now and then at least, and would be
 * given up each time.
 */
const HELD_WAITS = 64;
/** Milliseconds that are waited where nothing is known yet: sub-models may still be loading. */
const FIRST_MS = 2_000;

export interface Patience {
  /** Times a worker is asked. */
  readonly asks: number;
  /** Share of an attempt's time that asking may take: what is left is for the fallback. */
  readonly share: number;
}

/** Of a worker, which asks. */
const ASKING: Patience = { asks: 3, share: 1 / 2 };
/** Of one that only waits: workers that wait for the same know better who is to blame, and say so first. */
export const WAITING: Patience = { asks: 4, share: 3 / 4 };

/** Tasks of one plan that have some of their strips; milliseconds are monotonic. */
export class Wants {
  readonly #index: PlanIndex;
  readonly #worker: string | undefined;
  readonly #patience: Patience;
  readonly #durations = new Durations(FIRST_MS);
  readonly #holds = new Map<string, Hold>();
  /** By frame, then by task. */
  readonly #waiting = new Map<string, Map<string, Waiting>>();

  /** `worker`: who waits, if it is one; it does not ask itself. */
  constructor(index: PlanIndex, worker?: string, patience: Patience = ASKING) {
    this.#index = index;
    this.#worker = worker;
    this.#patience = patience;
  }

  /**
   * Strips of a frame have come, whose attempt ends at `until`; `missing` is what its tasks still wait for, `ready` those
   * that wait for nothing now.
   */
  came(
    frame: string,
    meta: MessageMeta,
    { missing, ready }: { readonly missing: readonly Missing[]; readonly ready: readonly string[] },
    now: number,
    until: number,
  ): void {
    const tasks = this.#waiting.get(frame) ?? new Map<string, Waiting>();
    for (const task of ready) {
      this.#learn(task, tasks.get(task), now);
      tasks.delete(task);
    }
    for (const { task, transfers } of missing) {
      const known = tasks.get(task);
      if (known !== undefined) known.meta = meta;
      else if (transfers.length < this.#index.transfersTo(task).length)
        tasks.set(task, { since: now, until, firstMs: this.#firstMs(task, until - now), meta, asked: 0 });
    }
    if (tasks.size > 0) this.#waiting.set(frame, tasks);
    else this.#waiting.delete(frame);
  }

  drop(frame: string): void {
    this.#waiting.delete(frame);
  }

  /** What has been waited for too long; asked again each time after twice as long, then given up. */
  overdue(now: number, missingOf: (frame: string) => readonly Missing[]): Want[] {
    const { asks, share: ofAttempt } = this.#patience;
    const wants: Want[] = [];
    for (const [frame, tasks] of this.#waiting) {
      for (const [task, waiting] of tasks) {
        const share = ofAttempt * (waiting.until - waiting.since);
        const waited = now - waiting.since;
        const limit = limitMs(waiting);
        const lost = waited >= share || (waiting.asked >= asks && waited >= limit);
        if (!lost && (waiting.asked >= asks || waited < limit)) continue;
        waiting.asked++;
        const transfers = missingOf(frame).find((each) => each.task === task)?.transfers ?? [];
        const from = this.#makers(transfers.map((each) => each.from));
        if (from.size > 0 || lost) wants.push({ meta: waiting.meta, task, from, lost });
        if (!lost) continue;
        this.#hold(task, waiting, HELD_WAITS);
        tasks.delete(task);
      }
      if (tasks.size === 0) this.#waiting.delete(frame);
    }
    return wants;
  }

  #firstMs(task: string, attemptMs: number): number {
    const firstMs = Math.max(this.#durations.deadlineMs(task), this.#holds.get(task)?.ms ?? 0);
    // Who is asked has as long to answer as was waited. Sooner, what always comes late would be sent twice each time.
    return Math.min(firstMs, (this.#patience.share * attemptMs) / 2);
  }

  /**
   * A wait is over. One with asking in it does not tell how long strips take, lost or late (Karn's rule); but where they
   * are only late, no shorter wait than the one in force would do the next time, nor for long where asking did not help.
   */
  #learn(task: string, waited: Waiting | undefined, now: number): void {
    if (waited !== undefined && waited.asked > 0) {
      this.#hold(task, waited, 1);
      return;
    }
    const tookMs = waited === undefined ? 0 : now - waited.since;
    const { ms, waits } = this.#holds.get(task) ?? { ms: 0, waits: 0 };
    // Without it there would have been asking: it came by itself, but slowly.
    const left = tookMs > this.#durations.deadlineMs(task) ? HELD_WAITS : waits - 1;
    if (left > 0) this.#holds.set(task, { ms, waits: left });
    else this.#holds.delete(task);
    this.#durations.record(task, tookMs);
  }

  #hold(task: string, waited: Waiting, forWaits: number): void {
    const { ms, waits } = this.#holds.get(task) ?? { ms: 0, waits: 0 };
    this.#holds.set(task, { ms: Math.max(limitMs(waited), ms), waits: Math.max(forWaits, waits) });
  }

  /** By worker, what it made; of the frame's own tensors, and of what is made here, nobody is asked. */
  #makers(tasks: readonly string[]): Map<string, string[]> {
    const from = new Map<string, string[]>();
    for (const maker of tasks) {
      const device = this.#index.tasks.get(maker)?.devices?.[0];
      if (device === undefined || device === this.#worker) continue;
      const asked = from.get(device) ?? [];
      if (!asked.includes(maker)) asked.push(maker);
      from.set(device, asked);
    }
    return from;
  }
}

/** Milliseconds that are waited before it is asked for again, or given up. */
function limitMs({ firstMs, asked }: Waiting): number {
  return firstMs * 2 ** asked;
}
