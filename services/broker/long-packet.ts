/**
 * A packet of many megabytes until it is whole: the chunks it comes in, for no memory is made for a mere claim. A small
 * chunk keeps hundreds of bytes of memory for each of its own, so that small ones are copied together.
 */

/** Smaller chunks are copied, into blocks of this size. */
const BLOCK_BYTES = 16_384;

export class LongPacket {
  readonly #chunks: Buffer[] = [];
  #block: Buffer | undefined;
  /** Bytes of the block that are in use. */
  #used = 0;

  /** Keeps `bytes` as they are where they are many. */
  add(bytes: Buffer): void {
    if (bytes.length >= BLOCK_BYTES) {
      this.#close();
      this.#chunks.push(bytes);
      return;
    }
    for (let at = 0; at < bytes.length; ) {
      this.#block ??= Buffer.allocUnsafeSlow(BLOCK_BYTES);
      const copied = bytes.copy(this.#block, this.#used, at);
      this.#used += copied;
      at += copied;
      if (this.#used === BLOCK_BYTES) this.#close();
    }
  }

  /** All of it in one piece. */
  whole(): Buffer {
    this.#close();
    return Buffer.concat(this.#chunks);
  }

  #close(): void {
    if (this.#block !== undefined) this.#chunks.push(this.#block.subarray(0, this.#used));
    this.#block = undefined;
    this.#used = 0;
  }
}
