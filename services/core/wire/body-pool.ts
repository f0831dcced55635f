/** Memory for message bodies, used again: fresh pages cost more than filling them. */

export class BodyPool {
  readonly #free: ArrayBuffer[] = [];
  readonly #maxBytes: number;
  #bytes = 0;

  /** Keeps at most `maxBytes` of unused memory. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Memory of at least `bytes`, with anything in it; at most a quarter of what is handed out goes unused. */
  take(bytes: number): ArrayBuffer {
    const index = this.#free.findIndex(
      ({ byteLength }) => byteLength >= bytes && byteLength * 3 <= bytes * 4,
    );
    const found = this.#free[index];
    if (found === undefined) return Buffer.allocUnsafeSlow(bytes).buffer;
    this.#free.splice(index, 1);
    this.#bytes -= found.byteLength;
    return found;
  }

  /** Gives memory back; the caller must hold no view of it any more. */
  give(memory: ArrayBuffer): void {
    this.#free.push(memory);
    this.#bytes += memory.byteLength;
    while (this.#bytes > this.#maxBytes) {
      this.#bytes -= (this.#free.shift() as ArrayBuffer).byteLength;
    }
  }

  /** Unused memory held, in bytes. */
  get freeBytes(): number {
    return this.#bytes;
  }
}
