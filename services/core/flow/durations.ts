/** How long tasks of one sort have taken lately, and what follows for the deadline of the next. */

import { quantile } from '../runtime/quantile.ts';

/** Stamps of a worker, in milliseconds of its own monotonic clock. */
export interface Stamps {
  readonly receivedMs?: number | undefined;
  readonly startedMs?: number | undefined;
  readonly endedMs?: number | undefined;
}

/** Milliseconds a task waited at its worker for others; 0 where the worker does not say. */
export function queuedMs({ receivedMs, startedMs }: Stamps): number {
  return receivedMs === undefined || startedMs === undefined ? 0 : Math.max(0, startedMs - receivedMs);
}

/** Clocks of two machines run apart by less than this share, and stamps are rounded. */
const DRIFT = 1e-3;
const ROUNDED_MS = 1;

/**
 * Milliseconds from sending a task to its answer, which came at `now`. Of several sendings to one worker it is taken to
 * answer the last after which it can have had the task for as long as it says; undefined where there is none such: it
 * answers an earlier task of the same name.
 */
export function answeredAfterMs(
  sendings: readonly number[],
  now: number,
  { receivedMs = 0, endedMs = receivedMs }: Stamps,
): number | undefined {
  const had = (endedMs - receivedMs) * (1 - DRIFT) - ROUNDED_MS;
  const sent = sendings.findLast((at) => now - at >= had);
  return sent === undefined ? undefined : now - sent;
}

export interface DurationSummary {
  readonly count: number;
  /** Medians of the last ones, in milliseconds: sent to done, and within that the sub-model itself. */
  readonly totalMs: number;
  readonly computeMs: number;
}

interface Recent {
  count: number;
  readonly totals: number[];
  readonly computes: number[];
}

/** Durations remembered per sort. */
const WINDOW = 64;
/** Sorts remembered; the one unused for longest is forgotten. */
const SORTS = 1024;
/** A deadline that rests on the 95th percentile times three; a shorter one would re-issue what is merely slow. */
const SHORTEST_MS = 500;
const SLACK = 3;

export class Durations {
  readonly #firstDeadlineMs: number;
  readonly #recent = new Map<string, Recent>();

  /** `firstDeadlineMs` is allowed where nothing is known yet: a session may still be loading. */
  constructor(firstDeadlineMs: number) {
    this.#firstDeadlineMs = firstDeadlineMs;
  }

  record(sort: string, totalMs: number, { startedMs, endedMs }: Stamps = {}): void {
    const recent = this.#recent.get(sort) ?? { count: 0, totals: [], computes: [] };
    this.#recent.delete(sort);
    this.#recent.set(sort, recent);
    const slot = recent.count++ % WINDOW;
    recent.totals[slot] = totalMs;
    recent.computes[slot] =
      startedMs === undefined || endedMs === undefined ? 0 : Math.max(0, endedMs - startedMs);
    if (this.#recent.size > SORTS) this.#recent.delete(this.#recent.keys().next().value as string);
  }

  /** Milliseconds a task of this sort may take, where its worker is expected to need `expectedMs`: slow ones are rare among the last. */
  deadlineMs(sort: string, expectedMs = 0): number {
    const recent = this.#recent.get(sort);
    if (recent === undefined) return this.#firstDeadlineMs;
    return Math.max(SHORTEST_MS, SLACK * Math.max(expectedMs, quantile(recent.totals, 0.95)));
  }

  summary(): Record<string, DurationSummary> {
    const rows = [...this.#recent].map(([sort, { count, totals, computes }]) => {
      return [sort, { count, totalMs: quantile(totals, 0.5), computeMs: quantile(computes, 0.5) }] as const;
    });
    return Object.fromEntries(rows);
  }
}
