/** Who is there: the retained status of every service of one role, kept current. */

import type { Bus } from '../bus/bus.ts';
import type { Role, Topics } from '../bus/topics.ts';
import type { Status } from '../schema/generated/status.ts';
import { Retained } from './retained.ts';

export interface RosterDeps {
  readonly control: Bus;
  readonly topics: Topics;
  readonly role: Role;
  /** Turns a payload into a status, or undefined where it is not one. */
  readonly parse: (payload: Buffer) => Status | undefined;
  /**
   * A service appeared, changed or went: `state` says which. `live`: it has just said so itself, or its Will has; what
   * the broker has retained may be of a service that went while the broker was away.
   */
  readonly changed: (status: Status, live: boolean) => void;
}

export class Roster {
  readonly #statuses: Retained<Status>;

  constructor({ control, topics, role, parse, changed }: RosterDeps) {
    this.#statuses = new Retained({
      control,
      filter: topics.filter('status', { role, id: '+' }),
      idOf: (topic) => topics.parse('status', topic)?.id,
      parse: (payload, id) => {
        const status = parse(payload);
        return status?.id === id && status.role === role ? status : undefined;
      },
      came: (status, retained) => {
        if (status.state === 'offline') this.#statuses.forget(status.id);
        changed(status, !retained);
      },
      erased: (status) => changed({ ...status, state: 'offline' }, true),
    });
  }

  /** Status messages that were no status. */
  get rejected(): number {
    return this.#statuses.rejected;
  }

  async start(): Promise<void> {
    await this.#statuses.start();
  }

  async stop(): Promise<void> {
    await this.#statuses.stop();
  }

  /** Services that take work: online, in order of id. */
  online(): Status[] {
    return this.#statuses.all().filter(({ state }) => state === 'online');
  }

  get(id: string): Status | undefined {
    return this.#statuses.get(id);
  }
}
