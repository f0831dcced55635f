/** One client's socket as the broker sees it: sizes checked before parsing, bytes counted, frozen peers noticed. */

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { PacketSizer } from './packet-sizer.ts';

export interface GuardLimits {
  /** Largest remaining length of a packet. */
  readonly maxPacketBytes: number;
  /** Bytes that may wait for one client before its publishers wait. */
  readonly clientBufferBytes: number;
  /** A client that takes no byte for so long while bytes wait for it is cut off. */
  readonly stallMs: number;
}

export interface GuardCounters {
  bytesIn: number;
  bytesOut: number;
}

/** A will or a long password fits; nothing else belongs in a stranger's first packet. */
const CONNECT_BYTES = 64 * 1024;

export class GuardedConnection extends Duplex {
  readonly #socket: Socket;
  readonly #sizer: PacketSizer;
  readonly #counters: GuardCounters;
  readonly #onReject: (reason: string) => void;
  #packetSince = 0;

  constructor(
    socket: Socket,
    limits: GuardLimits,
    counters: GuardCounters,
    onReject: (reason: string) => void,
  ) {
    // With a buffer of a few tiles the broker goes on to the next client instead of waiting for a slow link.
    super({ allowHalfOpen: false, writableHighWaterMark: limits.clientBufferBytes });
    this.#socket = socket;
    this.#sizer = new PacketSizer(limits.maxPacketBytes, CONNECT_BYTES);
    this.#counters = counters;
    this.#onReject = onReject;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
    // Node fires this only when neither a read nor a partial write made progress.
    socket.setTimeout(limits.stallMs, () => {
      if (this.writableLength > 0) this.reject('stalled');
    });
    socket.pause();
  }

  /** When the packet now arriving began, on the monotonic clock; 0 between packets and while reading is held. */
  get packetSince(): number {
    return this.#packetSince;
  }

  /** Closes the connection and says why, once. */
  reject(reason: string): void {
    if (this.destroyed) return;
    this.#onReject(reason);
    this.destroy();
  }

  override _read(): void {
    if (this.#socket.isPaused() && this.#sizer.inside) this.#packetSince = performance.now();
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#counters.bytesOut += chunk.length;
    this.#socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#socket.cork();
    chunks.forEach(({ chunk }, i) => {
      this.#counters.bytesOut += chunk.length;
      this.#socket.write(chunk, i === chunks.length - 1 ? done : undefined);
    });
    this.#socket.uncork();
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #take(chunk: Buffer): void {
    this.#counters.bytesIn += chunk.length;
    const before = this.#sizer.packets;
    const refusal = this.#sizer.feed(chunk);
    if (refusal) {
      this.reject(refusal);
      return;
    }
    if (!this.#sizer.inside) this.#packetSince = 0;
    else if (this.#packetSince === 0 || this.#sizer.packets > before) this.#packetSince = performance.now();
    if (this.push(chunk)) return;
    this.#packetSince = 0;
    this.#socket.pause();
  }
}
