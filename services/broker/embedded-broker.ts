/** An MQTT 3.1.1 broker inside this process; the only file that knows aedes. */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import { isEverywhere } from '../core/bus/broker-host.ts';
import { TilepipeError } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import { pipelineSchema } from '../core/schema/generated/pipeline.ts';
import { GuardedConnection } from './guarded-connection.ts';
import { LoopWatch } from './loop-watch.ts';
import { PayloadMemory } from './payload-memory.ts';
import { type Access, listenError, Policy, type Refusal } from './policy.ts';

export interface BrokerLimits {
  /** Largest payload taken from a client, in bytes; by default a picture of the size pipelines take by default. */
  readonly maxMessageBytes?: number | undefined;
  readonly maxConnections?: number | undefined;
  readonly maxTopicLevels?: number | undefined;
  /** Bytes of all retained messages, topics included. */
  readonly maxRetainedBytes?: number | undefined;
  /** Bytes that may wait for one client before those who publish to it wait. */
  readonly clientBufferBytes?: number | undefined;
  /** A client that takes no byte for so long is cut off, in milliseconds. */
  readonly stallMs?: number | undefined;
  /** A connection must say CONNECT within this, in milliseconds. */
  readonly connectTimeoutMs?: number | undefined;
  /** A packet must arrive whole within this, in milliseconds. */
  readonly packetTimeoutMs?: number | undefined;
}

export interface EmbeddedBrokerOptions {
  /** Loopback by default: without `access` the broker asks nobody for a password. */
  readonly host?: string | undefined;
  /** 1883 by default; 0 takes a free one. */
  readonly port?: number | undefined;
  readonly limits?: BrokerLimits | undefined;
  /** Absent: whoever reaches it may publish and subscribe. */
  readonly access?: Access | undefined;
  readonly log?: Log | undefined;
}

export interface BrokerCounters {
  /** Clients connected now. */
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Messages published, by clients and by this process. */
  readonly messages: number;
  /** Connections cut and requests refused, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
}

/** A message as it passes through the broker; the payload is shared with everybody who gets it. */
export interface BrokerMessage {
  readonly topic: string;
  readonly payload: Buffer;
}

export type BrokerListener = (message: BrokerMessage, done: () => void) => void;

/** Of a broker that is told nothing else. */
export const DEFAULT_LIMITS = {
  // Camera frames travel whole, and MQTT 3.1.1 has no answer to one that is too large but to hang up.
  maxMessageBytes: pipelineSchema.properties.limits.properties.maxImageBytes.default,
  maxConnections: 256,
  maxTopicLevels: 16,
  maxRetainedBytes: 64 * 2 ** 20,
  clientBufferBytes: 2 * 2 ** 20,
  stallMs: 5_000,
  connectTimeoutMs: 10_000,
  packetTimeoutMs: 60_000,
} as const;
const LOOPBACK = '127.0.0.1';
/** Topic and identifier of a PUBLISH packet, beside its payload. */
const PACKET_FIELDS = 1024;
const SWEEP_MS = 1_000;
/** Per second of a client's keep-alive: one and a half times that [MQTT-3.1.2-24]. */
const KEEP_ALIVE_MS = 1_500;
/** MQTT 3.1.1, table 3.1. */
const BAD_CREDENTIALS = 4;
/** Where the library talks to itself. */
const SYSTEM = '$SYS/';

interface Emitted {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly retain: boolean;
  brokerCounter?: number;
}

/** What the library has and does not declare. */
interface Inner {
  counter: number;
  readonly mq: { emit(packet: Emitted, done?: (error?: Error) => void): unknown };
  readonly persistence: { createRetainedStreamCombi(filters: string[]): AsyncIterable<BrokerMessage> };
}

/**
 * Slow clients: up to `clientBufferBytes` wait for each in memory. Beyond that whoever publishes to it waits (a remote
 * publisher's whole connection, a LocalBus only on that topic), until the client reads on or makes no progress for
 * `stallMs` and is cut off. Nothing is dropped while the connection lasts. Sessions are never kept: a client that was
 * away has missed what was not retained, and memory stays bounded.
 */
export class EmbeddedBroker {
  readonly #options: EmbeddedBrokerOptions;
  readonly #limits: Required<{ [K in keyof BrokerLimits]: number }>;
  readonly #connections = new Set<GuardedConnection>();
  readonly #rejected = new Map<string, number>();
  readonly #bytes = { bytesIn: 0, bytesOut: 0 };
  readonly #memory = new PayloadMemory();
  #messages = 0;
  #aedes: Aedes | undefined;
  #server: Server | undefined;
  #watch: LoopWatch | undefined;

  constructor(options: EmbeddedBrokerOptions = {}) {
    this.#options = options;
    this.#limits = withDefaults(options.limits ?? {});
  }

  get running(): boolean {
    return this.#server !== undefined;
  }

  /** The port listened on. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null | undefined)?.port ?? this.#options.port ?? 1883;
  }

  /** Address for clients on this machine: loopback, unless it listens on another address alone. */
  get url(): string {
    const { host = LOOPBACK } = this.#options;
    const name = isEverywhere(host) ? LOOPBACK : host.includes(':') ? `[${host}]` : host;
    return `mqtt://${name}:${this.port}`;
  }

  counters(): BrokerCounters {
    return {
      connections: this.#connections.size,
      ...this.#bytes,
      messages: this.#messages,
      rejected: Object.fromEntries(this.#rejected),
    };
  }

  /** Listens; rejects with `port-taken`. */
  async start(): Promise<void> {
    if (this.#server) return;
    const { host = '127.0.0.1', port = 1883 } = this.#options;
    const aedes = await this.#createAedes();
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket, aedes));
    server.maxConnections = this.#limits.maxConnections;
    server.on('drop', () => this.#reject('too-many-connections'));
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', (error) => reject(listenError(host, port, error)));
        server.listen(port, host, resolve);
      });
    } catch (error) {
      await new Promise<void>((resolve) => aedes.close(resolve));
      throw error;
    }
    this.#aedes = aedes;
    this.#server = server;
    const { packetTimeoutMs, stallMs } = this.#limits;
    this.#watch = new LoopWatch(Math.min(SWEEP_MS, packetTimeoutMs, stallMs), (heldMs) => this.#cut(heldMs));
    this.#watch.start();
  }

  /** Closes the listener and every connection at once. */
  async stop(): Promise<void> {
    const server = this.#server;
    const aedes = this.#aedes;
    if (!server || !aedes) return;
    this.#server = undefined;
    this.#aedes = undefined;
    this.#watch?.stop();
    const closed = new Promise((resolve) => server.close(resolve));
    await new Promise<void>((resolve) => aedes.close(resolve));
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }

  /**
   * Publishes from this process, without copying. Resolves when every subscriber has taken the message: a slow
   * client holds it back.
   */
  publish(topic: string, payload: Buffer, { qos = 0, retain = false }: PublishFlags = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const aedes = this.#aedes;
      if (!aedes) reject(new TilepipeError('broker-unreachable', 'the broker is not running'));
      else
        aedes.publish({ cmd: 'publish', topic, payload, qos, retain, dup: false }, (error) => {
          if (error) reject(new TilepipeError('broker-refused', `${topic}: ${error.message}`));
          else resolve();
        });
    });
  }

  /**
   * Calls `listener` for every message that matches; it must call `done`. With `copies` the payload's memory may be used
   * again after that. The function returned undoes it.
   */
  async listen(filter: string, listener: BrokerListener, copies = false): Promise<() => Promise<void>> {
    const aedes = this.#aedes;
    if (!aedes) throw new TilepipeError('broker-unreachable', 'the broker is not running');
    // Payloads are always buffers here: clients' come from the parser, this process's from `publish`.
    const deliver = (packet: { topic: string; payload: string | Buffer }, done: () => void) => {
      // [MQTT-4.7.2-1]
      if (packet.topic.startsWith('$') && /^[+#]/.test(filter)) {
        done();
        return;
      }
      const message = packet as BrokerMessage;
      if (!copies) this.#memory.keep(message.payload);
      listener(message, done);
    };
    await new Promise<void>((resolve) => aedes.subscribe(filter, deliver, resolve));
    return () =>
      new Promise((resolve) => (aedes.closed ? resolve() : aedes.unsubscribe(filter, deliver, resolve)));
  }

  /** The retained messages a filter matches. */
  retained(filter: string): AsyncIterable<BrokerMessage> {
    return (this.#aedes as unknown as Inner).persistence.createRetainedStreamCombi([filter]);
  }

  async #createAedes(): Promise<Aedes> {
    const policy = new Policy(this.#limits, this.#options.access);
    const aedes = await Aedes.createBroker({
      // Unlimited: with a limit, messages that wait for one frozen client hold up all others.
      concurrency: 0,
      connectTimeout: this.#limits.connectTimeoutMs,
      maxTopicLevels: this.#limits.maxTopicLevels,
      // The last resort; a client without progress is cut off by the guard long before.
      drainTimeout: this.#limits.packetTimeoutMs,
      preConnect: (client, packet, done) => {
        packet.clean = true;
        // The library would count the time in which nothing could be read here.
        (client.conn as GuardedConnection).promised((packet.keepalive ?? 0) * KEEP_ALIVE_MS);
        packet.keepalive = 0;
        done(null, true);
      },
      authenticate: (_client, _username, password, done) => {
        const refused = this.#note(policy.connect(password && Buffer.from(password)));
        done(
          refused === undefined ? null : Object.assign(refused, { returnCode: BAD_CREDENTIALS }),
          !refused,
        );
      },
      authorizePublish: (_client, packet, done) =>
        done(this.#note(policy.publish(packet.topic, packet.payload.length, packet.retain)) ?? null),
      authorizeSubscribe: (_client, subscription, done) =>
        done(null, this.#note(policy.subscribe(subscription.topic)) ? null : subscription),
    });
    atEmission(
      aedes,
      ({ topic, payload, retain }) => {
        if (!topic.startsWith(SYSTEM)) this.#messages++;
        if (retain && typeof payload !== 'string') this.#memory.keep(payload);
      },
      ({ payload }) => {
        if (typeof payload !== 'string') this.#memory.done(payload);
      },
    );
    const failed = (client: { id: string }, error: Error) =>
      this.#options.log?.debug({ client: client.id }, error.message);
    aedes.on('clientError', failed);
    aedes.on('connectionError', (client, error) => {
      this.#reject(/connect did not arrive/.test(error.message) ? 'no-connect' : 'bad-connect');
      failed(client, error);
    });
    (aedes as NodeJS.EventEmitter).on('error', (error: Error) => this.#options.log?.error(error.message));
    return aedes;
  }

  #accept(socket: Socket, aedes: Aedes): void {
    const from = `${socket.remoteAddress}:${socket.remotePort}`;
    const limits = {
      maxPacketBytes: this.#limits.maxMessageBytes + PACKET_FIELDS,
      clientBufferBytes: this.#limits.clientBufferBytes,
      stallMs: this.#limits.stallMs,
      packetTimeoutMs: this.#limits.packetTimeoutMs,
    };
    const connection = new GuardedConnection(socket, {
      limits,
      counters: this.#bytes,
      memory: this.#memory,
      onReject: (reason) => {
        this.#reject(reason);
        this.#options.log?.warn({ from, reason }, 'connection closed');
      },
    });
    this.#connections.add(connection);
    connection.on('close', () => this.#connections.delete(connection));
    aedes.handle(connection);
  }

  /** Those whose time is over, less what this process took of it. */
  #cut(heldMs: number): void {
    for (const connection of this.#connections) {
      const why = connection.overdue(heldMs);
      if (why !== undefined) connection.reject(why);
    }
  }

  #note(refusal: Refusal | undefined): Refusal | undefined {
    if (refusal) {
      this.#reject(refusal.reason);
      this.#options.log?.warn({ reason: refusal.reason }, refusal.message);
    }
    return refusal;
  }

  #reject(reason: string): void {
    this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + 1);
  }
}

interface PublishFlags {
  readonly qos?: 0 | 1 | undefined;
  readonly retain?: boolean | undefined;
}

/**
 * Tells of every message as it goes to its subscribers, and when all of them have had it, and numbers it. The library
 * numbers messages when they arrive and takes one with a lower number than the last delivered for a duplicate, but a
 * retained message is stored before it is delivered, so a later one may overtake it: the retained one was then lost.
 * Numbered here, only true duplicates (overlapping filters) are left out.
 */
function atEmission(aedes: Aedes, tell: (packet: Emitted) => void, over: (packet: Emitted) => void): void {
  const inner = aedes as unknown as Inner;
  const emit = inner.mq.emit.bind(inner.mq);
  inner.mq.emit = (packet, done) => {
    packet.brokerCounter = ++inner.counter;
    tell(packet);
    return emit(packet, (error) => {
      over(packet);
      done?.(error);
    });
  };
}

function withDefaults(given: BrokerLimits): Required<{ [K in keyof BrokerLimits]: number }> {
  const chosen = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_LIMITS, ...(Object.fromEntries(chosen) as Partial<typeof DEFAULT_LIMITS>) };
}
