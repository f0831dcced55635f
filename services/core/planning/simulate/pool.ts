/**
 * Which task goes to which device now: the dispatcher of a splitter or merger (core/flow/dispatch.ts) without its
 * deadlines and failures. The oldest frame goes first, to an idle device before one with a free slot, then to the
 * preferred.
 */

import { Heap } from './heap.ts';

/** Devices that may run the same tasks, and the tasks that wait for one of them, by age. */
export interface Group<T> {
  readonly devices: readonly number[];
  readonly pending: Heap<T>;
}

export class Pool<T> {
  readonly #slots: number;
  /** Free slots by device. */
  readonly #free: Int32Array;
  readonly #groups = new Map<string, Group<T>>();
  readonly #groupsOf: Group<T>[][];
  #idle: number;

  constructor(devices: number, slots: number) {
    this.#slots = slots;
    this.#free = new Int32Array(devices).fill(slots);
    this.#groupsOf = Array.from({ length: devices }, () => []);
    this.#idle = devices * slots;
  }

  /** The group of these devices; equal lists share one. */
  group(devices: readonly number[]): Group<T> {
    const key = devices.join(' ');
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { devices, pending: new Heap() };
      this.#groups.set(key, group);
      for (const device of devices) this.#groupsOf[device]?.push(group);
    }
    return group;
  }

  /** A device that takes the task now; undefined: it waits, and `release` returns it when its turn has come. */
  submit(task: T, order: number, group: Group<T>): number | undefined {
    const device = this.#idle === 0 ? undefined : this.#choose(group);
    if (device === undefined) group.pending.push(order, task);
    else this.#take(device);
    return device;
  }

  /** A device has answered; returns the oldest task it takes next, if one waits. */
  release(device: number): T | undefined {
    this.#free[device] = (this.#free[device] as number) + 1;
    this.#idle++;
    let oldest: Group<T> | undefined;
    for (const group of this.#groupsOf[device] as Group<T>[]) {
      if (group.pending.firstKey < (oldest?.pending.firstKey ?? Number.POSITIVE_INFINITY)) oldest = group;
    }
    if (oldest === undefined) return undefined;
    this.#take(device);
    return oldest.pending.pop();
  }

  #choose({ devices }: Group<T>): number | undefined {
    let best: number | undefined;
    for (const device of devices) {
      const free = this.#free[device] as number;
      if (free === this.#slots) return device;
      if (free > 0) best ??= device;
    }
    return best;
  }

  #take(device: number): void {
    this.#free[device] = (this.#free[device] as number) - 1;
    this.#idle--;
  }
}
