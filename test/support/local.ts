/** A broker in this process with channels on it, for one part of a service at a time. */

import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { LocalChannels } from '../../services/broker/local-bus.ts';
import type { Bus } from '../../services/core/bus/bus.ts';
import type { Role } from '../../services/core/bus/topics.ts';
import type { Status } from '../../services/core/schema/generated/status.ts';

export class Local {
  readonly #broker = new EmbeddedBroker({ port: 0 });
  readonly channels = new LocalChannels({ broker: this.#broker });

  get bus(): Bus {
    return this.channels.control;
  }

  async start(): Promise<void> {
    await this.#broker.start();
    await this.channels.start();
  }

  async stop(): Promise<void> {
    await this.channels.stop();
    await this.#broker.stop();
  }

  /** The status of a service that is not there. */
  async status(role: Role, id: string, fields: Partial<Status> = {}): Promise<void> {
    const status: Status = { role, id, state: 'online', wire: [1], version: 'test', ...fields };
    const payload = Buffer.from(JSON.stringify(status));
    await this.bus.publish(`tilepipe/status/${role}/${id}`, payload, { qos: 1, retain: true });
  }
}
