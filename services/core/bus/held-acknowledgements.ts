/**
 * Acknowledgements given by hand. MQTT.js hands over one message at a time and would wait for a slow one, so its own
 * PUBACK is suppressed and sent here instead, in order of arrival [MQTT-4.6.0-2].
 */

interface Held {
  readonly messageId: number;
  done: boolean;
}

export class HeldAcknowledgements {
  readonly #write: (packet: Buffer) => void;
  #held: Held[] = [];

  constructor(write: (packet: Buffer) => void) {
    this.#write = write;
  }

  /** Holds one message back; the function returned releases it, and does nothing on a later connection. */
  hold(messageId: number): () => void {
    const entry: Held = { messageId, done: false };
    this.#held.push(entry);
    return () => {
      entry.done = true;
      while (this.#held[0]?.done) this.#write(puback((this.#held.shift() as Held).messageId));
    };
  }

  /** A new connection: packet identifiers of the last one mean nothing here [MQTT-4.4.0-1]. */
  reset(): void {
    this.#held = [];
  }
}

/** PUBACK (MQTT 3.1.1, section 3.4); with no reason code it is the same packet in version 5 and means success. */
function puback(messageId: number): Buffer {
  return Buffer.from([0x40, 2, messageId >> 8, messageId & 0xff]);
}
