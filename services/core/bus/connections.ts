/** The channels of one service: separate connections, so that a large tile delays no heartbeat. */

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { TilepipeError } from '../runtime/errors.ts';
import type { Log } from '../runtime/log.ts';
import type { Bus, Will } from './bus.ts';
import { MqttBus, type TlsOptions } from './mqtt.ts';
import { Topics } from './topics.ts';

/** What a service has of the bus, over MQTT or inside one process. */
export interface Channels {
  readonly topics: Topics;
  /** Plans, status, results; carries the Last Will, and liveness is judged on it alone. */
  readonly control: Bus;
  /** Tiles. */
  readonly data: Bus;
  /** Camera frames; connected on the first call, because only a splitter needs it. */
  intake(): Promise<Bus>;
  /** Whether every channel in use is connected. */
  readonly connected: boolean;
  /** Once started: this machine's address or name that faces the broker; undefined where the broker is on it. */
  readonly facing: string | undefined;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** How to reach the broker: the `broker` part of the configuration. */
export interface BrokerAddress {
  readonly url: string;
  /** First level of every topic; 'tilepipe' by default. */
  readonly root?: string | undefined;
  /** Absent: TILEPIPE_BROKER_USERNAME. */
  readonly username?: string | undefined;
  /** Absent: TILEPIPE_BROKER_PASSWORD, or the content of the file TILEPIPE_BROKER_PASSWORD_FILE names. */
  readonly password?: string | undefined;
  readonly tls?: TlsOptions | undefined;
  readonly protocolVersion?: 4 | 5 | undefined;
  readonly maxMessageBytes?: number | undefined;
  readonly connectTimeoutMs?: number | undefined;
  /**
   * `kept`: a broker with sessions holds frames while the splitter restarts. On MQTT 3.1.1 such a session
   * lives until it is removed by hand, so the default is `clean`. The embedded broker keeps none.
   */
  readonly intakeSession?: 'clean' | 'kept' | undefined;
}

export interface ConnectionsOptions extends BrokerAddress {
  /** Role and id of the service, for client ids: 'splitter-a'. */
  readonly service: string;
  readonly will?: Will | undefined;
  readonly log?: Log | undefined;
  /** Where credentials are looked up; the process's own by default. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

/** Seconds. A dead service is noticed after one and a half times the first. */
const KEEPALIVE = { control: 10, data: 60, intake: 30 } as const;

export class Connections implements Channels {
  readonly topics: Topics;
  readonly control: MqttBus;
  readonly data: Bus;
  readonly #options: ConnectionsOptions;
  #intake: Bus | undefined;
  #intakeStart: Promise<Bus> | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = { ...options, ...withoutUserInfo(options) };
    this.topics = new Topics(options.root);
    this.control = this.#bus('control', options.will);
    this.data = this.#bus('data');
  }

  get connected(): boolean {
    return this.control.connected && this.data.connected && (this.#intake?.connected ?? true);
  }

  get facing(): string | undefined {
    return facing(this.control.ends, this.#options.url);
  }

  async start(): Promise<void> {
    const started = await Promise.allSettled([this.control.start(), this.data.start()]);
    const failed = started.find((result) => result.status === 'rejected');
    if (!failed) return;
    await this.stop();
    throw failed.reason;
  }

  async stop(): Promise<void> {
    await Promise.all([this.data.stop(), this.#intake?.stop()]);
    await this.control.stop();
    this.#intake = undefined;
    this.#intakeStart = undefined;
  }

  intake(): Promise<Bus> {
    this.#intakeStart ??= this.#startIntake();
    return this.#intakeStart;
  }

  async #startIntake(): Promise<Bus> {
    const bus = this.#bus('intake');
    try {
      await bus.start();
    } catch (error) {
      this.#intakeStart = undefined;
      throw error;
    }
    this.#intake = bus;
    return bus;
  }

  #bus(channel: 'control' | 'data' | 'intake', will?: Will): MqttBus {
    const options = this.#options;
    const kept = channel === 'intake' && options.intakeSession === 'kept';
    return new MqttBus({
      ...options,
      ...credentials(options, options.environment ?? process.env),
      keepaliveSeconds: KEEPALIVE[channel],
      will,
      session: kept ? 'kept' : 'clean',
      clientId: kept ? `${this.topics.root}-${options.service}-intake` : undefined,
      log: options.log?.child({ channel }),
    });
  }
}

/**
 * This machine's side of a connection to a broker; undefined where both ends are one machine. Where the ends are not
 * known, and where the address is good on one link only, it is the machine's name.
 */
export function facing(ends: MqttBus['ends'], url: string): string | undefined {
  const local = (ends?.local ?? '').replace(/^::ffff:/, '');
  const here = ends === undefined ? isLoopback(new URL(url).hostname) : ends.local === ends.remote;
  if (here || isLoopback(local)) return undefined;
  return local === '' || /^fe[89ab]|%/i.test(local) ? hostname() : local;
}

/** Whether a host name or IP address, in an address or by itself, can only be this machine. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127\.[\d.]+|\[?::1\]?)$/i.test(host);
}

/**
 * The same address with the user information of its URL as user name and password, so that the URL can be shown; it
 * goes before what is given beside the URL.
 */
export function withoutUserInfo(address: BrokerAddress): BrokerAddress {
  const url = URL.canParse(address.url) ? new URL(address.url) : undefined;
  if (url === undefined || (url.username === '' && url.password === '')) return address;
  const { username, password } = url;
  url.username = '';
  url.password = '';
  return {
    ...address,
    url: url.href,
    ...(username === '' ? {} : { username: decoded(username) }),
    ...(password === '' ? {} : { password: decoded(password) }),
  };
}

/** A percent sign that begins no escape stands for itself. */
function decoded(text: string): string {
  return text.replace(/(%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}

/** User name and password from the configuration, else from the environment or a secret's file. */
export function credentials(
  given: Pick<BrokerAddress, 'username' | 'password'>,
  environment: Readonly<Record<string, string | undefined>>,
): { username: string | undefined; password: string | undefined } {
  const username = given.username ?? environment.TILEPIPE_BROKER_USERNAME;
  const file = environment.TILEPIPE_BROKER_PASSWORD_FILE;
  const password = given.password ?? environment.TILEPIPE_BROKER_PASSWORD;
  if (password !== undefined || file === undefined) return { username, password };
  try {
    return { username, password: readFileSync(file, 'utf8').trimEnd() };
  } catch (error) {
    throw new TilepipeError('config-invalid', `TILEPIPE_BROKER_PASSWORD_FILE: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
