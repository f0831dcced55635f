/**
 * Follows the packets in a byte stream by their fixed headers only (MQTT 3.1.1, section 2.2), so that a packet too
 * large is noticed at its first bytes, before a parser collects it.
 */

const CONNECT = 1;
/** The length field has at most four bytes of seven bits [section 2.2.3]. */
const LENGTH_BYTES = 4;

export class PacketSizer {
  readonly #limitBytes: number;
  readonly #connectLimitBytes: number;
  #type = 0;
  #length = 0;
  #lengthBytes = -1;
  #rest = 0;
  #packets = 0;

  /** Limits on the remaining length; a stranger's CONNECT gets a lower one. */
  constructor(limitBytes: number, connectLimitBytes: number) {
    this.#limitBytes = limitBytes;
    this.#connectLimitBytes = Math.min(limitBytes, connectLimitBytes);
  }

  /** Packets whose last byte has been seen. */
  get packets(): number {
    return this.#packets;
  }

  /** Whether a packet has begun and not ended. */
  get inside(): boolean {
    return this.#rest > 0 || this.#lengthBytes >= 0;
  }

  /** Takes the next bytes; returns why the stream must be cut, or undefined. */
  feed(chunk: Uint8Array): string | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#rest > 0) {
        const taken = Math.min(this.#rest, chunk.length - at);
        this.#rest -= taken;
        at += taken;
        if (this.#rest === 0) this.#packets++;
      } else {
        const refusal = this.#header(chunk[at++] as number);
        if (refusal) return refusal;
      }
    }
    return undefined;
  }

  #header(byte: number): string | undefined {
    if (this.#lengthBytes < 0) {
      this.#type = byte >> 4;
      this.#length = 0;
      this.#lengthBytes = 0;
      return this.#packets === 0 && this.#type !== CONNECT ? 'not-mqtt' : undefined;
    }
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes++;
    const limit = this.#packets === 0 ? this.#connectLimitBytes : this.#limitBytes;
    if (this.#length > limit) return 'message-too-large';
    if (byte & 0x80) return this.#lengthBytes === LENGTH_BYTES ? 'malformed-length' : undefined;
    this.#lengthBytes = -1;
    this.#rest = this.#length;
    if (this.#rest === 0) this.#packets++;
    return undefined;
  }
}
