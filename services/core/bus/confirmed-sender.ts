/** QoS 1 publishing with a bounded window: a version 5 broker ends a connection that exceeds its Receive Maximum. */

import { TilepipeError } from '../runtime/errors.ts';

interface Pending {
  readonly bytes: number;
  readonly send: (done: (error?: Error | null) => void) => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class ConfirmedSender {
  readonly #limitBytes: number;
  readonly #waiting: Pending[] = [];
  readonly #inFlight = new Set<Pending>();
  #pendingBytes = 0;
  #idle: (() => void)[] = [];
  /** Messages on the wire without an acknowledgement, at most. */
  window: number;

  /** `limitBytes`: what may wait while the connection is away, before publishing is refused. */
  constructor(window: number, limitBytes: number) {
    this.window = window;
    this.#limitBytes = limitBytes;
  }

  /** Resolves when `send` reports the acknowledgement. While `away`, only `limitBytes` are kept for later. */
  publish(bytes: number, away: boolean, send: Pending['send']): Promise<void> {
    if (away && this.#pendingBytes + bytes > this.#limitBytes) {
      return Promise.reject(
        new TilepipeError(
          'broker-unreachable',
          `the connection is away and ${this.#pendingBytes} bytes already wait for it`,
        ),
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes, send, resolve, reject });
      this.#pendingBytes += bytes;
      this.#advance();
    });
  }

  /** Resolves when nothing waits for an acknowledgement. */
  idle(): Promise<void> {
    if (this.#pendingBytes === 0 && this.#inFlight.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Everything unacknowledged is told `error`. */
  abort(error: Error): void {
    for (const pending of [...this.#inFlight, ...this.#waiting.splice(0)]) pending.reject(error);
    this.#inFlight.clear();
    this.#pendingBytes = 0;
  }

  #advance(): void {
    while (this.#waiting.length > 0 && this.#inFlight.size < this.window) {
      const pending = this.#waiting.shift() as Pending;
      this.#inFlight.add(pending);
      pending.send((error) => this.#settle(pending, error));
    }
  }

  #settle(pending: Pending, error: Error | null | undefined): void {
    if (!this.#inFlight.delete(pending)) return;
    this.#pendingBytes -= pending.bytes;
    if (error) pending.reject(error);
    else pending.resolve();
    this.#advance();
    if (this.#inFlight.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}
