/** Delays between attempts to reconnect: doubling, capped, and spread so that a returning broker is not stormed. */

export interface BackOffOptions {
  readonly firstMs?: number;
  readonly capMs?: number;
  /** A number in [0, 1); replaced in tests. */
  readonly random?: () => number;
}

export class BackOff {
  readonly #firstMs: number;
  readonly #capMs: number;
  readonly #random: () => number;
  #attempts = 0;

  constructor({ firstMs = 100, capMs = 5_000, random = Math.random }: BackOffOptions = {}) {
    this.#firstMs = firstMs;
    this.#capMs = capMs;
    this.#random = random;
  }

  /** The next delay in milliseconds: between half and all of `first * 2^attempts`, at most the cap. */
  next(): number {
    const full = Math.min(this.#capMs, this.#firstMs * 2 ** this.#attempts++);
    return Math.max(1, Math.round(full * (0.5 + this.#random() / 2)));
  }

  reset(): void {
    this.#attempts = 0;
  }
}
