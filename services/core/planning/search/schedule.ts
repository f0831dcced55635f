/**
 * How long one block takes when everything waits for it: its inputs are sent in order, its parts computed, its outputs
 * gathered as they finish. A list schedule: every part gets the earliest place on each resource it needs.
 */

import { type FleetView, HUB, type Leg, legMs, type Member, messageMs, taskMs } from './fleet-view.ts';
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
  readonly bytes: number;
  readonly arrived: boolean;
}

interface LocalTask {
  readonly part: number;
  readonly member: Member;
  readonly arrived: number;
  readonly ms: number;
  readonly bytes: number;
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
  /** Moments at which the tasks of a device were done, by its position. */
  readonly #done: (number[] | undefined)[] = [];
  /** When the hub's processor serves messages: what it computes itself yields to them. */
  readonly #messages: [number, number][] = [];
  readonly #local: LocalTask[] = [];
  readonly #pending: Pending[] = [];
  #gathered: number[] = [];

  constructor(view: FleetView) {
    this.#view = view;
    this.#free = new Float64Array(view.resources.length);
  }

  run(parts: readonly Assigned[]): Schedule {
    this.#gathered = new Array<number>(parts.length).fill(0);
    for (const [part, { cost, on }] of parts.entries()) {
      let best: Offer | undefined;
      for (const index of on) {
        const offer = this.#offer(this.#view.members[index] as Member, cost);
        if (best === undefined || offer.computed < best.computed) best = offer;
      }
      if (best === undefined) continue;
      // Results that are there before it is sent go first: on a shared medium it waits for them.
      if (this.#gatherUntil(best.sendAt)) best = this.#offer(best.member, cost);
      this.#take(part, cost, best);
    }
    this.#gatherUntil(Number.POSITIVE_INFINITY);
    this.#finishLocal();
    return { ms: Math.max(...this.#gathered), gathered: this.#gathered };
  }

  #offer(member: Member, cost: PartCost): Offer {
    const free = this.#free;
    const done = this.#done[member.index];
    const slot = done === undefined || done.length < SLOTS ? 0 : (done[done.length - SLOTS] as number);
    const sendAt = Math.max(free[HUB] as number, slot);
    const sent = sendAt + messageMs(this.#view, cost.bytesIn);
    const ms = taskMs(member, cost);
    const last = done?.at(-1) ?? 0;
    if (member.local) {
      const computed = this.#localEnd(Math.max(sent, last), ms);
      return { member, sendAt, sent, transferAt: sent, arrived: sent, computed };
    }
    const transferAt = this.#transferAt(member.down, sent);
    const arrived = transferAt + longest(member.down, cost.bytesIn);
    return { member, sendAt, sent, transferAt, arrived, computed: Math.max(arrived, last) + ms };
  }

  #take(part: number, cost: PartCost, offer: Offer): void {
    const { member, sendAt, sent, transferAt, arrived, computed } = offer;
    this.#free[HUB] = sent;
    this.#messages.push([sendAt, sent]);
    this.#occupy(member.down, transferAt, cost.bytesIn);
    const done = this.#done[member.index];
    if (done === undefined) this.#done[member.index] = [computed];
    else done.push(computed);
    if (member.local)
      this.#local.push({ part, member, arrived, ms: taskMs(member, cost), bytes: cost.bytesOut });
    else this.#pending.push({ part, member, at: computed, bytes: cost.bytesOut, arrived: false });
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
      const { part, member, at, bytes, arrived } = first;
      this.#pending.splice(this.#pending.indexOf(first), 1);
      if (arrived) this.#gathered[part] = this.#message(at, bytes);
      else {
        const start = this.#transferAt(member.up, at);
        this.#occupy(member.up, start, bytes);
        this.#pending.push({ ...first, at: start + longest(member.up, bytes), arrived: true });
      }
    }
  }

  #message(arrived: number, bytes: number): number {
    const begin = Math.max(arrived, this.#free[HUB] as number);
    const end = begin + messageMs(this.#view, bytes);
    this.#free[HUB] = end;
    this.#messages.push([begin, end]);
    return end;
  }

  #finishLocal(): void {
    let last = 0;
    for (const { part, arrived, ms, bytes } of this.#local) {
      last = this.#localEnd(Math.max(arrived, last), ms);
      this.#gathered[part] = this.#localEnd(last, messageMs(this.#view, bytes));
      last = this.#gathered[part] as number;
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

/** Milliseconds until a transfer over all its media at once is done. */
function longest(legs: readonly Leg[], bytes: number): number {
  let ms = 0;
  for (const leg of legs) ms = Math.max(ms, legMs(leg, bytes));
  return ms;
}
