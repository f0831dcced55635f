/**
 * A steady tick that notices when this process's event loop was held up, by its own work or by a processor quota: what
 * clients sent meanwhile is not read yet, so that their silence is none of theirs.
 */

/** A tick may be this late, as a share of its period, before the loop counts as held up. */
const LENIENCE = 1;

export class LoopWatch {
  readonly #periodMs: number;
  readonly #tick: (heldMs: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #tickedAt = 0;
  #heldAt = Number.NEGATIVE_INFINITY;

  /** `tick` is called every `periodMs`, with the milliseconds that the loop was held up since the last call. */
  constructor(periodMs: number, tick: (heldMs: number) => void) {
    this.#periodMs = periodMs;
    this.#tick = tick;
  }

  start(): void {
    this.#tickedAt = performance.now();
    this.#timer = setInterval(() => this.#look(), this.#periodMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Whether it was held up in the last `ms`, or is only now coming to it again. */
  heldWithin(ms: number): boolean {
    const now = performance.now();
    return now - this.#heldAt < ms || this.#lateness(now) > 0;
  }

  #look(): void {
    const now = performance.now();
    const heldMs = this.#lateness(now);
    if (heldMs > 0) this.#heldAt = now;
    this.#tickedAt = now;
    this.#tick(heldMs);
  }

  /** 0 while the next tick is not overdue. */
  #lateness(now: number): number {
    const late = now - this.#tickedAt - this.#periodMs;
    return late > LENIENCE * this.#periodMs ? late : 0;
  }
}
