/** The processors and media of a fleet as servers, and the way of every device through them. */

import { TilepipeError } from '../../runtime/errors.ts';
import { type DeflateCost, hubDeflate } from '../cost/deflate.ts';
import type { Device, Fleet, Hub, Medium } from '../cost/fleet.ts';
import type { Clock } from './clock.ts';
import { type Job, Server, type Usage } from './server.ts';
import type { TimelineEvent } from './types.ts';

/** One medium a transfer occupies. */
export interface Leg {
  readonly lane: Server;
  readonly latencyMs: number;
  readonly msPerByte: number;
}

/** A device with its processor and its media. */
export interface Station {
  readonly device: Device;
  /** Media in the order a message meets them; empty on the hub. */
  readonly in: readonly Leg[];
  readonly out: readonly Leg[];
  /** `afterMs`: of the processor, once it is served. */
  compute(job: Job, ms: number, afterMs?: number): void;
}

/** Milliseconds a message of `bytes` occupies a leg. */
export function legMs({ latencyMs, msPerByte }: Leg, bytes: number): number {
  return latencyMs + bytes * msPerByte;
}

export class Network {
  /** The hub's processor. */
  readonly hub: Server;
  readonly stations: readonly Station[];
  /** What deflating costs the hub's processor. */
  readonly hubDeflate: DeflateCost;
  readonly #servers: Server[] = [];
  readonly #guests: Usage[] = [];
  readonly #lanes = new Map<string, Server>();
  readonly #processors = new Map<string, Server>();
  readonly #deps: { clock: Clock; fleet: Fleet; timeline: TimelineEvent[] | undefined };

  /** Throws `config-invalid` where a medium is named that the fleet does not have. */
  constructor(deps: { clock: Clock; fleet: Fleet; timeline: TimelineEvent[] | undefined }) {
    this.#deps = deps;
    this.hub = this.#server('hub', 'message');
    this.hubDeflate = hubDeflate(deps.fleet.hub);
    this.stations = deps.fleet.devices.map((device) => this.#station(device));
  }

  /** What a message costs the hub's processor. */
  get hubCost(): Hub {
    return this.#deps.fleet.hub;
  }

  /** Busy milliseconds of every resource up to now. */
  usage(): Usage[] {
    for (const server of this.#servers) server.settle();
    return [
      ...this.#servers.map(({ usage }) => ({ ...usage })),
      ...this.#guests.map((usage) => ({ ...usage })),
    ];
  }

  /** Ids of devices that compute on the hub's processor. */
  get onHub(): readonly string[] {
    return this.#guests.map(({ name }) => name);
  }

  #station(device: Device): Station {
    const { medium } = device;
    if (medium === undefined && device.processor !== undefined) {
      const processor = this.#processor(device.processor);
      return { device, in: [], out: [], compute: (...job) => processor.request(...job) };
    }
    if (medium === undefined) {
      const guest: Usage = { name: device.id, busyMs: 0 };
      this.#guests.push(guest);
      return {
        device,
        in: [],
        out: [],
        compute: (job, ms, afterMs) => this.hub.requestGuest(job, ms, guest, afterMs),
      };
    }
    const { hub } = this.#deps.fleet;
    const processor = this.#server(device.id, 'compute');
    const legs = (toDevice: boolean): Leg[] => {
      const own = toDevice ? 'in' : 'out';
      // One medium for both: every message crosses it twice, to the access point and from it.
      if (hub.medium === medium) return [this.#leg(medium, own, 2)];
      const leg = this.#leg(medium, own, 1);
      if (hub.medium === undefined) return [leg];
      const hubLeg = this.#leg(hub.medium, toDevice ? 'out' : 'in', 1);
      return toDevice ? [hubLeg, leg] : [leg, hubLeg];
    };
    return {
      device,
      in: legs(true),
      out: legs(false),
      compute: (...job) => processor.request(...job),
    };
  }

  /** Media from one device to another past the hub's broker; none where both are on the hub. */
  between(from: number, to: number): readonly Leg[] {
    const [sender, receiver] = [this.stations[from] as Station, this.stations[to] as Station];
    const [out, into] = [sender.device.medium, receiver.device.medium];
    if (into === undefined) return sender.out;
    if (out === undefined) return receiver.in;
    // Through an access point; to it, and from it.
    if (out === into && this.#medium(out).duplex === 'half') return [this.#leg(out, 'out', 2)];
    return [this.#leg(out, 'out', 1), this.#leg(into, 'in', 1)];
  }

  /** One that devices on the hub may share. */
  #processor(name: string): Server {
    const server = this.#processors.get(name) ?? this.#server(name, 'compute');
    this.#processors.set(name, server);
    return server;
  }

  #leg(name: string, direction: 'in' | 'out', times: number): Leg {
    const medium = this.#medium(name);
    const lane = medium.duplex === 'half' ? name : `${name} ${direction}`;
    let server = this.#lanes.get(lane);
    if (server === undefined) {
      server = this.#server(lane, 'transfer');
      this.#lanes.set(lane, server);
    }
    return { lane: server, latencyMs: times * medium.latencyMs, msPerByte: times / medium.bytesPerMs };
  }

  #medium(name: string): Medium {
    const medium = this.#deps.fleet.media.get(name);
    if (medium === undefined) throw new TilepipeError('config-invalid', `there is no medium "${name}"`);
    return medium;
  }

  #server(name: string, kind: TimelineEvent['kind']): Server {
    const { clock, timeline } = this.#deps;
    const server = new Server({ clock, name, kind, timeline });
    this.#servers.push(server);
    return server;
  }
}
