/** The bus for roles that share a process with the broker: straight onto it, without a socket and without copies. */

import type { Bus, BusCounters, Handler, PublishOptions, SubscribeOptions } from '../core/bus/bus.ts';
import type { Channels } from '../core/bus/connections.ts';
import { Topics } from '../core/bus/topics.ts';
import { TilepipeError } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../core/wire/limits.ts';
import type { BrokerListener, BrokerMessage, EmbeddedBroker } from './embedded-broker.ts';
import { TopicGate } from './topic-gate.ts';

export interface LocalBusOptions {
  readonly broker: EmbeddedBroker;
  /** Largest payload published; the same default as over MQTT, for what leaves the process. */
  readonly maxMessageBytes?: number | undefined;
  /** Bytes of one topic that remote subscribers have not taken yet, before publishing on it waits. */
  readonly topicBufferBytes?: number | undefined;
  readonly log?: Log | undefined;
}

const TOPIC_BUFFER_BYTES = 4 * 2 ** 20;

interface Delivery {
  readonly handler: Handler;
  readonly message: BrokerMessage;
  readonly done: () => void;
}

/**
 * Payloads are handed over as they are: subscribers may keep them, nobody may write to them or transfer their memory.
 * Memory of remote clients' payloads is used again only where every subscriber said that it copies.
 *
 * QoS 0 and 1 are one thing here, except that `publish` with QoS 1 resolves when everybody has the message.
 * A subscription that acknowledges by hand gets no `acknowledge`: the frame lives exactly as long as this process.
 */
export class LocalBus implements Bus {
  readonly maxMessageBytes: number;
  readonly #options: LocalBusOptions;
  readonly #gate: TopicGate;
  readonly #stops = new Set<() => Promise<void>>();
  readonly #up: (() => void)[] = [];
  readonly #down: (() => void)[] = [];
  #queue: Delivery[] = [];
  #started = false;
  readonly #count = {
    publishedBytes: 0,
    receivedBytes: 0,
    publishedMessages: 0,
    receivedMessages: 0,
    reconnects: 0,
    dropped: 0,
  };

  constructor(options: LocalBusOptions) {
    this.#options = options;
    this.maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
    this.#gate = new TopicGate(options.topicBufferBytes ?? TOPIC_BUFFER_BYTES);
  }

  get connected(): boolean {
    return this.#started && this.#options.broker.running;
  }

  counters(): BusCounters {
    return { ...this.#count, leftBytes: this.#count.publishedBytes };
  }

  onUp(listener: () => void): void {
    this.#up.push(listener);
  }

  onDown(listener: () => void): void {
    this.#down.push(listener);
  }

  async start(): Promise<void> {
    if (this.#started) return;
    if (!this.#options.broker.running) {
      throw new TilepipeError('broker-unreachable', 'the broker of this process is not running');
    }
    this.#started = true;
    for (const listener of this.#up) listener();
  }

  async stop(): Promise<void> {
    if (!this.#started) return;
    this.#started = false;
    await Promise.all([...this.#stops].map((stop) => stop()));
    for (const listener of this.#down) listener();
  }

  async publish(
    topic: string,
    payload: Buffer,
    { qos = 0, retain = false }: PublishOptions = {},
  ): Promise<void> {
    if (payload.length > this.maxMessageBytes) {
      throw new TilepipeError(
        'message-too-large',
        `${payload.length} bytes for ${topic}: this bus takes ${this.maxMessageBytes} at most`,
      );
    }
    if (!this.connected) {
      this.#count.dropped++;
      throw new TilepipeError(
        'broker-unreachable',
        `the broker of this process is away, ${topic} was not published`,
      );
    }
    const entered = this.#gate.enter(topic, payload.length);
    if (entered !== undefined) await entered;
    const taken = this.#options.broker
      .publish(topic, payload, { qos, retain })
      .finally(() => this.#gate.leave(topic, payload.length));
    this.#count.publishedMessages++;
    this.#count.publishedBytes += payload.length;
    if (qos === 1) await taken;
    else taken.catch((error) => this.#options.log?.warn({ topic }, String(error)));
  }

  async subscribe(
    filter: string,
    handler: Handler,
    { copies = false }: SubscribeOptions = {},
  ): Promise<() => Promise<void>> {
    if (filter.startsWith('$share/')) {
      throw new TilepipeError('broker-refused', `${filter}: shared subscriptions are not supported`);
    }
    const { broker } = this.#options;
    let active = true;
    // A live message that comes while the retained ones are read is newer than they are.
    const fresh = new Set<string>();
    let reading = true;
    const wanted: Handler = (message) => {
      if (active) handler(message);
    };
    const take: BrokerListener = (message, done) => {
      if (reading) fresh.add(message.topic);
      this.#enqueue({ handler: wanted, message, done });
    };
    const unlisten = await broker.listen(filter, take, copies);
    const stop = async () => {
      active = false;
      if (this.#stops.delete(stop)) await unlisten();
    };
    this.#stops.add(stop);
    for await (const message of broker.retained(filter)) {
      if (!fresh.has(message.topic)) this.#deliver(wanted, message, true);
    }
    reading = false;
    return stop;
  }

  /** Handlers run in turns of their own: a handler that publishes would otherwise call the next on its own stack. */
  #enqueue(delivery: Delivery): void {
    if (this.#queue.push(delivery) === 1) setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    const batch = this.#queue;
    this.#queue = [];
    for (const { handler, message, done } of batch) {
      this.#deliver(handler, message, false);
      done();
    }
  };

  #deliver(handler: Handler, { topic, payload }: BrokerMessage, retained: boolean): void {
    this.#count.receivedMessages++;
    this.#count.receivedBytes += payload.length;
    try {
      handler({ topic, payload, retained });
    } catch (error) {
      this.#options.log?.error({ topic, error: String(error) }, 'a message handler failed');
    }
  }
}

export interface LocalChannelsOptions extends LocalBusOptions {
  /** First level of every topic. */
  readonly root?: string | undefined;
}

/** The channels of a role in the broker's process: nothing to keep apart, as nothing waits in a socket. */
export class LocalChannels implements Channels {
  readonly topics: Topics;
  readonly control: Bus;
  readonly data: Bus;
  readonly #bus: LocalBus;

  constructor(options: LocalChannelsOptions) {
    this.topics = new Topics(options.root);
    this.#bus = new LocalBus(options);
    this.control = this.#bus;
    this.data = this.#bus;
  }

  get connected(): boolean {
    return this.#bus.connected;
  }

  /** The broker is on this machine. */
  get facing(): string | undefined {
    return undefined;
  }

  async intake(): Promise<Bus> {
    return this.#bus;
  }

  start(): Promise<void> {
    return this.#bus.start();
  }

  stop(): Promise<void> {
    return this.#bus.stop();
  }
}
