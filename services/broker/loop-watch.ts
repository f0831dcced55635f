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

  #look(): void {
    const now = performance.now();
    const lateMs = now - this.#tickedAt - this.#periodMs;
    this.#tickedAt = now;
    this.#tick(lateMs > LENIENCE * this.#periodMs ? lateMs : 0);
  }
}
