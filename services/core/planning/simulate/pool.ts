/**
 * Which task goes to which device now: the dispatcher of a splitter or merger (core/flow/dispatch.ts, choose.ts) without
 * its deadlines and failures. The oldest frame goes first, to an idle device before one with a free slot, then to the
 * preferred; where devices are unequal a task waits for one that will have it done clearly sooner than any that is free.
 */

import { Heap } from './heap.ts';

/** Devices that may run the same tasks, and the tasks that wait for one of them, by age. */
export interface Group<T> {
  readonly devices: readonly number[];
  readonly pending: Heap<T>;
  /** Whether its devices take so unequal times that it matters which of them; known from its first task on. */
  uneven: boolean | undefined;
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

/** Devices that are compared for every task; among more the one that is free is taken, for the sake of time. */
const MOST_COMPARED = 32;

export class Pool<T> {
  readonly #slots: number;
  readonly #outlook: Outlook<T> | undefined;
  /** Free slots by device. */
  readonly #free: Int32Array;
  /** By device: what its tasks take, oldest first, and since when it has been at the oldest. */
  readonly #paces: number[][];
  readonly #since: Float64Array;
  readonly #groups = new Map<string, Group<T>>();
  readonly #groupsOf: Group<T>[][];
  #idle: number;

  constructor(devices: number, slots: number, outlook?: Outlook<T>) {
    this.#slots = slots;
    this.#outlook = outlook;
    this.#free = new Int32Array(devices).fill(slots);
    this.#paces = Array.from({ length: devices }, () => []);
    this.#since = new Float64Array(devices);
    this.#groupsOf = Array.from({ length: devices }, () => []);
    this.#idle = devices * slots;
  }

  /** The group of these devices; equal lists share one. */
  group(devices: readonly number[]): Group<T> {
    const key = devices.join(' ');
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { devices, pending: new Heap(), uneven: undefined };
      this.#groups.set(key, group);
      for (const device of devices) this.#groupsOf[device]?.push(group);
    }
    return group;
  }

  /** A device that takes the task now; undefined: it waits, and `release` returns it when its turn has come. */
  submit(task: T, order: number, group: Group<T>): number | undefined {
    group.uneven ??= this.#isUneven(task, group);
    let device: number | undefined;
    // Tasks that wait already come first.
    if (group.uneven) device = group.pending.size > 0 ? undefined : this.#soonest(group, task, new Map());
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
    let oldest: Group<T> | undefined;
    for (const group of this.#groupsOf[device] as Group<T>[]) {
      if (group.pending.firstKey < (oldest?.pending.firstKey ?? Number.POSITIVE_INFINITY)) oldest = group;
    }
    if (oldest === undefined) return [];
    if (oldest.uneven) return this.#round(oldest);
    const task = oldest.pending.pop() as T;
    this.#take(device, task);
    return [{ task, device }];
  }

  /** Gives waiting tasks to the devices that suit them, and leaves those that had better wait. */
  #round(group: Group<T>): Given<T>[] {
    const given: Given<T>[] = [];
    const held: [order: number, task: T][] = [];
    const promised = new Map<number, number>();
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
      if (free === this.#slots) return device;
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

  #isUneven(task: T, { devices }: Group<T>): boolean {
    if (this.#outlook === undefined || devices.length < 2 || devices.length > MOST_COMPARED) return false;
    const paces = devices.map((device) => this.#paceMs(task, device));
    return Math.max(...paces) > AS_SOON * Math.min(...paces);
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
