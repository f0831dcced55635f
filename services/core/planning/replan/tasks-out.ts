/** How many tasks each dispatcher has out, by worker, so that one that waits behind another's is not taken for slow. */

import type { Telemetry } from '../../schema/generated/telemetry.ts';

/** Dispatchers remembered; the one that was silent longest is forgotten. */
const MOST = 256;

export class TasksOut {
  readonly #dispatchers = new Map<string, ReadonlyMap<string, number>>();

  /** A dispatcher tells of every worker that has any of its tasks. */
  add({ role, id, workers }: Pick<Telemetry, 'role' | 'id' | 'workers'>): void {
    const key = `${role} ${id}`;
    this.#dispatchers.delete(key);
    this.#dispatchers.set(key, new Map(workers.map(({ worker, active }) => [worker, active])));
    if (this.#dispatchers.size > MOST)
      this.#dispatchers.delete(this.#dispatchers.keys().next().value as string);
  }

  /** Whether a worker has tasks of other dispatchers than this one. */
  elsewhere(worker: string, { role, id }: Pick<Telemetry, 'role' | 'id'>): boolean {
    const own = `${role} ${id}`;
    return [...this.#dispatchers].some(([key, active]) => key !== own && (active.get(worker) ?? 0) > 0);
  }
}
