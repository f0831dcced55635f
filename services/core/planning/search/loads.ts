/** How long transfers keep the media and the hub busy: all at once, or one after the other. */

import { type FleetView, HUB, type Leg, legMs } from './fleet-view.ts';

const known = new WeakMap<FleetView, Loads>();

/** One at a time for each fleet: a search asks for tens of thousands, and none outlives the next. */
export class Loads {
  readonly #view: FleetView;
  readonly #busy: Float64Array;
  /** The longest of those met. */
  latency = 0;

  /** Nothing is busy. */
  static of(view: FleetView): Loads {
    let loads = known.get(view);
    if (loads === undefined) {
      loads = new Loads(view);
      known.set(view, loads);
    }
    loads.#busy.fill(0);
    loads.latency = 0;
    return loads;
  }

  private constructor(view: FleetView) {
    this.#view = view;
    this.#busy = new Float64Array(view.resources.length);
  }

  along(legs: readonly Leg[], bytes: number, messages: number): void {
    for (const leg of legs) {
      this.latency = Math.max(this.latency, leg.latencyMs);
      this.#add(leg.resource, bytes * leg.msPerByte + messages * leg.latencyMs);
    }
  }

  /** `packed`: bytes that the hub inflates. */
  hub(messages: number, bytes: number, packed = 0): void {
    const { fleet, deflate } = this.#view;
    const { messageMs, byteMs } = fleet.hub;
    this.#add(HUB, messages * messageMs + bytes * byteMs + packed * deflate.inflateMs);
  }

  /** When a transfer is over that begins when all its media are free, at `from` or later. */
  transfer(legs: readonly Leg[], bytes: number, from: number): number {
    let begin = from;
    for (const { resource } of legs) begin = Math.max(begin, this.#busy[resource] as number);
    let end = begin;
    for (const leg of legs) {
      const over = begin + legMs(leg, bytes);
      this.#busy[leg.resource] = over;
      end = Math.max(end, over);
    }
    return end;
  }

  longest(): number {
    let most = 0;
    for (const ms of this.#busy) most = Math.max(most, ms);
    return most;
  }

  #add(resource: number, ms: number): void {
    this.#busy[resource] = (this.#busy[resource] as number) + ms;
  }
}
