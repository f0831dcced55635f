/** One client's socket as the broker sees it: whole packets of checked sizes in, bytes counted, frozen peers noticed. */

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { PacketFramer } from './packet-framer.ts';
import type { PayloadMemory } from './payload-memory.ts';

export interface GuardLimits {
  /** Largest remaining length of a packet. */
  readonly maxPacketBytes: number;
  /** Bytes that may wait for one client before its publishers wait. */
  readonly clientBufferBytes: number;
  /** A client that takes no byte for so long while bytes wait for it is cut off, and one whose packet does not end. */
  readonly stallMs: number;
  readonly packetTimeoutMs: number;
}

export interface GuardCounters {
  bytesIn: number;
  bytesOut: number;
}

/** A will or a long password fits; nothing else belongs in a stranger's first packet. */
const CONNECT_BYTES = 64 * 1024;

/** What the broker makes a connection of. */
export interface GuardDeps {
  readonly limits: GuardLimits;
  readonly counters: GuardCounters;
  /** For packets that come in several chunks. */
  readonly memory: PayloadMemory;
  readonly onReject: (reason: string) => void;
}

/** Whoever reads gets whole packets, and the memory of a large one as it is: a stream would join it to what follows. */
export class GuardedConnection extends Duplex {
  readonly #socket: Socket;
  readonly #framer: PacketFramer;
  readonly #memory: PayloadMemory;
  readonly #counters: GuardCounters;
  readonly #onReject: (reason: string) => void;
  /** Packets to be read after those that the stream has; null: the end. */
  readonly #next: (Buffer | null)[] = [];
  /** Whether the stream has asked for packets since it last got some. */
  #asked = false;
  #serving = false;
  readonly #limits: GuardLimits;
  /** When the packet now arriving began, on the monotonic clock; 0 between packets and while reading is held. */
  #packetSince = 0;
  #heardAt = performance.now();
  #keepAliveMs = 0;
  /** For how long no byte that waits was taken, less the time in which none could be; and the bytes until then. */
  #stalledMs = 0;
  #moved = 0;

  constructor(socket: Socket, { limits, counters, memory, onReject }: GuardDeps) {
    super({
      allowHalfOpen: false,
      // With a buffer of a few tiles the broker goes on to the next client instead of waiting for a slow link.
      writableHighWaterMark: limits.clientBufferBytes,
    });
    this.#socket = socket;
    this.#limits = limits;
    this.#memory = memory;
    this.#framer = new PacketFramer({
      maxBytes: limits.maxPacketBytes,
      maxConnectBytes: CONNECT_BYTES,
      memory: (bytes) => memory.take(bytes),
    });
    this.#counters = counters;
    this.#onReject = onReject;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.#hand(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
    // Node fires this only when neither a read nor a partial write made progress.
    // Given to `setTimeout` it would be heard once, and of a quiet client that once is no stall.
    socket.setTimeout(limits.stallMs);
    socket.on('timeout', () => {
      this.#forgetStall();
      if (this.writableLength === 0) return;
      this.#stalledMs += limits.stallMs;
      socket.setTimeout(limits.stallMs);
    });
    socket.pause();
  }

  /** It has said that it will not be silent for longer, in milliseconds; 0: it may be for ever. */
  promised(keepAliveMs: number): void {
    this.#keepAliveMs = keepAliveMs;
  }

  /**
   * Why it must be cut off now, if it must: to be asked now and then, with the milliseconds in which nothing could be read
   * or written here since it was last asked. They are not the client's.
   */
  overdue(heldMs: number): string | undefined {
    if (heldMs > 0) this.#excuse(heldMs);
    const now = performance.now();
    if (this.#packetSince > 0 && now - this.#packetSince > this.#limits.packetTimeoutMs) return 'slow-packet';
    // While nothing is read here, a client cannot be silent.
    const silentMs = this.#socket.isPaused() ? 0 : now - this.#heardAt;
    if (this.#keepAliveMs > 0 && silentMs > this.#keepAliveMs) return 'silent';
    return this.#stalledMs >= this.#limits.stallMs ? 'stalled' : undefined;
  }

  #excuse(heldMs: number): void {
    this.#heardAt += heldMs;
    if (this.#packetSince > 0) this.#packetSince += heldMs;
    this.#forgetStall();
    if (this.writableLength > 0) this.#stalledMs -= heldMs;
  }

  /** Where bytes were taken, or came, since it was last looked at: a part of what is being written does not show. */
  #forgetStall(): void {
    const { bytesRead, bytesWritten, writableLength } = this.#socket;
    const moved = bytesRead + bytesWritten - writableLength;
    if (moved !== this.#moved) this.#stalledMs = 0;
    this.#moved = moved;
  }

  /** Closes the connection and says why, once. */
  reject(reason: string): void {
    if (this.destroyed) return;
    this.#onReject(reason);
    this.destroy();
  }

  override _read(): void {
    this.#asked = true;
    if (this.#next.length > 0) this.#serve();
    else {
      if (this.#socket.isPaused()) {
        this.#heardAt = performance.now();
        if (this.#framer.inside) this.#packetSince = this.#heardAt;
      }
      this.#socket.resume();
    }
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

  /** What is written waits in buffers of the stream and the socket. */
  override write(chunk: Buffer | string, ...rest: unknown[]): boolean {
    if (typeof chunk !== 'string') this.#memory.keep(chunk);
    return super.write(chunk, ...(rest as [BufferEncoding]));
  }

  /** Whether there is room for more. */
  #hand(packets: Buffer | null): boolean {
    if (this.#next.length === 0 && this.readableLength === 0) {
      this.#asked = false;
      return this.push(packets);
    }
    this.#next.push(packets);
    this.#serve();
    return false;
  }

  /** Not at once: whoever reads may do so for a packet it is still in the middle of parsing. */
  #serve(): void {
    if (!this.#asked || this.#serving) return;
    this.#serving = true;
    process.nextTick(() => {
      this.#serving = false;
      this.#asked = false;
      this.push(this.#next.shift() ?? null);
    });
  }

  #take(chunk: Buffer): void {
    this.#counters.bytesIn += chunk.length;
    this.#heardAt = performance.now();
    const before = this.#framer.packets;
    let room = true;
    const refusal = this.#framer.feed(chunk, (packets) => {
      room = this.#hand(packets);
    });
    if (refusal) {
      this.reject(refusal);
      return;
    }
    if (!this.#framer.inside) this.#packetSince = 0;
    else if (this.#packetSince === 0 || this.#framer.packets > before) this.#packetSince = performance.now();
    if (room) return;
    this.#packetSince = 0;
    this.#socket.pause();
  }
}
