/** Frames whose result is out: a replay of one gives no second result. */

/** Frames remembered. */
const MOST = 4096;

export class AnsweredFrames {
  readonly #frames = new Set<string>();

  add(frame: string): void {
    this.#frames.add(frame);
    if (this.#frames.size > MOST) this.#frames.delete(this.#frames.values().next().value as string);
  }

  has(frame: string): boolean {
    return this.#frames.has(frame);
  }
}
