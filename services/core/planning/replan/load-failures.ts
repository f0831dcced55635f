/** Plans that workers could not load: which are not tried again for now, and whom to plan without. */

interface Failure {
  /** Those that could not load it and have been there ever since. */
  readonly workers: Set<string>;
  readonly waitMs: number;
  readonly until: number;
  /** Whether plans are made without them meanwhile. */
  leftOut: boolean;
}

/** Longer than workers keep a plan that was taken back: what they say of it later is of another attempt. */
const FIRST_MS = 60_000;
const LONGEST_MS = 1_800_000;
/** Plans remembered; the one that failed longest ago is forgotten. */
const MOST = 64;

/** Times are monotonic milliseconds. */
export class LoadFailures {
  readonly #plans = new Map<string, Failure>();

  /** Workers could not load a plan; where that happens again after the wait, the next one is twice as long. */
  failed(digest: string, workers: Iterable<string>, now: number): void {
    const before = this.#plans.get(digest);
    this.#plans.delete(digest);
    if (before !== undefined && now < before.until) {
      for (const id of workers) before.workers.add(id);
      this.#plans.set(digest, before);
      return;
    }
    const waitMs = before === undefined ? FIRST_MS : Math.min(LONGEST_MS, 2 * before.waitMs);
    this.#plans.set(digest, { workers: new Set(workers), waitMs, until: now + waitMs, leftOut: false });
    if (this.#plans.size > MOST) this.#plans.delete(this.#plans.keys().next().value as string);
  }

  /** There is no other plan for all of them: those that could not load this one are left out of plans until its wait is over. */
  leaveOut(digest: string): void {
    const failure = this.#plans.get(digest);
    if (failure !== undefined) failure.leftOut = true;
  }

  /** These are online; whoever is not may come back as another machine. */
  online(ids: ReadonlySet<string>): void {
    for (const { workers } of this.#plans.values())
      for (const id of workers) if (!ids.has(id)) workers.delete(id);
  }

  /** It could load the plan after all. */
  loaded(digest: string, worker: string): void {
    this.#plans.get(digest)?.workers.delete(worker);
  }

  /** Whether somebody takes part who could not load the plan, and its wait is not over. */
  refuses(digest: string, now: number): boolean {
    const failure = this.#plans.get(digest);
    if (failure === undefined || failure.leftOut) return false;
    return failure.workers.size > 0 && now < failure.until;
  }

  /** Workers to plan without. */
  leftOut(now: number): ReadonlySet<string> {
    const failures = [...this.#plans.values()].filter(({ leftOut, until }) => leftOut && now < until);
    return new Set(failures.flatMap(({ workers }) => [...workers]));
  }
}
