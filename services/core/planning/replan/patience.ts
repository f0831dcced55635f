/**
 * How soon after a change of plan the next may follow. The first may come at once; each that follows another makes the
 * wait twice as long, and a calm several times the wait takes that back. So n seconds of oscillating load bring about
 * log2(n) changes, whatever their period, and a lone slow-down is answered without delay. Nor does one that saves far more
 * than the changes before it wait for them: they may have been the load's ups and downs, and it is not.
 */

/** A calm of so many waits halves the wait. */
const CALM = 8;
/** The wait is never longer, in milliseconds. */
const LONGEST_MS = 600_000;
/** A change that saves this many times what any before it did is of another kind. */
const FAR_MORE = 2;

export class Patience {
  readonly #waitMs: number;
  #level = 0;
  #at = Number.NEGATIVE_INFINITY;
  /** Largest share that a change saved since the last calm. */
  #saved = 0;

  /** `waitMs`: between the first change and the second. */
  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /**
   * Milliseconds until a change that saves this share of a frame's time is allowed; 0: now. `other`: things are of another
   * kind than at the last change, whatever it saved.
   */
  left(now: number, saves: number, other = false): number {
    const level = other || saves > FAR_MORE * this.#saved ? Math.min(1, this.#level) : this.#level;
    return Math.max(0, this.#at + this.#wait(level) - now);
  }

  /** The plan has been changed, to save this share of a frame's time; 0 where it had to be. `other`: as above. */
  changed(now: number, saves: number, other = false): void {
    let since = this.#at;
    // What the load did before says nothing of how things are now.
    if (other) this.#level = 0;
    while (this.#level > 0 && now - since >= CALM * this.#wait(this.#level)) {
      since += CALM * this.#wait(this.#level);
      this.#level--;
    }
    this.#saved = Math.max(this.#level === 0 ? 0 : this.#saved, saves);
    this.#level++;
    this.#at = now;
  }

  /** Also after the very first: its effect must be seen before the next. */
  #wait(level: number): number {
    return level === 0 ? 0 : Math.min(LONGEST_MS, this.#waitMs * 2 ** (level - 1));
  }
}
