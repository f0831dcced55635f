/**
 * Cuts a client's byte stream into whole MQTT packets by their fixed headers (MQTT 3.1.1, section 2.2), each in one
 * piece of memory: the parser behind it then copies nothing, and is not woken for every chunk of a large one. A packet
 * too large is noticed at its first bytes, before memory is made for it.
 */

import { LongPacket } from './long-packet.ts';

const CONNECT = 1;
const PUBLISH = 3;
/** Type and flags, and the length of at most four bytes of seven bits [section 2.2.3]. */
const HEADER_BYTES = 5;
/** Length of a PUBLISH packet's topic [section 3.3.2]. */
const TOPIC_LENGTH_BYTES = 2;
/** Tensors begin at multiples of this in a payload, and a payload in memory. */
const ALIGNMENT = 8;
/** Longer packets are kept as the chunks they come in until they are whole: no memory is made for a mere claim. */
const CLAIM_BYTES = 4 * 2 ** 20;

export interface FramerOptions {
  /** Largest remaining length of a packet. */
  readonly maxBytes: number;
  /** The same of a stranger's CONNECT. */
  readonly maxConnectBytes: number;
  /** Makes room for a packet that comes in several chunks. */
  readonly memory: (bytes: number) => Buffer;
}

export class PacketFramer {
  readonly #options: FramerOptions;
  /** The first bytes of a packet, until it is known where it goes. */
  readonly #head = Buffer.alloc(HEADER_BYTES + TOPIC_LENGTH_BYTES);
  #headBytes = 0;
  /** Bytes of the whole packet; 0 until its length is known. */
  #total = 0;
  /** Of a packet whose place is known: its memory, or what has come of a long one. */
  #packet: Buffer | undefined;
  #long: LongPacket | undefined;
  #filled = 0;
  #packets = 0;

  constructor(options: FramerOptions) {
    this.#options = options;
  }

  /** Packets whose last byte has been seen. */
  get packets(): number {
    return this.#packets;
  }

  /** Whether a packet has begun and not ended. */
  get inside(): boolean {
    return this.#headBytes > 0;
  }

  /**
   * Takes the next bytes and hands on the packets they complete: one that came in several chunks by itself, those that
   * lie in this one as a whole together. Returns why the stream must be cut, or undefined.
   */
  feed(chunk: Buffer, take: (packets: Buffer) => void): string | undefined {
    let at = 0;
    let run = -1;
    let runEnd = 0;
    while (at < chunk.length) {
      if (this.#filled === 0) {
        const refusal = this.#headByte(chunk[at++] as number);
        if (refusal !== undefined) return refusal;
        const begin = at - this.#headBytes;
        if (this.#total === 0) continue;
        if (begin >= 0 && begin + this.#total <= chunk.length) {
          if (run < 0) run = begin;
          runEnd = begin + this.#total;
          at = runEnd;
          this.#end();
        } else if (this.#headBytes === this.#headWanted) this.#place();
      } else {
        const end = Math.min(chunk.length, at + this.#total - this.#filled);
        this.#add(chunk.subarray(at, end));
        at = end;
      }
      if (this.#filled > 0 && this.#filled === this.#total) {
        take(this.#packet ?? (this.#long as LongPacket).whole());
        this.#end();
      }
    }
    if (run >= 0) take(chunk.subarray(run, runEnd));
    return undefined;
  }

  get #isPublish(): boolean {
    return (this.#head[0] as number) >> 4 === PUBLISH;
  }

  /** Bytes that tell where a packet's payload begins; there may be fewer in a malformed one. */
  get #headWanted(): number {
    const header = this.#headerBytes;
    return this.#isPublish ? Math.min(this.#total, header + TOPIC_LENGTH_BYTES) : header;
  }

  get #headerBytes(): number {
    let bytes = 2;
    while ((this.#head[bytes - 1] as number) & 0x80) bytes++;
    return bytes;
  }

  #headByte(byte: number): string | undefined {
    this.#head[this.#headBytes++] = byte;
    if (this.#headBytes === 1) return this.#packets === 0 && byte >> 4 !== CONNECT ? 'not-mqtt' : undefined;
    if (this.#total > 0) return undefined;
    let length = 0;
    for (let i = 1; i < this.#headBytes; i++) length += ((this.#head[i] as number) & 0x7f) * 128 ** (i - 1);
    const { maxBytes, maxConnectBytes } = this.#options;
    const limit = this.#packets === 0 ? Math.min(maxBytes, maxConnectBytes) : maxBytes;
    if (length > limit) return 'message-too-large';
    if (byte & 0x80) return this.#headBytes === HEADER_BYTES ? 'malformed-length' : undefined;
    this.#total = this.#headBytes + length;
    return undefined;
  }

  #place(): void {
    if (this.#total > CLAIM_BYTES) this.#long = new LongPacket();
    else {
      const pad = this.#isPublish ? -this.#payloadAt() & (ALIGNMENT - 1) : 0;
      this.#packet = this.#options.memory(this.#total + pad).subarray(pad);
    }
    this.#add(Buffer.from(this.#head.subarray(0, this.#headBytes)));
  }

  #payloadAt(): number {
    const header = this.#headerBytes;
    const identifier = ((this.#head[0] as number) & 0x06) === 0 ? 0 : 2;
    return header + TOPIC_LENGTH_BYTES + this.#head.readUInt16BE(header) + identifier;
  }

  #add(bytes: Buffer): void {
    if (this.#packet === undefined) this.#long?.add(bytes);
    else this.#packet.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  #end(): void {
    this.#packets++;
    this.#headBytes = 0;
    this.#total = 0;
    this.#packet = undefined;
    this.#long = undefined;
    this.#filled = 0;
  }
}
