/** The channels of one service: separate connections, so that a large tile delays no heartbeat. */

import { readFileSync } from 'node:fs';
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
  readonly control: Bus;
  readonly data: Bus;
  readonly #options: ConnectionsOptions;
  #intake: Bus | undefined;
  #intakeStart: Promise<Bus> | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.topics = new Topics(options.root);
    this.control = this.#bus('control', options.will);
    this.data = this.#bus('data');
  }

  get connected(): boolean {
    return this.control.connected && this.data.connected && (this.#intake?.connected ?? true);
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
