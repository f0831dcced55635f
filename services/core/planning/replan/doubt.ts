/**
 * Whether a slowed processor is fast again, told by tasks so short that they may be over before it is slowed: under a quota
 * of processor time what ends within one period runs as if there were none. Where most of them have seemed fast for long
 * enough, they are what is.
 */

/** Age at which a task counts half. */
const HALF_LIFE_MS = 8_000;
/** Share of the short tasks that must seem fast: single slow ones are any machine's hiccups. */
const MOSTLY = 3 / 4;

export class Doubt {
  /** Tasks that seemed fast, and all; the older the less, as of `at`. */
  #fast = 0;
  #all = 0;
  #at = 0;
  /** Since when most seem fast. */
  #since: number | undefined;

  /** One more short task, and whether it seemed faster than the processor was. Returns for how long most have. */
  add(fast: boolean, now: number): number {
    const left = 2 ** (-Math.max(0, now - this.#at) / HALF_LIFE_MS);
    this.#fast = this.#fast * left + (fast ? 1 : 0);
    this.#all = this.#all * left + 1;
    this.#at = now;
    this.#since = this.#fast >= MOSTLY * this.#all ? (this.#since ?? now) : undefined;
    return this.#since === undefined ? 0 : now - this.#since;
  }

  /** A task has told more than short ones can. */
  clear(): void {
    this.#fast = 0;
    this.#all = 0;
    this.#since = undefined;
  }
}
