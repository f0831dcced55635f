/** Who is there: the retained status of every service of one role, kept current. */

import type { Bus, Incoming } from '../bus/bus.ts';
import type { Role, Topics } from '../bus/topics.ts';
import type { Status } from '../schema/generated/status.ts';

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
  readonly #deps: RosterDeps;
  readonly #present = new Map<string, Status>();
  #undo: (() => Promise<void>) | undefined;
  /** Status messages that were no status. */
  rejected = 0;

  constructor(deps: RosterDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { control, topics, role } = this.#deps;
    const filter = topics.filter('status', { role, id: '+' });
    this.#undo = await control.subscribe(filter, (message) => this.#receive(message), { qos: 1 });
  }

  async stop(): Promise<void> {
    await this.#undo?.();
    this.#undo = undefined;
    this.#present.clear();
  }

  /** Services that take work: online, in order of id. */
  online(): Status[] {
    return [...this.#present.values()]
      .filter((status) => status.state === 'online')
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  get(id: string): Status | undefined {
    return this.#present.get(id);
  }

  #receive({ topic, payload, retained }: Incoming): void {
    const names = this.#deps.topics.parse('status', topic);
    // An empty retained message is how a status is erased for good.
    if (payload.length === 0 && names !== undefined) {
      const known = this.#present.get(names.id);
      if (known === undefined) return;
      this.#present.delete(names.id);
      this.#deps.changed({ ...known, state: 'offline' }, true);
      return;
    }
    const status = this.#deps.parse(payload);
    if (status === undefined || status.id !== names?.id || status.role !== this.#deps.role) {
      this.rejected++;
      return;
    }
    if (status.state === 'offline') this.#present.delete(status.id);
    else this.#present.set(status.id, status);
    this.#deps.changed(status, !retained);
  }
}
