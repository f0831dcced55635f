/** A strip on its way from one device to another: its media, the hub's broker, the other's media; or straight there. */

import { type Leg, legMs, type Network, type Station } from './network.ts';
import type { Job, Server } from './server.ts';
import type { SimulatedStrip, SimulatedTask } from './task-table.ts';

export interface StripRunDeps {
  readonly network: Network;
  /** Bytes have been handed to a link. */
  readonly sent: (bytes: number) => void;
  readonly arrived: () => void;
}

interface Way {
  /** Positions of the devices; it comes from the hub where there is none. */
  readonly from: number | undefined;
  readonly to: number;
  readonly strip: Omit<SimulatedStrip, 'to'>;
  readonly frame: number;
  /** The task that waits for it. */
  readonly task: SimulatedTask;
}

type Stage = 'out' | 'broker' | 'in';

export class StripRun implements Job {
  readonly #deps: StripRunDeps;
  readonly #way: Way;
  #stage: Stage = 'out';
  #legs: readonly Leg[] = [];
  #legsLeft = 0;

  constructor(deps: StripRunDeps, way: Way) {
    this.#deps = deps;
    this.#way = way;
  }

  get frame(): number {
    return this.#way.frame;
  }

  get block(): number {
    return this.#way.task.block;
  }

  get part(): number {
    return this.#way.task.part;
  }

  get deviceId(): string {
    return this.#station.device.id;
  }

  send(): void {
    const { from, to, strip } = this.#way;
    const { stations } = this.#deps.network;
    if (from === undefined) this.#broker();
    else if (strip.direct) this.#transfer('in', this.#deps.network.between(from, to));
    else this.#transfer('out', (stations[from] as Station).out);
  }

  /** Cut-through: the next medium carries the message's head while this one still carries its tail. */
  begun(server: Server): void {
    if (this.#stage === 'broker') return;
    const [first, second] = this.#legs;
    if (second !== undefined && first?.lane === server)
      second.lane.request(this, legMs(second, this.#way.strip.bytes));
  }

  served(): void {
    if (this.#stage === 'broker') this.#transfer('in', this.#station.in);
    else if (--this.#legsLeft > 0) return;
    else if (this.#stage === 'in') this.#deps.arrived();
    else this.#broker();
  }

  #broker(): void {
    const { hubCost, hubDeflate, hub } = this.#deps.network;
    const { from, strip } = this.#way;
    this.#stage = 'broker';
    // Strips of devices pass the hub as they are, those of the frame are written there.
    const deflateMs = from === undefined ? hubDeflate.deflateMs * (strip.packed ?? 0) : 0;
    hub.request(this, hubCost.messageMs + hubCost.byteMs * strip.bytes + deflateMs);
  }

  get #station(): Station {
    const { from, to } = this.#way;
    return this.#deps.network.stations[this.#stage === 'out' ? (from ?? to) : to] as Station;
  }

  #transfer(stage: 'out' | 'in', legs: readonly Leg[]): void {
    this.#stage = stage;
    this.#legs = legs;
    const [first, second] = legs;
    this.#legsLeft = second === undefined ? 1 : 2;
    if (first === undefined) this.served();
    else {
      this.#deps.sent(this.#way.strip.bytes);
      first.lane.request(this, legMs(first, this.#way.strip.bytes));
    }
  }
}
