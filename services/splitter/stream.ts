/** One pipeline's frames under way: started by credit, kept until their result is seen, replayed when they are late. */

import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import { Counters } from '../core/runtime/counters.ts';
import type { ErrorCode } from '../core/runtime/errors.ts';
import { type Frame, FrameQueue } from './frame-queue.ts';

/** How a stream treats its frames; see config.schema.json. */
export interface StreamLimits {
  readonly maxInFlight: number;
  readonly maxWaiting: number;
  readonly attempts: number;
}

/** A frame that has started. */
export interface Started {
  readonly frame: Frame;
  readonly plan: AnnouncedPlan;
  readonly merger: string;
  /** Number of this start of the frame, from 1. */
  readonly attempt: number;
  /** Attempts used up before this one: starts that ended because somebody was gone are not the frame's fault. */
  readonly spent: number;
  readonly startedAt: number;
  /** When this attempt is given up: the frame's time is shared between its attempts. */
  readonly giveUpAt: number;
  /** The plan whose fallback comes first: an earlier attempt failed under it, or it has become slow. */
  readonly after?: AnnouncedPlan | undefined;
  /** Of the time since the stream began, what nothing ran here. */
  readonly heldMs: number;
}

/** Why an attempt failed, as counters name it. */
export type Cause = ErrorCode | 'device-gone' | 'merger-gone' | 'overtaken' | 'slow';

/** Somebody a frame needed was gone, or did not answer, or its plan no longer suits, which does not count as an attempt. */
const FREE: ReadonlySet<Cause> = new Set([
  'no-worker',
  'device-gone',
  'merger-gone',
  'strip-lost',
  'overtaken',
  'slow',
]);
/** A frame that has taken so many times what those before it took need not end on its plan: links are others by now. */
const OVERTAKEN = 3;
/**
 * So long frames go by the fallback of a plan that has become slow, until one is tried by the plan itself; each time that
 * was in vain, twice as long.
 */
const REFUGE_MS = 4_000;
const LONGEST_REFUGE_MS = 64_000;
/** None is slow that has not taken so long: a lost strip is asked for first. */
const SLOW_MS = 1_000;
/** Frames before it, of which the median counts: one that was slow itself says nothing. */
const BEFORE = 5;
/** Starts of one frame that may end without counting as attempts: who answers at once that he cannot must not spin. */
const FREE_STARTS = 8;

/** A frame whose attempt has failed and whose next one waits for somebody to run it. */
interface Parked {
  readonly frame: Frame;
  readonly attempt: number;
  readonly spent: number;
  readonly why: string;
  readonly cause: Cause;
  readonly after: AnnouncedPlan | undefined;
}

/** Where an attempt runs: its plan, and the merger's id. */
interface Chosen {
  readonly plan: AnnouncedPlan;
  readonly merger: string;
}

/** The same, and the plan whose fallback that is. */
interface Placed extends Chosen {
  readonly after: AnnouncedPlan | undefined;
}

/** The newest plan has become slow: frames go by its fallback. */
interface Refuge {
  readonly from: string;
  readonly until: number;
  readonly forMs: number;
}

export interface StreamDeps {
  /** Those of the newest plan: a roll-out may change them. */
  readonly limits: () => StreamLimits;
  readonly now: () => number;
  /**
   * Where a frame starts, or undefined while nobody can run it. `after`: the plan whose fallback comes first.
   */
  readonly choose: (frame: Frame, after?: AnnouncedPlan) => Chosen | undefined;
  /** Whether a frame under way could begin again on a plan that is newer than its own. */
  readonly overtaken: (frame: Frame, plan: AnnouncedPlan) => boolean;
  /** Why `choose` finds nothing, in words. */
  readonly obstacle: (frame: Frame) => string;
  readonly begin: (started: Started) => void;
  /** An attempt is over: with a result, or without, and then others may still work on it. */
  readonly over: (started: Started, finished: boolean) => void;
  /** The frame ends here, as an error. */
  readonly fail: (frame: Frame, code: ErrorCode, message: string) => void;
}

export interface StreamCounters {
  received: number;
  finished: number;
  failed: number;
  dropped: number;
  /** And, as `replayed.<cause>`, why. */
  replayed: number;
  /** Attempts by the fallback of a plan, and, as `fallback.<cause>`, why not by the plan itself. */
  fallback: number;
}

/** Of a stream that has just begun. */
export function noCounts(): StreamCounters {
  return { received: 0, finished: 0, failed: 0, dropped: 0, replayed: 0, fallback: 0 };
}

export class Stream {
  readonly #deps: StreamDeps;
  readonly #queue = new FrameQueue();
  readonly #started = new Map<string, Started>();
  readonly #parked = new Map<string, Parked>();
  readonly counters = noCounts();
  /** What the last frames took that finished at once. */
  #tookMs: readonly number[] = [];
  #refuge: Refuge | undefined;
  #heldMs = 0;
  /** When a frame had its result last. */
  #closedAt = Number.NEGATIVE_INFINITY;
  readonly #causes = new Counters();

  constructor(deps: StreamDeps) {
    this.#deps = deps;
  }

  get inFlight(): number {
    return this.#started.size + this.#parked.size;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Why frames began again, and why frames began by a fallback: how many for each cause. */
  get causes(): Record<string, number> {
    return this.#causes.snapshot();
  }

  started(frame: string): Started | undefined {
    return this.#started.get(frame);
  }

  push(frame: Frame): void {
    this.counters.received++;
    const { maxWaiting } = this.#deps.limits();
    const dropped = this.#queue.push(frame, maxWaiting);
    if (dropped !== undefined) {
      this.counters.dropped++;
      this.#deps.fail(
        dropped,
        'frame-dropped',
        `${maxWaiting} frames were waiting already; the oldest made room`,
      );
    }
    this.pump();
  }

  /** Starts frames while somebody can run them: those that wait for another attempt first, then new ones by credit. */
  pump(): void {
    for (const [id, parked] of [...this.#parked]) {
      // What began before may have ended at once and come back here.
      if (this.#parked.get(id) !== parked) continue;
      const placed = this.#place(parked.frame, parked.after);
      if (placed === undefined) continue;
      this.#parked.delete(id);
      this.counters.replayed++;
      this.#causes.add(`replayed.${parked.cause}`);
      this.#begin(parked.frame, placed, parked);
    }
    // After a roll-out, frames read for the old plan must not hold up those read for the new one.
    const barred = new Set<string>();
    const { maxInFlight } = this.#deps.limits();
    while (this.inFlight < maxInFlight) {
      const frame = this.#queue.first(barred);
      if (frame === undefined) return;
      const placed = this.#place(frame);
      if (placed === undefined) {
        barred.add(frame.reading);
        continue;
      }
      this.#queue.remove(frame);
      this.#begin(frame, placed);
    }
  }

  #place(frame: Frame, after?: AnnouncedPlan): Placed | undefined {
    const chosen = this.#deps.choose(frame, after);
    if (chosen === undefined || after !== undefined) return chosen && { ...chosen, after };
    if (chosen.plan.digest !== this.#refuge?.from) this.#refuge = undefined;
    const isSlow = this.#refuge !== undefined && this.#deps.now() < this.#refuge.until;
    const second = isSlow ? this.#fallback(frame, chosen.plan) : undefined;
    return second === undefined ? { ...chosen, after } : { ...second, after: chosen.plan };
  }

  /** Where a frame starts by the fallback of a plan; undefined where that cannot run. */
  #fallback(frame: Frame, plan: AnnouncedPlan): Chosen | undefined {
    const chosen = plan.fallback && this.#deps.choose(frame, plan);
    return chosen?.plan.digest === plan.fallback?.digest ? chosen : undefined;
  }

  /** The frame's result has been published, of whichever attempt. */
  close(id: string): boolean {
    const started = this.#started.get(id);
    // Of one that began again the result may be an earlier attempt's. Those by a fallback count: a plan that takes three times
    // as long as its fallback has no business to be tried again.
    if (started?.attempt === 1) {
      this.#tookMs = [...this.#tookMs.slice(1 - BEFORE), this.#deps.now() - started.startedAt];
      if (started.plan.digest === this.#refuge?.from) this.#refuge = undefined;
    }
    if (this.#forget(id, true) === undefined) return false;
    this.#closedAt = this.#deps.now();
    this.counters.finished++;
    this.pump();
    return true;
  }

  /** Ends a frame as an error now, without another attempt. */
  end(id: string, code: ErrorCode, message: string): void {
    const frame = this.#forget(id, false);
    if (frame === undefined) return;
    this.counters.failed++;
    this.#deps.fail(frame, code, message);
    this.pump();
  }

  /** Ends every frame, under way or waiting. */
  endAll(code: ErrorCode, message: string): void {
    // The waiting ones first, or each end would start the next.
    for (const frame of this.#queue.clear()) {
      this.counters.failed++;
      this.#deps.fail(frame, code, message);
    }
    for (const id of [...this.#parked.keys(), ...this.#started.keys()]) this.end(id, code, message);
  }

  /** Starts a frame again from the beginning, or ends it where its attempts are used up. */
  replay(id: string, why: string, cause: Cause): void {
    const known = this.#started.get(id);
    if (known === undefined) return;
    const { frame, attempt, plan } = known;
    const { attempts } = this.#deps.limits();
    const free = FREE.has(cause) && attempt - known.spent <= FREE_STARTS;
    const spent = free ? known.spent : known.spent + 1;
    if (spent >= attempts || this.#deps.now() >= frame.deadlineAt) {
      this.end(
        id,
        'frame-deadline',
        `frame ${id} was not finished after ${spent} of ${attempts} attempts: ${why}`,
      );
      return;
    }
    this.#forget(id, false);
    const failed = cause === 'overtaken' || plan.fallback === undefined ? undefined : plan;
    const after = known.after ?? failed;
    this.#parked.set(id, { frame, attempt: attempt + 1, spent, why, cause, after });
    this.pump();
  }

  /** Frames of a plan that has lost a device it needs begin again on one that can run, rather than wait for their time. */
  leave(stranded: (plan: AnnouncedPlan) => boolean): void {
    for (const [id, { frame, plan, attempt, spent, after }] of [...this.#started]) {
      if (attempt - spent > FREE_STARTS || !stranded(plan)) continue;
      const chosen = this.#deps.choose(frame, after ?? plan);
      if (chosen !== undefined && chosen.plan.digest !== plan.digest)
        this.replay(id, `plan ${plan.digest.slice(0, 12)} lost a device it needs`, 'device-gone');
    }
  }

  /** Frames that a plan keeps for far longer than those before them begin again on the newest that can run, or its fallback. */
  #overtake(now: number): void {
    if (this.#tookMs.length === 0) return;
    const usualMs = [...this.#tookMs].sort((a, b) => a - b)[(this.#tookMs.length - 1) >> 1] as number;
    // Several at once may take so many times as long without anything being slow, and then end one after the other.
    const slowMs = Math.max(SLOW_MS, OVERTAKEN * usualMs * this.#started.size);
    for (const [id, { frame, plan, attempt, spent, startedAt, after, heldMs }] of [...this.#started]) {
      if (after !== undefined || attempt - spent > FREE_STARTS) continue;
      // What comes while nothing runs here is read only then.
      const heldUpMs = this.#heldMs - heldMs;
      if (now - startedAt - heldUpMs <= OVERTAKEN * usualMs) continue;
      const isSlow = now - Math.max(startedAt, this.#closedAt) - heldUpMs > slowMs;
      const why = `plan ${plan.digest.slice(0, 12)} has become slow, and another can run`;
      if (this.#deps.overtaken(frame, plan)) this.replay(id, why, 'overtaken');
      else if (isSlow && this.#takesRefuge(frame, plan, now)) this.replay(id, why, 'slow');
    }
  }

  /** Whether its fallback can run: frames go by that for a while. */
  #takesRefuge(frame: Frame, plan: AnnouncedPlan, now: number): boolean {
    const { digest } = plan;
    if (this.#fallback(frame, plan) === undefined) return false;
    const before = this.#refuge?.from === digest ? this.#refuge : undefined;
    if (before !== undefined && now < before.until) return true;
    const forMs = before === undefined ? REFUGE_MS : Math.min(LONGEST_REFUGE_MS, 2 * before.forMs);
    this.#refuge = { from: digest, until: now + forMs, forMs };
    return true;
  }

  /** A merger is gone, and with it what it had gathered. */
  mergerGone(merger: string): void {
    for (const [id, started] of [...this.#started]) {
      if (started.merger === merger) this.replay(id, `merger ${merger} went away`, 'merger-gone');
    }
  }

  /**
   * Looks at the clock: late attempts are replayed, waiting frames past their deadline end. `heldMs`: for so long before
   * nothing ran here.
   */
  tick(heldMs = 0): void {
    const now = this.#deps.now();
    this.#heldMs += heldMs;
    for (const [id, { giveUpAt }] of [...this.#started]) {
      if (now >= giveUpAt) this.replay(id, 'no result before its deadline', 'frame-deadline');
    }
    this.#overtake(now);
    for (const [id, { frame, attempt, why }] of [...this.#parked]) {
      if (now < frame.deadlineAt) continue;
      const obstacle = this.#deps.obstacle(frame);
      this.end(id, 'no-worker', `frame ${id} could not start attempt ${attempt} (${why}): ${obstacle}`);
    }
    for (const frame of this.#queue.expired(now)) {
      this.counters.failed++;
      this.#deps.fail(
        frame,
        'no-worker',
        `frame ${frame.id} waited until its deadline: ${this.#deps.obstacle(frame)}`,
      );
    }
    this.pump();
  }

  #forget(id: string, finished: boolean): Frame | undefined {
    const started = this.#started.get(id);
    const frame = started?.frame ?? this.#parked.get(id)?.frame;
    this.#started.delete(id);
    this.#parked.delete(id);
    if (started !== undefined) this.#deps.over(started, finished);
    return frame;
  }

  /** A frame that waits nowhere any more: one that ends at once must not be found and begun again. */
  #begin(frame: Frame, placed: Placed, parked?: Parked): void {
    const { attempt = 1, spent = 0 } = parked ?? {};
    const { after } = placed;
    if (placed.plan.digest === after?.fallback?.digest) {
      this.counters.fallback++;
      // One that has not failed under the plan does without it because that has become slow.
      const cause = parked?.after === undefined ? 'slow' : parked.cause;
      this.#causes.add(`fallback.${cause}`);
    }
    const giveUpAt = this.#giveUpAt(frame, spent);
    const startedAt = this.#deps.now();
    const heldMs = this.#heldMs;
    const started: Started = { frame, ...placed, attempt, spent, startedAt, giveUpAt, heldMs };
    this.#started.set(frame.id, started);
    this.#deps.begin(started);
  }

  #giveUpAt(frame: Frame, spent: number): number {
    const now = this.#deps.now();
    const left = Math.max(1, this.#deps.limits().attempts - spent);
    return now + Math.max(0, frame.deadlineAt - now) / left;
  }
}
