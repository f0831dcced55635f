/** Back-pressure for QoS 0: MQTT.js buffers without limit, so publishing waits for the socket instead. */

interface Writable {
  readonly writableLength: number;
  on(event: 'drain', listener: () => void): unknown;
  off(event: 'drain', listener: () => void): unknown;
}

interface Waiting {
  readonly write: () => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Lets writes through in order while fewer than `limitBytes` wait in the stream's own buffer. */
export class SendGate {
  readonly #limitBytes: number;
  readonly #waiting: Waiting[] = [];
  #stream: Writable | undefined;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  open(stream: Writable): void {
    this.#stream?.off('drain', this.#release);
    this.#stream = stream;
    stream.on('drain', this.#release);
  }

  /** The connection is gone: whoever waits is told `error`. Returns how many were. */
  close(error: Error): number {
    this.#stream?.off('drain', this.#release);
    this.#stream = undefined;
    const refused = this.#waiting.splice(0);
    for (const waiting of refused) waiting.reject(error);
    return refused.length;
  }

  /** Writes now or as soon as the stream has room; `write` runs synchronously, once. */
  send(write: () => void): Promise<void> {
    if (this.#waiting.length === 0 && this.#hasRoom()) {
      write();
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => this.#waiting.push({ write, resolve, reject }));
  }

  #hasRoom(): boolean {
    return this.#stream !== undefined && this.#stream.writableLength < this.#limitBytes;
  }

  readonly #release = (): void => {
    while (this.#waiting.length > 0 && this.#hasRoom()) {
      const next = this.#waiting.shift() as Waiting;
      next.write();
      next.resolve();
    }
  };
}
