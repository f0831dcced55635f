/**
 * How long one block takes when everything waits for it: its inputs are sent in order, its parts computed, its outputs
 * gathered as they finish. A list schedule: every part gets the earliest place on each resource it needs.
 */

import { type FleetView, gatherMs, HUB, type Leg, legMs, type Member, sendMs, taskMs } from './fleet-view.ts';
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

/** Tasks a device holds: one computed, one received meanwhile. */
const SLOTS = 2;

/** An output on its way back: computed at a moment, or arrived at the hub. */
interface Pending {
  readonly part: number;
  readonly member: Member;
  readonly at: number;
  readonly cost: PartCost;
  readonly arrived: boolean;
}

interface LocalTask {
  readonly part: number;
  readonly member: Member;
  readonly arrived: number;
  readonly ms: number;
  readonly cost: PartCost;
}

/** Where a part would go, and when. */
interface Offer {
  readonly member: Member;
  readonly sendAt: number;
  readonly sent: number;
  readonly transferAt: number;
  readonly arrived: number;
  readonly computed: number;
}

export function schedule(view: FleetView, parts: readonly Assigned[]): Schedule {
  return new Scheduler(view).run(parts);
}

class Scheduler {
  readonly #view: FleetView;
  readonly #free: Float64Array;
  /** Until when devices' processors compute what they have been given. */
  readonly #busy: Float64Array;
  /** Moments at which the tasks of a device were done, by its position. */
  readonly #done: (number[] | undefined)[] = [];
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
  }

  run(parts: readonly Assigned[]): Schedule {
    this.#gathered = new Array<number>(parts.length).fill(-1);
    for (const [part, { cost, on }] of inOrder(parts)) {
      const from = this.#waitFor(cost.after ?? []);
      let best: Offer | undefined;
      for (const index of on) {
        const offer = this.#offer(this.#view.members[index] as Member, cost, from);
        if (best === undefined || offer.computed < best.computed) best = offer;
      }
      if (best === undefined) continue;
      // Results that are there before it is sent go first: on a shared medium it waits for them.
      if (this.#gatherUntil(best.sendAt)) best = this.#offer(best.member, cost, from);
      this.#take(part, cost, best);
    }
    this.#gatherUntil(Number.POSITIVE_INFINITY);
    this.#finishLocal();
    return { ms: Math.max(...this.#gathered), gathered: this.#gathered };
  }

  /** When the last of some parts is gathered; whatever is gathered before it is so too. */
  #waitFor(after: readonly number[]): number {
    if (this.#local.some(({ part }) => after.includes(part))) this.#finishLocal();
    while (this.#pending.length > 0 && after.some((part) => (this.#gathered[part] as number) < 0))
      this.#gatherUntil(Math.min(...this.#pending.map(({ at }) => at)));
    return after.reduce((last, part) => Math.max(last, this.#gathered[part] as number), 0);
  }

  #offer(member: Member, cost: PartCost, from: number): Offer {
    const free = this.#free;
    const done = this.#done[member.index];
    const slot = done === undefined || done.length < SLOTS ? 0 : (done[done.length - SLOTS] as number);
    const sendAt = Math.max(free[HUB] as number, slot, from);
    const sent = sendAt + sendMs(this.#view, cost);
    const ms = taskMs(member, cost);
    if (member.local) {
      const last = done?.at(-1) ?? 0;
      const computed = this.#localEnd(Math.max(sent, last), ms);
      return { member, sendAt, sent, transferAt: sent, arrived: sent, computed };
    }
    const transferAt = this.#transferAt(member.down, sent);
    const arrived = transferAt + longest(member.down, cost.bytesIn);
    const busy = this.#busy[member.processor] as number;
    return { member, sendAt, sent, transferAt, arrived, computed: Math.max(arrived, busy) + ms };
  }

  #take(part: number, cost: PartCost, offer: Offer): void {
    const { member, sendAt, sent, transferAt, arrived, computed } = offer;
    this.#free[HUB] = sent;
    this.#messages.push([sendAt, sent]);
    this.#occupy(member.down, transferAt, cost.bytesIn);
    const done = this.#done[member.index];
    if (!member.local) this.#busy[member.processor] = computed;
    if (done === undefined) this.#done[member.index] = [computed];
    else done.push(computed);
    if (member.local) this.#local.push({ part, member, arrived, ms: taskMs(member, cost), cost });
    else this.#pending.push({ part, member, at: computed, cost, arrived: false });
  }

  /** Gathers what is computed and arrives up to a moment; returns whether there was anything. */
  #gatherUntil(moment: number): boolean {
    let any = false;
    for (;;) {
      let first: Pending | undefined;
      for (const pending of this.#pending)
        if (pending.at <= moment && (first === undefined || pending.at < first.at)) first = pending;
      if (first === undefined) return any;
      any = true;
      const { part, member, at, cost, arrived } = first;
      this.#pending.splice(this.#pending.indexOf(first), 1);
      if (arrived) this.#gathered[part] = this.#message(at, cost);
      else {
        const start = this.#transferAt(member.up, at);
        this.#occupy(member.up, start, cost.bytesOut);
        this.#pending.push({ ...first, at: start + longest(member.up, cost.bytesOut), arrived: true });
      }
    }
  }

  #message(arrived: number, cost: PartCost): number {
    const begin = Math.max(arrived, this.#free[HUB] as number);
    const end = begin + gatherMs(this.#view, cost);
    this.#free[HUB] = end;
    this.#messages.push([begin, end]);
    return end;
  }

  #finishLocal(): void {
    for (const { part, arrived, ms, cost } of this.#local.splice(0)) {
      const end = this.#localEnd(Math.max(arrived, this.#localDone), ms);
      this.#localDone = this.#localEnd(end, gatherMs(this.#view, cost));
      this.#gathered[part] = this.#localDone;
    }
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

/** Parts in the order in which they are sent: those that take strips after all that give some. */
function inOrder(parts: readonly Assigned[]): [number, Assigned][] {
  const all = [...parts.entries()];
  const waits = ([, { cost }]: [number, Assigned]): boolean => cost.after !== undefined;
  return all.some(waits) ? [...all.filter((one) => !waits(one)), ...all.filter(waits)] : all;
}

/** Milliseconds until a transfer over all its media at once is done. */
function longest(legs: readonly Leg[], bytes: number): number {
  let ms = 0;
  for (const leg of legs) ms = Math.max(ms, legMs(leg, bytes));
  return ms;
}
