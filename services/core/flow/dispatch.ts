/**
 * Dispatch by credit: which task goes to which worker now. A state machine with an injected clock: it keeps no timers
 * and sends nothing; every call returns what is to be done. Every submitted item ends exactly once: by `done`, by a
 * `fail` action, or by `cancel`.
 */

import { type ErrorCode, TilepipeError } from '../runtime/errors.ts';
import { Backlog } from './backlog.ts';
import { choose, Outlook } from './choose.ts';
import { Crew } from './crew.ts';
import {
  type DispatchAction,
  type DispatchCounters,
  type DispatcherOptions,
  type DispatchItem,
  NO_COUNTS,
  type WorkerSummary,
} from './dispatch-types.ts';
import type { Attempt, Placement, WorkerState, WorkerView } from './dispatch-worker.ts';
import { answeredAfterMs, type DurationSummary, Durations, queuedMs, type Stamps } from './durations.ts';
import { Paces } from './paces.ts';

export type {
  DispatchAction,
  DispatchCounters,
  DispatcherOptions,
  DispatchItem,
  WorkerSummary,
} from './dispatch-types.ts';
export { type Placement, placementOf, type WorkerView } from './dispatch-worker.ts';
export type { DurationSummary, Stamps } from './durations.ts';

interface Live<T> {
  readonly item: DispatchItem<T>;
  readonly deadlineAt: number;
  readonly number: number;
  /** Workers it was ever sent to, and when each time: an answer from any of them counts. */
  readonly asked: Map<string, number[]>;
  /** Workers that reported a failure of it. */
  readonly refused: Set<string>;
  /** Workers that let it time out; asked again only where there is no other. */
  readonly avoid: Set<string>;
  /** Messages out and counted on. */
  out: number;
  attempts: number;
  lastError: string;
  /** Since when none of its listed devices has been there. */
  forsakenAt: number | undefined;
}

type Counts = { -readonly [K in keyof DispatchCounters]: number };

export class Dispatcher<T> {
  readonly #options: Required<DispatcherOptions>;
  readonly #crew = new Crew();
  readonly #items = new Map<string, Live<T>>();
  readonly #pending = new Backlog<Live<T>>();
  readonly #durations: Durations;
  readonly #paces = new Paces();
  readonly #counts: Counts = { ...NO_COUNTS };
  #budget: number;

  constructor(options: DispatcherOptions) {
    this.#options = {
      maxItems: 4096,
      firstDeadlineMs: 10_000,
      itemDeadlineMs: 60_000,
      retryShare: 0.1,
      retryBurst: 16,
      maxAttempts: 8,
      forsakenMs: 2_000,
      ...options,
    };
    this.#durations = new Durations(this.#options.firstDeadlineMs);
    this.#budget = this.#options.retryBurst;
  }

  /** Takes an item. Throws `internal` for a key that is in use. */
  submit(item: DispatchItem<T>): DispatchAction<T>[] {
    if (this.#items.has(item.key))
      throw new TilepipeError('internal', `item ${item.key} is under way already`);
    const { now, maxItems, itemDeadlineMs, retryShare, retryBurst } = this.#options;
    const number = this.#counts.submitted++;
    this.#budget = Math.min(retryBurst, this.#budget + retryShare);
    const deadlineAt = item.deadlineAt ?? now() + itemDeadlineMs;
    const live: Live<T> = {
      item,
      deadlineAt,
      number,
      asked: new Map(),
      refused: new Set(),
      avoid: new Set(),
      out: 0,
      attempts: 0,
      lastError: '',
      forsakenAt: undefined,
    };
    this.#items.set(item.key, live);
    if (this.#items.size > maxItems) {
      return [this.#fail(live, 'overloaded', `${maxItems} tasks are waiting; the workers do not keep up`)];
    }
    this.#pending.add(live);
    return this.#pump();
  }

  /**
   * A worker has run an item. The first answer ends it, also one that comes after its deadline or after the worker
   * was given up; `finished` is the item then, and undefined for any later answer. `totalMs`: since it was sent there.
   */
  done(
    key: string,
    worker: string,
    stamps: Stamps = {},
  ): { finished: DispatchItem<T> | undefined; totalMs: number | undefined; actions: DispatchAction<T>[] } {
    this.#crew.free(worker, key, this.#options.now());
    const live = this.#items.get(key);
    const sendings = live?.asked.get(worker);
    if (live === undefined || sendings === undefined) {
      this.#counts.strangers++;
      return { finished: undefined, totalMs: undefined, actions: this.#pump() };
    }
    // A late answer counts too, or the deadline would never learn that it is too short.
    const now = this.#options.now();
    const { sort } = live.item;
    const totalMs = answeredAfterMs(sendings, now, stamps);
    if (totalMs !== undefined) {
      this.#durations.record(sort, totalMs, stamps);
      this.#paces.record(worker, sort, totalMs - queuedMs(stamps), now);
    }
    const state = this.#crew.get(worker);
    if (state !== undefined) {
      state.done++;
      state.troubles = 0;
    }
    this.#end(live);
    this.#counts.done++;
    return { finished: live.item, totalMs, actions: this.#pump() };
  }

  /**
   * A worker could not run an item: another gets it while the budget lasts; where there is no other, it fails. One that
   * says so of an earlier start of the frame may still run what this one sent it.
   */
  failed(key: string, worker: string, error: string, frameAttempt = 1): DispatchAction<T>[] {
    const live = this.#items.get(key);
    const asked = live?.asked.has(worker) === true;
    if (asked && frameAttempt < (live.item.frameAttempt ?? 1)) {
      this.#counts.strangers++;
      return [];
    }
    const attempt = this.#crew.free(worker, key, this.#options.now());
    if (!asked) {
      this.#counts.strangers++;
      return this.#pump();
    }
    const state = this.#crew.get(worker);
    if (state !== undefined) {
      state.failures++;
      state.troubles++;
    }
    live.refused.add(worker);
    live.lastError = `${worker}: ${error}`;
    if (attempt?.owner === live) live.out--;
    const actions = live.out === 0 ? this.#retryFailed(live) : [];
    return [...actions, ...this.#pump()];
  }

  /** A worker appeared or changed. What it no longer holds stays with it until answered or timed out. */
  workerUpdate(view: WorkerView): DispatchAction<T>[] {
    this.#crew.update(view);
    return this.#pump();
  }

  /** A worker vanished: what it had is sent again at once, at no cost to the budget. */
  workerGone(worker: string): DispatchAction<T>[] {
    const state = this.#crew.remove(worker);
    if (state === undefined) return [];
    this.#paces.forget(worker);
    for (const [key, { owner }] of state.active) {
      const live = this.#items.get(key);
      if (live === undefined || live !== owner) continue;
      live.out--;
      if (live.out === 0) this.#pending.add(live);
    }
    return this.#pump();
  }

  /** Looks at the clock: to be called every 50 ms or so, or at `nextDeadline`. */
  tick(): DispatchAction<T>[] {
    const now = this.#options.now();
    const actions: DispatchAction<T>[] = [];
    for (const live of [...this.#items.values()]) {
      if (now >= live.deadlineAt) actions.push(this.#fail(live, ...this.#whyLate(live)));
      else if (this.#isForsaken(live, now))
        actions.push(
          this.#fail(live, 'no-worker', `${live.item.key} cannot run: ${this.#crew.nobodyFor(live.item)}`),
        );
    }
    for (const worker of this.#crew) {
      for (const [key, attempt] of worker.active) {
        if (now >= attempt.expiresAt) this.#expire(worker, key, attempt, actions);
      }
    }
    return [...actions, ...this.#pump()];
  }

  /** When `tick` has something to do next, on the dispatcher's clock; undefined: nothing is under way. */
  nextDeadline(): number | undefined {
    let next = Number.POSITIVE_INFINITY;
    for (const { deadlineAt } of this.#items.values()) next = Math.min(next, deadlineAt);
    for (const { active } of this.#crew) {
      for (const { expiresAt } of active.values()) next = Math.min(next, expiresAt);
    }
    return Number.isFinite(next) ? next : undefined;
  }

  /** Ends every item of a frame without a word; returns them. Their workers' slots stay taken until answered or timed out. */
  cancel(frame: string): DispatchItem<T>[] {
    const ended = [...this.#items.values()].filter(({ item }) => item.frame === frame);
    for (const live of ended) this.#end(live);
    this.#counts.cancelled += ended.length;
    return ended.map(({ item }) => item);
  }

  /** Whether a worker is there that could run such a task. */
  canRun(placement: Placement): boolean {
    return this.#crew.candidates(placement).length > 0;
  }

  /** Why there is none, for people. */
  nobodyFor(placement: Placement): string {
    return this.#crew.nobodyFor(placement);
  }

  /** Items that have not ended. */
  get size(): number {
    return this.#items.size;
  }

  /** Items that wait for a worker. */
  get waiting(): number {
    return this.#pending.length;
  }

  counters(): DispatchCounters {
    return { ...this.#counts };
  }

  workers(): WorkerSummary[] {
    return this.#crew.summaries();
  }

  durations(): Record<string, DurationSummary> {
    return this.#durations.summary();
  }

  /** Gives pending items to idle workers, the oldest frame first. */
  #pump(): DispatchAction<T>[] {
    const actions: DispatchAction<T>[] = [];
    if (this.#pending.length === 0) return actions;
    let { idle } = this.#crew;
    const outlook = new Outlook(this.#paces, this.#options.now());
    for (let i = 0; i < this.#pending.length && idle > 0; ) {
      const live = this.#pending.at(i) as Live<T>;
      const among = this.#crew.candidates(live.item, live.refused);
      const worker = choose(among, live.item, live.avoid, outlook);
      if (worker === undefined) {
        i++;
        continue;
      }
      this.#pending.removeAt(i);
      actions.push(this.#send(live, worker, outlook.doneInMs(worker, live.item.sort)));
      outlook.sent(worker);
      if (!worker.idle) idle--;
    }
    return actions;
  }

  #send(live: Live<T>, worker: WorkerState, expectedMs: number | undefined): DispatchAction<T> {
    const now = this.#options.now();
    const { item } = live;
    // Twice the time for each further attempt: on a link that has become slow, more copies would only slow it more.
    const expiresAt = now + this.#durations.deadlineMs(item.sort, expectedMs) * 2 ** live.attempts;
    if (worker.active.size === 0) worker.since = now;
    worker.active.set(item.key, { owner: live, sort: item.sort, expiresAt });
    live.asked.set(worker.view.id, [...(live.asked.get(worker.view.id) ?? []), now]);
    live.out++;
    live.attempts++;
    this.#counts.sent++;
    if (live.attempts > 1) this.#counts.reissued++;
    const deadlineMs = Math.max(1, Math.ceil(live.deadlineAt - now));
    return { type: 'send', item, worker: worker.view.id, attempt: live.attempts, deadlineMs };
  }

  /** An attempt has taken too long: its message or its answer may be lost, so its slot is free again. */
  #expire(worker: WorkerState, key: string, attempt: Attempt, actions: DispatchAction<T>[]): void {
    const live = this.#items.get(key);
    if (live === undefined || live !== attempt.owner) {
      worker.active.delete(key);
      return;
    }
    if (live.attempts >= this.#options.maxAttempts) {
      worker.active.delete(key);
      actions.push(this.#fail(live, ...this.#whyLate(live)));
      return;
    }
    if (!this.#spend()) {
      // Not given up: the answer may still come, and the budget grows with every new item.
      attempt.expiresAt = this.#options.now() + this.#durations.deadlineMs(live.item.sort);
      return;
    }
    worker.active.delete(key);
    worker.timeouts++;
    worker.troubles++;
    this.#counts.timeouts++;
    live.avoid.add(worker.view.id);
    live.out--;
    if (live.out === 0) this.#pending.add(live);
  }

  /** No message of the item is out any more, and a worker has just failed at it. */
  #retryFailed(live: Live<T>): DispatchAction<T>[] {
    const waits = this.#pending.has(live);
    const others = this.#crew.candidates(live.item, live.refused);
    const spent = live.attempts >= this.#options.maxAttempts;
    if (others.length === 0 || (!waits && (spent || !this.#spend()))) {
      return [this.#fail(live, 'task-failed', `${live.item.key} failed on ${live.lastError}`)];
    }
    if (!waits) this.#pending.add(live);
    return [];
  }

  /** Whether an item of listed devices has been without any of them for too long: only another plan can help it. */
  #isForsaken(live: Live<T>, now: number): boolean {
    if (live.item.devices === undefined || live.out > 0 || this.canRun(live.item)) {
      live.forsakenAt = undefined;
      return false;
    }
    live.forsakenAt ??= now;
    return now - live.forsakenAt >= this.#options.forsakenMs;
  }

  #spend(): boolean {
    if (this.#budget < 1) {
      this.#counts.overBudget++;
      return false;
    }
    this.#budget--;
    return true;
  }

  #whyLate({ item, attempts, asked, lastError }: Live<T>): [ErrorCode, string] {
    if (attempts === 0) {
      if (!this.canRun(item))
        return ['no-worker', `${item.key} was never sent: ${this.#crew.nobodyFor(item)}`];
      return ['frame-deadline', `${item.key} was never sent: ${this.#crew.whyUnsent(item)}`];
    }
    const error = lastError === '' ? '' : `; ${lastError}`;
    return [
      'frame-deadline',
      `${item.key} was sent ${attempts} times, to ${[...asked.keys()].join(', ')}, without an answer${error}`,
    ];
  }

  #fail(live: Live<T>, code: ErrorCode, message: string): DispatchAction<T> {
    this.#end(live);
    this.#counts.failed++;
    return { type: 'fail', item: live.item, code, message };
  }

  /** Slots of messages still out stay taken: those workers are busy with them. */
  #end(live: Live<T>): void {
    this.#items.delete(live.item.key);
    this.#pending.remove(live);
  }
}
