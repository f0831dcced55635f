/**
 * Which task goes to which device now: the dispatcher of a splitter or merger (core/flow/dispatch.ts, choose.ts) without
 * its deadlines and failures. The oldest frame goes first, to an idle device before one with a free slot, then to the
 * preferred; a task waits for one that will have it done clearly sooner than any that is free.
 */

import { Heap } from './heap.ts';

/** Devices that may run the same tasks, and the tasks that wait for one of them, by age. */
export interface Group<T> {
  readonly devices: readonly number[];
  readonly pending: Heap<T>;
  /** Whether it is weighed which of its devices would have a task done first. */
  readonly weighed: boolean;
}

/** What is known of durations. */
export interface Outlook<T> {
  /** Milliseconds a device takes for a task, its transfers among them. */
  readonly paceMs: (task: T, device: number) => number;
  readonly now: () => number;
}

export interface Given<T> {
  readonly task: T;
  readonly device: number;
}

/** Ends this many times as far away as the nearest are as near. */
const AS_SOON = 1.25;
/** Waiting tasks that are looked at when a device has answered: those behind them would wait as well. */
const MOST_LOOKED_AT = 16;

/** Most devices that are weighed for every task; among more whoever is free is taken, for the sake of time. */
const MOST_COMPARED = 32;

export class Pool<T> {
  /** Tasks each device takes at once. */
  readonly #slots: readonly number[];
  readonly #outlook: Outlook<T> | undefined;
  /** Free slots by device. */
  readonly #free: Int32Array;
  /** By device: what its tasks take, oldest first, and since when it has been at the oldest. */
  readonly #paces: number[][];
  readonly #since: Float64Array;
  readonly #groups = new Map<string, Group<T>>();
  readonly #groupsOf: Group<T>[][];
  #idle: number;

  /** `slots` by device. */
  constructor(slots: readonly number[], outlook?: Outlook<T>) {
    this.#slots = slots;
    this.#outlook = outlook;
    this.#free = Int32Array.from(slots);
    this.#paces = slots.map(() => []);
    this.#since = new Float64Array(slots.length);
    this.#groupsOf = slots.map(() => []);
    this.#idle = slots.reduce((sum, own) => sum + own, 0);
  }

  /** The group of these devices; equal lists share one. */
  group(devices: readonly number[]): Group<T> {
    const key = devices.join(' ');
    let group = this.#groups.get(key);
    if (group === undefined) {
      const weighed = this.#outlook !== undefined && devices.length > 1 && devices.length <= MOST_COMPARED;
      group = { devices, pending: new Heap(), weighed };
      this.#groups.set(key, group);
      for (const device of devices) this.#groupsOf[device]?.push(group);
    }
    return group;
  }

  /** A device that takes the task now; undefined: it waits, and `release` returns it when its turn has come. */
  submit(task: T, order: number, group: Group<T>): number | undefined {
    let device: number | undefined;
    // Tasks that wait already come first.
    if (group.weighed) device = group.pending.size > 0 ? undefined : this.#soonest(group, task, new Map());
    else if (this.#idle > 0) device = this.#first(group);
    if (device === undefined) group.pending.push(order, task);
    else this.#take(device, task);
    return device;
  }

  /** A device has answered; returns the tasks that are given out now, the oldest first. */
  release(device: number): Given<T>[] {
    this.#free[device] = (this.#free[device] as number) + 1;
    this.#idle++;
    this.#paces[device]?.shift();
    if (this.#outlook !== undefined) this.#since[device] = this.#outlook.now();
    const waiting = (this.#groupsOf[device] as Group<T>[]).filter(({ pending }) => pending.size > 0);
    waiting.sort((a, b) => a.pending.firstKey - b.pending.firstKey);
    const given: Given<T>[] = [];
    const promised = new Map<number, number>();
    // What one group holds back for a device that is sooner leaves this one free for the next.
    for (const group of waiting) {
      if (this.#free[device] === 0) break;
      if (group.weighed) {
        given.push(...this.#round(group, promised));
        continue;
      }
      const task = group.pending.pop() as T;
      this.#take(device, task);
      given.push({ task, device });
    }
    return given;
  }

  /** Gives waiting tasks to the devices that suit them, and leaves those that had better wait. */
  #round(group: Group<T>, promised: Map<number, number>): Given<T>[] {
    const given: Given<T>[] = [];
    const held: [order: number, task: T][] = [];
    for (let looked = 0; looked < MOST_LOOKED_AT && this.#idle > 0; looked++) {
      const order = group.pending.firstKey;
      const task = group.pending.pop();
      if (task === undefined) break;
      const device = this.#soonest(group, task, promised);
      if (device === undefined) held.push([order, task]);
      else {
        this.#take(device, task);
        given.push({ task, device });
      }
    }
    for (const [order, task] of held) group.pending.push(order, task);
    return given;
  }

  /** The first idle device, or the first with a free slot. */
  #first({ devices }: Group<T>): number | undefined {
    let best: number | undefined;
    for (const device of devices) {
      const free = this.#free[device] as number;
      if (free === this.#slots[device]) return device;
      if (free > 0) best ??= device;
    }
    return best;
  }

  /** The same among those that will have it done about as soon as any; where none of these is free, it is promised. */
  #soonest(group: Group<T>, task: T, promised: Map<number, number>): number | undefined {
    const done = group.devices.map((device) => this.#doneMs(device, task) + (promised.get(device) ?? 0));
    const least = Math.min(...done);
    const devices = group.devices.filter((_, at) => (done[at] as number) <= AS_SOON * least);
    const device = this.#first({ ...group, devices });
    if (device !== undefined) return device;
    const soonest = group.devices[done.indexOf(least)] as number;
    promised.set(soonest, (promised.get(soonest) ?? 0) + this.#paceMs(task, soonest));
    return undefined;
  }

  /** Milliseconds until a device has done what it has, and then the task. */
  #doneMs(device: number, task: T): number {
    const paces = this.#paces[device] as number[];
    const elapsed = (this.#outlook?.now() ?? 0) - (this.#since[device] as number);
    const ahead = paces.reduce((sum, ms, at) => sum + (at === 0 ? Math.abs(ms - elapsed) : ms), 0);
    return ahead + this.#paceMs(task, device);
  }

  #paceMs(task: T, device: number): number {
    return this.#outlook?.paceMs(task, device) ?? 0;
  }

  #take(device: number, task: T): void {
    this.#free[device] = (this.#free[device] as number) - 1;
    this.#idle--;
    if (this.#outlook === undefined) return;
    const paces = this.#paces[device] as number[];
    if (paces.length === 0) this.#since[device] = this.#outlook.now();
    paces.push(this.#paceMs(task, device));
  }
}
