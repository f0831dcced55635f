/** The way to the own broker of one other worker: its address, one connection, and when it is tried again. */

import { BackOff } from '../core/bus/back-off.ts';
import type { Bus, Incoming } from '../core/bus/bus.ts';
import type { Counters } from '../core/runtime/counters.ts';
import { asTilepipeError } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import { parseStatus } from '../core/runtime/status.ts';
import type { Status } from '../core/schema/generated/status.ts';

export type Endpoint = NonNullable<Status['endpoint']>;

export interface NeighbourDeps {
  readonly id: string;
  readonly statusTopic: string;
  /** Where its status is heard. */
  readonly control: Bus;
  /** A bus that is not started yet; whether it may be opened is said by `room`. */
  readonly connect: (endpoint: Endpoint) => Bus;
  readonly room: () => boolean;
  readonly counters: Counters;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** After a connection that failed or lost something, in milliseconds. */
const RETRY = { firstMs: 500, capMs: 10_000 };
/** The same for an address where nobody has answered yet: it may be none that is reached from here. */
const RETRY_UNANSWERED = { firstMs: 500, capMs: 300_000 };
/** Bytes that may wait in a connection: with 4 MB publishing on it would wait, and with it all else there is to send. */
const MOST_WAITING_BYTES = 2 * 2 ** 20;
/** A connection that has served for so long has left its failures behind. */
const SETTLED_MS = 30_000;

export class Neighbour {
  readonly #deps: NeighbourDeps;
  #backOff = new BackOff(RETRY_UNANSWERED);
  #answered = false;
  #endpoint: Endpoint | undefined;
  #bus: Bus | undefined;
  #openedAt = 0;
  #retryAt = 0;
  #usedAt: number;
  #stopped = false;
  #undo: Promise<() => Promise<void>> | undefined;

  constructor(deps: NeighbourDeps) {
    this.#deps = deps;
    this.#usedAt = deps.now();
  }

  /** When something was last to be sent. */
  get usedAt(): number {
    return this.#usedAt;
  }

  /** Whether there is a connection, or one is being made. */
  get open(): boolean {
    return this.#bus !== undefined;
  }

  /** Hears the address; the connection is made as soon as it is known. */
  start(): void {
    const { control, statusTopic, log } = this.#deps;
    this.#undo = control.subscribe(statusTopic, (message) => this.#heard(message), { qos: 1 });
    // Nothing is lost by it: what is for this worker goes through the hub.
    this.#undo.catch((error) => log.warn({ topic: statusTopic }, String(error)));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const undo = await this.#undo?.catch(() => undefined);
    await Promise.all([undo?.(), this.#close()]);
  }

  /**
   * Its broker, where it is connected now and takes what it is sent: one that is frozen must not hold its neighbours up.
   * If not it will be tried, and this message has to take another way.
   */
  bus(): Bus | undefined {
    this.#usedAt = this.#deps.now();
    if (!this.#bus?.connected) {
      this.#tryNow();
      return undefined;
    }
    if (this.#usedAt - this.#openedAt > SETTLED_MS) this.#backOff.reset();
    const { publishedBytes, leftBytes } = this.#bus.counters();
    return publishedBytes - leftBytes > MOST_WAITING_BYTES ? undefined : this.#bus;
  }

  /** What went this way has not arrived: a connection may be dead for minutes before anybody is told. */
  async doubt(): Promise<void> {
    if (this.#bus?.connected !== true) return;
    this.#deps.counters.add('direct.doubted');
    this.#retryLater();
    await this.#close();
  }

  #heard({ payload }: Incoming): void {
    const status = parseStatus(payload);
    const here = status?.id === this.#deps.id && status.state !== 'offline';
    // The schema takes ports that no address has.
    const endpoint = here && URL.canParse(status.endpoint?.url ?? '') ? status.endpoint : undefined;
    if (endpoint?.url === this.#endpoint?.url && endpoint?.key === this.#endpoint?.key) return;
    this.#endpoint = endpoint;
    this.#backOff = new BackOff(RETRY_UNANSWERED);
    this.#answered = false;
    this.#retryAt = 0;
    void this.#close();
    this.#tryNow();
  }

  #tryNow(): void {
    const { now, room, connect, counters, log, id } = this.#deps;
    const endpoint = this.#endpoint;
    if (this.#stopped || endpoint === undefined || this.#bus !== undefined) return;
    if (now() < this.#retryAt || !room()) return;
    const bus = connect(endpoint);
    this.#bus = bus;
    this.#openedAt = now();
    bus.start().then(
      () => {
        counters.add('direct.opened');
        if (this.#answered || this.#bus !== bus) return;
        this.#answered = true;
        this.#backOff = new BackOff(RETRY);
      },
      (error) => {
        // Closed meanwhile: then somebody else has said when it is tried again.
        if (this.#bus !== bus) return;
        this.#bus = undefined;
        this.#retryLater();
        counters.add('direct.failed');
        log.warn({ worker: id, url: endpoint.url }, `no direct link: ${asTilepipeError(error).message}`);
      },
    );
  }

  #retryLater(): void {
    this.#retryAt = this.#deps.now() + this.#backOff.next();
  }

  async #close(): Promise<void> {
    const bus = this.#bus;
    this.#bus = undefined;
    await bus?.stop();
  }
}
