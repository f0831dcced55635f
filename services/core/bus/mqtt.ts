/** The bus over a real broker; the only file that knows MQTT.js. */

import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import mqtt, { type IClientOptions, type IConnackPacket, type IPublishPacket, type MqttClient } from 'mqtt';
import { TilepipeError } from '../runtime/errors.ts';
import type { Log } from '../runtime/log.ts';
import { within } from '../runtime/within.ts';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../wire/limits.ts';
import { BackOff } from './back-off.ts';
import type { Bus, BusCounters, Handler, Incoming, PublishOptions, SubscribeOptions, Will } from './bus.ts';
import { ConfirmedSender } from './confirmed-sender.ts';
import { HeldAcknowledgements } from './held-acknowledgements.ts';
import { keepAliveTimer } from './keep-alive-timer.ts';
import { isFinal, refusalText } from './refusals.ts';
import { SendGate } from './send-gate.ts';
import { type Subscriber, Subscriptions } from './subscriptions.ts';

export interface TlsOptions {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** False accepts any certificate: for tests only. */
  readonly rejectUnauthorized?: boolean;
}

export interface MqttBusOptions {
  /** mqtt://host[:1883] or mqtts://host[:8883]; ws:// and wss:// work too. */
  readonly url: string;
  /** 4 is MQTT 3.1.1 (the default: the embedded broker speaks nothing else), 5 is MQTT 5. */
  readonly protocolVersion?: 4 | 5 | undefined;
  /** Must be the same after a restart where the session is kept; random by default. */
  readonly clientId?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: TlsOptions | undefined;
  readonly will?: Will | undefined;
  /** Largest payload published; 900,000 by default, because most brokers cut at 1 or 2 MB. */
  readonly maxMessageBytes?: number | undefined;
  /** `kept`: the broker holds QoS 1 messages while this client is away. */
  readonly session?: 'clean' | 'kept' | undefined;
  /** How long a kept session outlives its client; version 5 only, 3.1.1 has no such limit. */
  readonly sessionExpirySeconds?: number | undefined;
  /** After one and a half times this the broker takes a silent client for dead. */
  readonly keepaliveSeconds?: number | undefined;
  /** How long `start` tries before it gives up, in milliseconds. */
  readonly connectTimeoutMs?: number | undefined;
  /** Bytes that may wait in the socket before publishing QoS 0 waits. */
  readonly sendBufferBytes?: number | undefined;
  readonly log?: Log | undefined;
}

const DEFAULTS = {
  maxMessageBytes: DEFAULT_MAX_MESSAGE_BYTES,
  sessionExpirySeconds: 3600,
  keepaliveSeconds: 30,
  connectTimeoutMs: 10_000,
  sendBufferBytes: 4 * 2 ** 20,
} as const;
/** QoS 1 messages in flight; brokers allow 20 (Mosquitto) and more, and one round trip is about a millisecond. */
const WINDOW = 16;
/** QoS 1 bytes kept for a broker that is away. */
const AWAY_BYTES = 16 * 2 ** 20;
/** Room for a PUBLISH packet's own fields (version 5 counts the whole packet): header, topic, identifier. */
const PACKET_FIELDS = 512;
/** How long `stop` waits for outstanding acknowledgements. */
const STOP_MS = 2_000;

export class MqttBus implements Bus {
  readonly #options: MqttBusOptions;
  readonly #subscriptions = new Subscriptions();
  readonly #gate: SendGate;
  readonly #confirmed = new ConfirmedSender(WINDOW, AWAY_BYTES);
  readonly #held = new HeldAcknowledgements((packet) => this.#client?.stream.write(packet));
  readonly #backOff = new BackOff();
  readonly #up: (() => void)[] = [];
  readonly #down: (() => void)[] = [];
  readonly #count = {
    publishedBytes: 0,
    receivedBytes: 0,
    publishedMessages: 0,
    receivedMessages: 0,
    reconnects: 0,
    dropped: 0,
  };
  #client: MqttClient | undefined;
  #connected = false;
  #connections = 0;
  #packetLimit = Number.POSITIVE_INFINITY;
  /** Filters given up while away: a kept session still has them. */
  readonly #abandoned = new Set<string>();

  constructor(options: MqttBusOptions) {
    this.#options = options;
    this.#gate = new SendGate(options.sendBufferBytes ?? DEFAULTS.sendBufferBytes);
  }

  get maxMessageBytes(): number {
    const wanted = this.#options.maxMessageBytes ?? DEFAULTS.maxMessageBytes;
    return Math.min(wanted, this.#packetLimit - PACKET_FIELDS);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** The two ends of the connection, as IP addresses; undefined while it is away, and over WebSocket. */
  get ends(): { readonly local: string; readonly remote: string } | undefined {
    const { localAddress, remoteAddress } = (this.#client?.stream ?? {}) as Partial<Socket>;
    if (localAddress === undefined || remoteAddress === undefined) return undefined;
    return { local: localAddress, remote: remoteAddress };
  }

  counters(): BusCounters {
    const waiting = this.#client?.stream?.writableLength ?? 0;
    return { ...this.#count, leftBytes: this.#count.publishedBytes - waiting };
  }

  onUp(listener: () => void): void {
    this.#up.push(listener);
  }

  onDown(listener: () => void): void {
    this.#down.push(listener);
  }

  async start(): Promise<void> {
    if (this.#client) return;
    const client = mqtt.connect(checkedUrl(this.#options.url), this.#clientOptions());
    this.#client = client;
    client.handleMessage = (packet, done) => this.#receive(packet, done);
    client.on('reconnect', () => {
      client.options.reconnectPeriod = this.#backOff.next();
    });
    client.on('close', () => this.#lost());
    try {
      await this.#firstConnection(client);
    } catch (error) {
      this.#client = undefined;
      this.#connected = false;
      client.end(true);
      throw error;
    }
    client.on('error', (error) => this.#options.log?.warn({ broker: this.#name }, error.message));
    client.on('disconnect', (packet) => {
      const reason = refusalText(packet.reasonCode ?? 0);
      this.#options.log?.warn(
        { broker: this.#name, code: packet.reasonCode },
        `the broker hung up: ${reason}`,
      );
    });
  }

  async stop(): Promise<void> {
    const client = this.#client;
    if (!client) return;
    if (this.#connected) await within(STOP_MS, this.#confirmed.idle());
    const clean = this.#connected;
    this.#client = undefined;
    this.#connected = false;
    const stopped = new TilepipeError('broker-unreachable', 'the connection was stopped');
    this.#count.dropped += this.#gate.close(stopped);
    this.#confirmed.abort(stopped);
    if (clean) await within(STOP_MS, client.endAsync());
    if (!client.disconnected) await within(STOP_MS, client.endAsync(true));
    client.stream.destroy();
    for (const listener of this.#down) listener();
  }

  async publish(topic: string, payload: Buffer, options: PublishOptions = {}): Promise<void> {
    if (payload.length > this.maxMessageBytes) {
      throw new TilepipeError(
        'message-too-large',
        `${payload.length} bytes for ${topic}: ${this.#name} takes ${this.maxMessageBytes} at most`,
      );
    }
    const { qos = 0, retain = false } = options;
    const client = this.#client;
    if (!client) throw this.#drop(`not started, so ${topic} cannot be published`);
    if (qos === 0) {
      if (!this.#connected) throw this.#drop(`the connection to ${this.#name} is away`);
      await this.#gate.send(() => client.publish(topic, payload, { qos, retain }));
    } else {
      try {
        await this.#confirmed.publish(payload.length, !this.#connected, (done) =>
          client.publish(topic, payload, { qos, retain }, done),
        );
      } catch (error) {
        throw this.#publishError(topic, error as Error & { code?: unknown });
      }
    }
    this.#count.publishedMessages++;
    this.#count.publishedBytes += payload.length;
  }

  async subscribe(
    filter: string,
    handler: Handler,
    { qos = 0, acknowledge = 'auto' }: SubscribeOptions = {},
  ): Promise<() => Promise<void>> {
    const subscriber: Subscriber = { handler, qos, manual: acknowledge === 'manual' };
    this.#subscriptions.add(filter, subscriber);
    this.#abandoned.delete(filter);
    if (this.#connected) {
      try {
        await this.#subscribeWire(filter);
      } catch (error) {
        this.#subscriptions.remove(filter, subscriber);
        throw error;
      }
    }
    return async () => {
      if (!this.#subscriptions.remove(filter, subscriber)) return;
      if (!this.#connected) this.#abandoned.add(filter);
      // A connection lost meanwhile has forgotten the filter; a kept session is told after the next connect.
      else await this.#client?.unsubscribeAsync(filter).catch(() => this.#abandoned.add(filter));
    };
  }

  #clientOptions(): IClientOptions {
    const options = this.#options;
    const version = options.protocolVersion ?? 4;
    const kept = options.session === 'kept';
    return {
      clientId: options.clientId ?? `tilepipe-${randomUUID().slice(0, 12)}`,
      protocolVersion: version,
      clean: !kept,
      keepalive: options.keepaliveSeconds ?? DEFAULTS.keepaliveSeconds,
      timerVariant: keepAliveTimer(
        () => (this.#client?.stream as Partial<Socket> | undefined)?.bytesRead ?? 0,
        () => this.#client?.sendPing(),
      ),
      connectTimeout: options.connectTimeoutMs ?? DEFAULTS.connectTimeoutMs,
      reconnectPeriod: this.#backOff.next(),
      reconnectOnConnackError: true,
      // Subscribing again is done here, where a refusal can be seen.
      resubscribe: false,
      // A tile that waited for the broker to come back is worth nothing.
      queueQoSZero: false,
      ...(options.username === undefined ? {} : { username: options.username }),
      ...(options.password === undefined ? {} : { password: options.password }),
      ...options.tls,
      ...(options.will ? { will: { ...options.will, qos: 1, retain: true } } : {}),
      ...(version === 5
        ? {
            properties: {
              sessionExpiryInterval: kept
                ? (options.sessionExpirySeconds ?? DEFAULTS.sessionExpirySeconds)
                : 0,
              receiveMaximum: WINDOW,
            },
          }
        : {}),
    };
  }

  /** Resolves when connected and subscribed; a refusal that will not change by waiting rejects at once. */
  #firstConnection(client: MqttClient): Promise<void> {
    const timeoutMs = this.#options.connectTimeoutMs ?? DEFAULTS.connectTimeoutMs;
    return new Promise((resolve, reject) => {
      let last = 'no answer';
      const unreachable = () =>
        reject(
          new TilepipeError('broker-unreachable', `${this.#name} did not answer in ${timeoutMs} ms: ${last}`),
        );
      const timer = setTimeout(unreachable, timeoutMs);
      const settle = (error?: unknown) => {
        clearTimeout(timer);
        client.off('error', onError);
        if (error) reject(error);
        else resolve();
      };
      const onError = (error: Error & { code?: unknown }) => {
        last = error.message || String(error.code);
        if (typeof error.code !== 'number' || !isFinal(error.code)) return;
        settle(new TilepipeError('broker-refused', `${this.#name}: ${refusalText(error.code)}`));
      };
      client.on('error', onError);
      client.on('connect', (packet) => {
        this.#established(client, packet).then(() => settle(), settle);
      });
    });
  }

  /** After every connect: options of the socket, limits of the broker, subscriptions, then whoever listens. */
  async #established(client: MqttClient, packet: IConnackPacket): Promise<void> {
    const stream = client.stream;
    // Nagle's algorithm against delayed acknowledgements costs 40-90 ms on every exchange of small packets.
    if ('setNoDelay' in stream && typeof stream.setNoDelay === 'function') stream.setNoDelay(true);
    this.#packetLimit = packet.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    this.#confirmed.window = Math.min(WINDOW, packet.properties?.receiveMaximum ?? WINDOW);
    for (const filter of this.#abandoned) await client.unsubscribeAsync(filter).catch(() => undefined);
    this.#abandoned.clear();
    const results = await Promise.allSettled(
      this.#subscriptions.filters().map(([filter]) => this.#subscribeWire(filter)),
    );
    if (!client.connected || client.stream !== stream || this.#client !== client) return;
    const refused = results.find((result) => result.status === 'rejected');
    if (refused) {
      if (this.#connections === 0) throw refused.reason;
      this.#options.log?.error({ broker: this.#name }, String(refused.reason.message));
    }
    if (this.#connections++ > 0) this.#count.reconnects++;
    this.#backOff.reset();
    client.options.reconnectPeriod = this.#backOff.next();
    this.#gate.open(stream);
    this.#connected = true;
    for (const listener of this.#up) listener();
  }

  #lost(): void {
    this.#held.reset();
    if (!this.#connected) return;
    this.#connected = false;
    this.#count.dropped += this.#gate.close(
      new TilepipeError('broker-unreachable', `the connection to ${this.#name} was lost`),
    );
    for (const listener of this.#down) listener();
  }

  /** One SUBSCRIBE and its answer. A lost connection is no error: the filter is subscribed again on the next. */
  #subscribeWire(filter: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client?.subscribe(filter, { qos: this.#subscriptions.qos(filter) }, (error, _, packet) => {
        const code = packet?.granted.find((granted) => Number(granted) >= 0x80);
        if (code !== undefined) {
          const why = this.#options.protocolVersion === 5 ? refusalText(Number(code)) : 'not allowed';
          reject(new TilepipeError('broker-refused', `${this.#name} refused to subscribe ${filter}: ${why}`));
        } else if (error?.message.startsWith('Invalid topic')) {
          reject(new TilepipeError('config-invalid', `"${filter}" is not a topic filter`));
        } else resolve();
      });
    });
  }

  #receive(packet: IPublishPacket, done: (error?: Error) => void): void {
    const payload = packet.payload as Buffer;
    this.#count.receivedMessages++;
    this.#count.receivedBytes += payload.length;
    const subscribers = this.#subscriptions.match(packet.topic);
    const manual = packet.qos === 1 && subscribers.some((subscriber) => subscriber.manual);
    const message: Incoming = {
      topic: packet.topic,
      payload,
      retained: packet.retain,
      ...(manual ? { acknowledge: this.#held.hold(packet.messageId as number) } : {}),
    };
    for (const subscriber of subscribers) this.#deliver(subscriber.handler, message);
    // An error in the callback keeps MQTT.js from acknowledging, and nothing else.
    if (manual) done(new Error('acknowledged by hand'));
    else done();
  }

  #deliver(handler: Handler, message: Incoming): void {
    try {
      handler(message);
    } catch (error) {
      // One faulty handler must neither end the connection nor keep the message from the others.
      this.#options.log?.error({ topic: message.topic, error: String(error) }, 'a message handler failed');
    }
  }

  #drop(message: string): TilepipeError {
    this.#count.dropped++;
    return new TilepipeError('broker-unreachable', message);
  }

  #publishError(topic: string, error: Error & { code?: unknown }): Error {
    if (error instanceof TilepipeError) {
      this.#count.dropped++;
      return error;
    }
    const refused = typeof error.code === 'number';
    return new TilepipeError(
      refused ? 'broker-refused' : 'broker-unreachable',
      `${this.#name} did not take ${topic}: ${refused ? refusalText(error.code as number) : error.message}`,
      { cause: error },
    );
  }

  /** The address without its credentials. */
  get #name(): string {
    const { protocol, host } = new URL(this.#options.url);
    return `${protocol}//${host}`;
  }
}

function checkedUrl(url: string): string {
  const known = URL.canParse(url) && /^(mqtts?|wss?|tcp|ssl|tls):$/.test(new URL(url).protocol);
  if (known) return url;
  const shown = url.replace(/\/\/[^@/]*@/, '//');
  throw new TilepipeError('config-invalid', `"${shown}" is no broker address: write mqtt://host:1883`);
}
