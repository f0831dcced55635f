/** A worker's own broker: an embedded one that takes strips for this worker, from those who know the key in its status. */

import { randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { EmbeddedBroker } from '../services/broker/embedded-broker.ts';
import { LocalBus } from '../services/broker/local-bus.ts';
import { announcedHost } from '../services/core/bus/broker-host.ts';
import type { Bus } from '../services/core/bus/bus.ts';
import { named } from '../services/core/runtime/counters.ts';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../services/core/wire/limits.ts';
import type { Door, Doorstep } from '../services/worker/door.ts';
import type { Endpoint } from '../services/worker/neighbour.ts';

export interface WorkerDoorOptions {
  /** 0: any free one. */
  readonly port: number;
  /** Address to listen on; absent: the one that faces the pipeline's broker, all where that is on this machine. */
  readonly host?: string | undefined;
  /** Largest payload the services here publish. */
  readonly maxMessageBytes?: number | undefined;
}

/** What others call the machine of the broker may be any of its addresses. */
const EVERYWHERE = '0.0.0.0';
const KEY_BYTES = 18;

export class WorkerDoor implements Door {
  readonly #options: WorkerDoorOptions;
  #broker: EmbeddedBroker | undefined;
  #bus: LocalBus | undefined;

  constructor(options: WorkerDoorOptions) {
    this.#options = options;
  }

  async open({ inbox, facing, log }: Doorstep): Promise<{ bus: Bus; endpoint: Endpoint }> {
    const { port, host = facing ?? EVERYWHERE, maxMessageBytes = 0 } = this.#options;
    const key = randomBytes(KEY_BYTES).toString('base64url');
    const broker = new EmbeddedBroker({
      host,
      port,
      limits: { maxMessageBytes: Math.max(maxMessageBytes, DEFAULT_MAX_MESSAGE_BYTES) },
      access: { key, topics: [inbox] },
      log: log.child({ part: 'endpoint' }),
    });
    await broker.start();
    this.#broker = broker;
    const bus = new LocalBus({ broker, log });
    this.#bus = bus;
    await bus.start();
    const endpoint = { url: `mqtt://${inUrl(announcedHost(host, facing))}:${broker.port}`, key };
    log.info({ host, port: broker.port }, 'listening for neighbours');
    return { bus, endpoint };
  }

  async close(): Promise<void> {
    await this.#bus?.stop();
    await this.#broker?.stop();
    this.#bus = undefined;
    this.#broker = undefined;
  }

  counters(): Record<string, number> {
    if (this.#broker === undefined) return {};
    const { rejected, connections, messages, bytesIn } = this.#broker.counters();
    return named('endpoint', { connections, messages, bytesIn }, rejected);
  }
}

function inUrl(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
