/** The emulated machines as the planner sees them: from a measured profile, the links that were set, and what the hub was seen to take. */

import { type Fleet, HUB_BYTE_MS } from '../../../services/core/planning/cost/fleet.ts';
import { fleetOf } from '../../../services/core/planning/cost/fleet-of.ts';
import type { Devices } from '../../../services/core/schema/generated/devices.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { HUB, HUB_WORKER } from '../../emulate/cluster.ts';

export interface FleetOptions {
  /** Of a device with `quota` of a processor. */
  readonly profile: Profile;
  readonly quota: number;
  /** Ids of the devices beside the hub. */
  readonly devices: readonly string[];
  /** Of each device. */
  readonly millicores: number;
  /** Of devices that have another share, by id. */
  readonly unequal?: Readonly<Record<string, number>> | undefined;
  readonly hubMillicores: number;
  readonly bitsPerSecond: number;
  /** Whether the hub is a device among them, without a link. */
  readonly hubComputes?: boolean;
  /** Bytes of every device beyond an empty worker; absent: what the profile says. */
  readonly roomBytes?: number | undefined;
  /** Of lean workers. */
  readonly lean?: boolean;
}

/** What a shaped link carries beside TCP's and MQTT's own bytes: 191 of 200 Mbit/s. */
const USEFUL = 0.955;
const LINK_LATENCY_MS = 0.3;
/** Processor milliseconds of the hub per message: dispatch, gather, timers. */
const HUB_MESSAGE_MS = 0.25;

/** As `devices.yaml` says it. */
export function emulatedDevices(options: FleetOptions): Devices {
  const { quota, devices, hubComputes = false, roomBytes, lean = false } = options;
  const profile: Profile = lean ? { ...options.profile, lean } : options.profile;
  const hubShare = options.hubMillicores / 1000;
  const mbit = (USEFUL * options.bitsPerSecond) / 1e6;
  const memory = roomBytes === undefined ? {} : { memory: `${profile.idleBytes + roomBytes}B` };
  const speedOf = (id: string): number => (options.unequal?.[id] ?? options.millicores) / 1000 / quota;
  const computing = devices.map((name) => ({
    name,
    profile,
    speed: speedOf(name),
    medium: name,
    estimated: false,
    ...memory,
  }));
  const hub = { name: HUB_WORKER, profile, speed: hubShare / quota, estimated: false };
  return {
    hub: { medium: HUB, messageMs: HUB_MESSAGE_MS / hubShare, byteMs: HUB_BYTE_MS / hubShare },
    media: [HUB, ...devices].map((name) => ({ name, mbit, latencyMs: LINK_LATENCY_MS })),
    devices: [...computing, ...(hubComputes ? [hub] : [])],
  };
}

export function emulatedFleet(options: FleetOptions): Fleet {
  return fleetOf(emulatedDevices(options));
}
