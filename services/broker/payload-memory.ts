/**
 * Memory for large packets, used again as soon as nobody can read them any more: fresh memory is the collector's work,
 * and on a slow hub that took a quarter of the processor.
 */

import { BodyPool } from '../core/wire/body-pool.ts';

/** Smaller packets are not worth it. */
const LEAST_BYTES = 32 * 1024;
/** Unused memory kept. */
const POOL_BYTES = 16 * 2 ** 20;

export class PayloadMemory {
  readonly #pool = new BodyPool(POOL_BYTES);
  /** Memory handed out that may come back. */
  readonly #lent = new WeakSet<ArrayBufferLike>();

  take(bytes: number): Buffer {
    if (bytes < LEAST_BYTES) return Buffer.allocUnsafe(bytes);
    const memory = this.#pool.take(bytes);
    this.#lent.add(memory);
    return Buffer.from(memory, 0, bytes);
  }

  /** Somebody goes on reading it: it is the collector's from now on. */
  keep({ buffer }: Uint8Array): void {
    this.#lent.delete(buffer);
  }

  /** Everybody has had it; it is used again unless somebody keeps it. */
  done({ buffer }: Uint8Array): void {
    if (this.#lent.delete(buffer)) this.#pool.give(buffer as ArrayBuffer);
  }
}
