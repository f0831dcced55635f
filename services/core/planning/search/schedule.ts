/**
 * How long one block takes when everything waits for it: its inputs are sent in order, its parts computed, its outputs
 * gathered as they finish. A list schedule: every part gets the earliest place on each resource it needs.
 */

import {
  type FleetView,
  gatherMs,
  HUB,
  type Leg,
  legMs,
  type Member,
  SLOTS,
  sendMs,
  taskMs,
} from './fleet-view.ts';
import type { PartCost } from './span.ts';

/** A part and the positions of the devices that may run it, the preferred first. */
export interface Assigned {
  readonly cost: PartCost;
  readonly on: readonly number[];
}

export interface Schedule {
  /** From the moment the first input can be sent until the last output is gathered. */
  readonly ms: number;
  /** When each part's output is gathered, in the order of the parts. */
  readonly gathered: readonly number[];
}

/** An output on its way back: computed at a moment, or arrived at the hub. */
interface Pending {
  readonly part: number;
  readonly member: Member;
  readonly cost: PartCost;
  at: number;
  arrived: boolean;
}

interface LocalTask {
  readonly part: number;
  readonly arrived: number;
  readonly ms: number;
  readonly cost: PartCost;
}

/** Schedulers by fleets: a search asks for tens of thousands of schedules, and nothing in one of them waits. */
const schedulers = new WeakMap<FleetView, Scheduler>();

export function schedule(view: FleetView, parts: readonly Assigned[]): Schedule {
  let scheduler = schedulers.get(view);
  if (scheduler === undefined) {
    scheduler = new Scheduler(view);
    schedulers.set(view, scheduler);
  }
  return scheduler.run(parts);
}

/** What `schedule` says of a part that is alone in its block: nothing else is in its way. */
export function aloneOn(view: FleetView, member: Member, cost: PartCost): number {
  const arrived = sendMs(view, cost) + longest(member.down, cost.bytesIn);
  return arrived + taskMs(member, cost) + longest(member.up, cost.bytesOut) + gatherMs(view, cost);
}

/**
 * Milliseconds for which a part keeps one place of its device taken, over the number of them: no frame can start sooner
 * after the one before, however idle the processor and the links are meanwhile.
 */
export function placeMs(view: FleetView, member: Member, cost: PartCost): number {
  return aloneOn(view, member, cost) / (member.device.slots ?? SLOTS);
}

class Scheduler {
  readonly #view: FleetView;
  readonly #free: Float64Array;
  /** Until when devices' processors compute what they have been given. */
  readonly #busy: Float64Array;
  /** When a device is done with its last task and with the one before, by its position. */
  readonly #last: Float64Array;
  readonly #slot: Float64Array;
  readonly #hasLocal: boolean;
  /** When the hub's processor serves messages: what it computes itself yields to them. */
  readonly #messages: [number, number][] = [];
  readonly #local: LocalTask[] = [];
  /** When the last of them that was looked at is gathered. */
  #localDone = 0;
  readonly #pending: Pending[] = [];
  #gathered: number[] = [];

  constructor(view: FleetView) {
    this.#view = view;
    this.#free = new Float64Array(view.resources.length);
    this.#busy = new Float64Array(view.resources.length);
    this.#last = new Float64Array(view.members.length);
    this.#slot = new Float64Array(view.members.length);
    this.#hasLocal = view.members.some(({ local }) => local);
  }

  run(parts: readonly Assigned[]): Schedule {
    this.#clear(parts.length);
    if (parts.some(waits)) {
      // Those that take strips come after all that give some.
      for (const [part, assigned] of parts.entries()) if (!waits(assigned)) this.#place(part, assigned);
      for (const [part, assigned] of parts.entries()) if (waits(assigned)) this.#place(part, assigned);
    } else for (let part = 0; part < parts.length; part++) this.#place(part, parts[part] as Assigned);
    this.#gatherUntil(Number.POSITIVE_INFINITY);
    this.#finishLocal();
    const gathered = this.#gathered;
    let ms = Number.NEGATIVE_INFINITY;
    for (const at of gathered) if (at > ms) ms = at;
    return { ms, gathered };
  }

  #clear(parts: number): void {
    this.#free.fill(0);
    this.#busy.fill(0);
    this.#last.fill(0);
    this.#slot.fill(0);
    this.#messages.length = 0;
    this.#local.length = 0;
    this.#pending.length = 0;
    this.#localDone = 0;
    this.#gathered = new Array<number>(parts).fill(-1);
  }

  #place(part: number, { cost, on }: Assigned): void {
    const { members } = this.#view;
    const from = cost.after === undefined ? 0 : this.#waitFor(cost.after);
    let best: Member | undefined;
    let soonest = Number.POSITIVE_INFINITY;
    for (const index of on) {
      const member = members[index] as Member;
      const computed = on.length === 1 ? 0 : this.#computedOn(member, cost, from);
      if (best === undefined || computed < soonest) [best, soonest] = [member, computed];
    }
    if (best === undefined) return;
    // Results that are there before it is sent go first: on a shared medium it waits for them.
    this.#gatherUntil(this.#sendAt(best, from));
    this.#take(part, cost, best, from);
  }

  /** When the last of some parts is gathered; whatever is gathered before it is so too. */
  #waitFor(after: readonly number[]): number {
    if (this.#local.some(({ part }) => after.includes(part))) this.#finishLocal();
    while (this.#pending.length > 0 && after.some((part) => (this.#gathered[part] as number) < 0))
      this.#gatherUntil(Math.min(...this.#pending.map(({ at }) => at)));
    return after.reduce((last, part) => Math.max(last, this.#gathered[part] as number), 0);
  }

  /** When a part could be sent to a device: it has a place for one that it does not compute yet. */
  #sendAt({ index, device }: Member, from: number): number {
    const held = (device.slots ?? SLOTS) < SLOTS ? this.#last : this.#slot;
    return Math.max(this.#free[HUB] as number, held[index] as number, from);
  }

  /** When a device would have computed a part. */
  #computedOn(member: Member, cost: PartCost, from: number): number {
    const sent = this.#sendAt(member, from) + sendMs(this.#view, cost);
    const ms = taskMs(member, cost);
    if (member.local) return this.#localEnd(Math.max(sent, this.#last[member.index] as number), ms);
    const arrived = this.#transferAt(member.down, sent) + longest(member.down, cost.bytesIn);
    return Math.max(arrived, this.#busy[member.processor] as number) + ms;
  }

  #take(part: number, cost: PartCost, member: Member, from: number): void {
    const { index, processor, down } = member;
    const sendAt = this.#sendAt(member, from);
    const sent = sendAt + sendMs(this.#view, cost);
    const ms = taskMs(member, cost);
    let computed: number;
    if (member.local) {
      computed = this.#localEnd(Math.max(sent, this.#last[index] as number), ms);
      this.#local.push({ part, arrived: sent, ms, cost });
    } else {
      const transferAt = this.#transferAt(down, sent);
      const arrived = transferAt + longest(down, cost.bytesIn);
      computed = Math.max(arrived, this.#busy[processor] as number) + ms;
      this.#busy[processor] = computed + (member.device.afterMs ?? 0);
      this.#occupy(down, transferAt, cost.bytesIn);
      this.#pending.push({ part, member, at: computed, cost, arrived: false });
    }
    this.#free[HUB] = sent;
    if (this.#hasLocal) this.#messages.push([sendAt, sent]);
    this.#slot[index] = this.#last[index] as number;
    this.#last[index] = computed;
  }

  /** Gathers what is computed and arrives up to a moment. */
  #gatherUntil(moment: number): void {
    const pending = this.#pending;
    while (pending.length > 0) {
      let first = 0;
      for (let at = 1; at < pending.length; at++)
        if ((pending[at] as Pending).at < (pending[first] as Pending).at) first = at;
      const next = pending[first] as Pending;
      if (!(next.at <= moment)) return;
      pending.splice(first, 1);
      const { part, member, cost } = next;
      if (next.arrived) this.#gathered[part] = this.#message(next.at, cost);
      else {
        const start = this.#transferAt(member.up, next.at);
        this.#occupy(member.up, start, cost.bytesOut);
        next.at = start + longest(member.up, cost.bytesOut);
        next.arrived = true;
        pending.push(next);
      }
    }
  }

  #message(arrived: number, cost: PartCost): number {
    const begin = Math.max(arrived, this.#free[HUB] as number);
    const end = begin + gatherMs(this.#view, cost);
    this.#free[HUB] = end;
    if (this.#hasLocal) this.#messages.push([begin, end]);
    return end;
  }

  #finishLocal(): void {
    for (const { part, arrived, ms, cost } of this.#local) {
      const end = this.#localEnd(Math.max(arrived, this.#localDone), ms);
      this.#localDone = this.#localEnd(end, gatherMs(this.#view, cost));
      this.#gathered[part] = this.#localDone;
    }
    this.#local.length = 0;
  }

  /** When the hub's processor has done `ms` of its own work from a moment on, beside its messages. */
  #localEnd(from: number, ms: number): number {
    let end = from + ms;
    for (const [begin, until] of this.#messages) {
      if (until <= from) continue;
      if (begin >= end) break;
      end += until - Math.max(begin, from);
    }
    return end;
  }

  #transferAt(legs: readonly Leg[], from: number): number {
    let at = from;
    for (const { resource } of legs) at = Math.max(at, this.#free[resource] as number);
    return at;
  }

  #occupy(legs: readonly Leg[], from: number, bytes: number): void {
    for (const leg of legs) this.#free[leg.resource] = from + legMs(leg, bytes);
  }
}

/** Whether a part takes strips from others of its block. */
function waits({ cost }: Assigned): boolean {
  return cost.after !== undefined;
}

/** Milliseconds until a transfer over all its media at once is done. */
function longest(legs: readonly Leg[], bytes: number): number {
  let ms = 0;
  for (const leg of legs) ms = Math.max(ms, legMs(leg, bytes));
  return ms;
}
