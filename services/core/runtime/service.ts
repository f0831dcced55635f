/** The life every role shares: starting, online, draining, offline, told on the bus as a retained status. */

import type { Will } from '../bus/bus.ts';
import type { Channels } from '../bus/connections.ts';
import { type Role, Topics } from '../bus/topics.ts';
import type { Status } from '../schema/generated/status.ts';
import { HealthServer } from './health.ts';
import type { Log } from './log.ts';
import { parseStatus } from './status.ts';
import { VERSION } from './version.ts';
import { within } from './within.ts';

/** What a role adds to the shared life. Channels are connected before `start` and after `stop`. */
export interface Part {
  /** Subscribes and begins to work. */
  start(service: Service): Promise<void>;
  /** Takes nothing new; resolves when what is in flight has ended. The service stops waiting after `drainMs`. */
  drain(): Promise<void>;
  /** Undoes `start`; also called where that failed or never ran. */
  stop(): Promise<void>;
  /** Whether work would be served now. */
  ready(): boolean;
  /** The role's own fields of its status; asked whenever the status is said. */
  details?(): Partial<Status>;
}

export interface ServiceOptions {
  readonly role: Role;
  readonly id: string;
  readonly part: Part;
  /** Makes the channels; `will` is for the control connection. */
  readonly connect: (will: Will) => Channels;
  readonly log: Log;
  /** First level of the topics; must be that of the channels. */
  readonly root?: string | undefined;
  /** Wire versions it speaks. */
  readonly wire?: readonly number[] | undefined;
  /** Whether the role has an inbox; its topic is then part of the status. */
  readonly inbox?: boolean | undefined;
  /** HTTP health endpoint; port 0 or none: off. */
  readonly health?: { readonly port?: number | undefined; readonly host?: string | undefined } | undefined;
  /** How long `stop` waits for work in flight, in milliseconds. */
  readonly drainMs?: number | undefined;
  /** How often an unchanged status is said again with fresh numbers, in milliseconds. */
  readonly refreshMs?: number | undefined;
}

const DRAIN_MS = 10_000;
const REFRESH_MS = 30_000;
/** How long a status may take at the end: the broker may be gone. */
const FAREWELL_MS = 2_000;

export class Service {
  readonly role: Role;
  readonly id: string;
  readonly topics: Topics;
  readonly channels: Channels;
  readonly log: Log;
  readonly #options: ServiceOptions;
  readonly #statusTopic: string;
  #state: Status['state'] = 'offline';
  #reason: string | undefined;
  #health: HealthServer | undefined;
  #refresh: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #stopping: Promise<void> | undefined;
  #unhear: (() => Promise<void>) | undefined;
  #said: Promise<void> = Promise.resolve();

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.role = options.role;
    this.id = options.id;
    this.log = options.log;
    this.topics = new Topics(options.root);
    this.#statusTopic = this.topics.build('status', { role: options.role, id: options.id });
    this.channels = options.connect({
      topic: this.#statusTopic,
      payload: encode({ ...this.#identity(), state: 'offline', reason: 'connection lost' }),
    });
    this.channels.control.onUp(() => void this.say());
  }

  get state(): Status['state'] {
    return this.#state;
  }

  /** Topic of the service's inbox. */
  get inbox(): string {
    return this.topics.build('inbox', { role: this.role, id: this.id });
  }

  get ready(): boolean {
    return this.#state === 'online' && this.channels.connected && this.#options.part.ready();
  }

  /** The status document as it would be said now (status.schema.json). */
  status(): Status {
    return {
      ...this.#identity(),
      rssBytes: process.memoryUsage.rss(),
      uptimeSeconds: Math.round((performance.now() - this.#startedAt) / 100) / 10,
      ...this.#options.part.details?.(),
      state: this.#state,
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
    };
  }

  /** Connects, starts the role and goes online. Rejects with the first thing that failed, everything undone. */
  async start(): Promise<void> {
    this.#startedAt = performance.now();
    this.#stopping = undefined;
    this.#state = 'starting';
    const { health, part, refreshMs = REFRESH_MS } = this.#options;
    try {
      if (health?.port) await this.#startHealth(health.port, health.host);
      await this.channels.start();
      this.#unhear = await this.channels.control.subscribe(this.#statusTopic, ({ payload }) =>
        this.#hear(payload),
      );
      await part.start(this);
    } catch (error) {
      await this.#end(error instanceof Error ? error.message : String(error));
      throw error;
    }
    this.#state = 'online';
    await this.say();
    this.#refresh = setInterval(() => void this.say(), refreshMs);
    this.#refresh.unref();
    this.log.info({ role: this.role, id: this.id }, 'online');
  }

  /**
   * Publishes the status now, retained: call it when something in `details` has changed. Statuses leave in
   * order. Never rejects: a status lost with the connection is said again when it is back.
   */
  say(): Promise<void> {
    if (this.#state === 'offline') return this.#said;
    this.#said = this.#said.then(() => this.#publishStatus());
    return this.#said;
  }

  /** Drains, says goodbye and disconnects; a second call waits for the first. */
  stop(reason = 'stopped'): Promise<void> {
    this.#stopping ??= this.#drainAndEnd(reason);
    return this.#stopping;
  }

  async #drainAndEnd(reason: string): Promise<void> {
    if (this.#state === 'offline') return;
    this.#state = 'draining';
    this.#reason = reason;
    this.log.info({ reason }, 'draining');
    await within(FAREWELL_MS, this.say());
    const { part, drainMs = DRAIN_MS } = this.#options;
    const drained = await within(drainMs, part.drain());
    if (!drained) this.log.warn({ drainMs }, 'work in flight was given up');
    await this.#end(reason);
    this.log.info({ reason }, 'offline');
  }

  async #end(reason: string): Promise<void> {
    clearInterval(this.#refresh);
    await this.#options.part.stop();
    this.#reason = reason;
    const offline = encode({ ...this.#identity(), state: 'offline', reason });
    this.#state = 'offline';
    if (this.channels.control.connected) {
      const { control } = this.channels;
      await within(FAREWELL_MS, control.publish(this.#statusTopic, offline, { qos: 1, retain: true }));
    }
    await this.#unhear?.().catch(() => undefined);
    this.#unhear = undefined;
    await this.channels.stop();
    await this.#health?.stop();
    this.#health = undefined;
    this.#reason = undefined;
  }

  /**
   * Its own status as the broker has it. A broker that noticed late that a former connection was lost has just
   * published that one's Will over what was said since: everybody would take this service for gone.
   */
  #hear(payload: Buffer): void {
    if (this.#state !== 'online' && this.#state !== 'draining') return;
    if (parseStatus(payload)?.state !== 'offline') return;
    this.log.warn('said to be offline, by the Will of a former connection: said otherwise');
    void this.say();
  }

  async #publishStatus(): Promise<void> {
    if (!this.channels.control.connected) return;
    try {
      await this.channels.control.publish(this.#statusTopic, encode(this.status()), { qos: 1, retain: true });
    } catch (error) {
      this.log.debug({ error: String(error) }, 'status not said');
    }
  }

  async #startHealth(port: number, host: string | undefined): Promise<void> {
    const server = new HealthServer({
      port,
      host,
      ready: () => ({
        ready: this.ready,
        state: this.#state,
        broker: this.channels.connected,
        work: this.#options.part.ready(),
      }),
      status: () => this.status(),
    });
    await server.start();
    this.#health = server;
  }

  #identity(): Omit<Status, 'state'> {
    const { role, id, wire = [1], inbox } = this.#options;
    return { role, id, wire: [...wire], version: VERSION, ...(inbox ? { inbox: this.inbox } : {}) };
  }
}

function encode(status: Status): Buffer {
  return Buffer.from(JSON.stringify(status));
}
