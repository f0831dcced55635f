/** How long each worker takes for a task of a sort, from its own last ones: what decides who would have it done first. */

/** Last tasks of which the shortest counts: the first runs of a sub-model, and any hiccup, take longer than the worker. */
const KEPT = 3;
/** Fewer than these say nothing. */
const ENOUGH = 2;
/** Sorts remembered; the one unused for longest is forgotten. */
const SORTS = 1024;
/**
 * A worker without tasks of the sort for this long is taken for faster than it was: what it was slower than the fastest
 * halves every so often, until it is tried again.
 */
const TRIAL_MS = 30_000;

interface Pace {
  readonly last: number[];
  count: number;
  shortestMs: number;
  at: number;
}

interface SortPaces {
  readonly workers: Map<string, Pace>;
  fastestMs: number;
}

export class Paces {
  readonly #sorts = new Map<string, SortPaces>();

  /** A worker took so many milliseconds for a task, without the time it waited there for others; what cannot be says nothing. */
  record(worker: string, sort: string, ms: number, now: number): void {
    if (!(ms > 0 && ms < Number.POSITIVE_INFINITY)) return;
    const paces = this.#sorts.get(sort) ?? { workers: new Map<string, Pace>(), fastestMs: Number.NaN };
    this.#sorts.delete(sort);
    this.#sorts.set(sort, paces);
    if (this.#sorts.size > SORTS) this.#sorts.delete(this.#sorts.keys().next().value as string);
    let pace = paces.workers.get(worker);
    if (pace === undefined) {
      pace = { last: [], count: 0, shortestMs: ms, at: now };
      paces.workers.set(worker, pace);
    }
    pace.last[pace.count++ % KEPT] = ms;
    pace.shortestMs = Math.min(...pace.last);
    pace.at = now;
    paces.fastestMs = fastest(paces.workers.values());
  }

  /** Milliseconds a task of the sort should take on a worker; one not known well is as fast as the fastest. Undefined: nobody is known. */
  expectedMs(worker: string, sort: string, now: number): number | undefined {
    const paces = this.#sorts.get(sort);
    if (paces === undefined || Number.isNaN(paces.fastestMs)) return undefined;
    const pace = paces.workers.get(worker);
    if (pace === undefined || pace.count < ENOUGH) return paces.fastestMs;
    const unused = now - pace.at - TRIAL_MS;
    if (unused <= 0) return pace.shortestMs;
    return paces.fastestMs + (pace.shortestMs - paces.fastestMs) * 2 ** (-unused / TRIAL_MS);
  }

  /** It may come back as another machine. */
  forget(worker: string): void {
    for (const paces of this.#sorts.values()) {
      if (paces.workers.delete(worker)) paces.fastestMs = fastest(paces.workers.values());
    }
  }
}

/** NaN where nobody is known well. */
function fastest(paces: Iterable<Pace>): number {
  let least = Number.NaN;
  for (const { count, shortestMs } of paces)
    if (count >= ENOUGH && !(shortestMs >= least)) least = shortestMs;
  return least;
}
