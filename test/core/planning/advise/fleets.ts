/** Fleets made by hand: devices with one speed for every operator. */

import {
  type Device,
  type Fleet,
  type Medium,
  OTHER,
} from '../../../../services/core/planning/cost/fleet.ts';
import { MBIT } from '../../../../services/core/planning/units.ts';

export interface FleetInit {
  /** Speed of each device, 1 being 10 G multiply-accumulates per second. */
  readonly speeds: readonly number[];
  /** Of every cable, and of the hub's. */
  readonly mbit?: number;
  /** One medium for all, in both directions, instead of cables. */
  readonly wifi?: boolean;
  /** Bytes a worker may use in all. */
  readonly memoryBytes?: number;
}

const IDLE = 64e6;

/** The first device runs on the hub; the others are behind a cable each, or on the same air. */
export function fleetOfSpeeds({
  speeds,
  mbit = 1000,
  wifi = false,
  memoryBytes = Number.POSITIVE_INFINITY,
}: FleetInit): Fleet {
  const names = wifi ? ['wifi'] : ['hub-cable', ...speeds.slice(1).map((_, at) => `cable-${at + 2}`)];
  const media = names.map((name): Medium => {
    return { name, bytesPerMs: mbit * MBIT, duplex: wifi ? 'half' : 'full', latencyMs: 0.2 };
  });
  return {
    hub: { ...(wifi ? {} : { medium: 'hub-cable' }), messageMs: 0.05, byteMs: 1e-6 },
    media: new Map(media.map((medium) => [medium.name, medium])),
    devices: speeds.map((speed, at) => deviceOfSpeed(at, speed, memoryBytes, wifi)),
  };
}

function deviceOfSpeed(at: number, speed: number, memoryBytes: number, wifi: boolean): Device {
  const medium = wifi ? 'wifi' : `cable-${at + 1}`;
  return {
    id: `pi-${at + 1}`,
    kinds: new Map([
      [OTHER, { run: 0.01 / speed, mac: 1e-7 / speed, byte: 1e-8 / speed, weight: 1e-8 / speed }],
    ]),
    taskMs: 0.3,
    byteMs: 1e-6,
    memoryBytes,
    idleBytes: IDLE,
    // Models here are thousands of times smaller than what a worker takes beside them.
    overhead: { runningBytes: 0, activations: 1, subModelBytes: 0 },
    estimated: false,
    ...(at === 0 ? {} : { medium }),
  };
}
