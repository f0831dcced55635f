/** The emulated machines as the planner sees them: from a measured profile, the links that were set, and what the hub was seen to take. */

import { type Fleet, HUB_BYTE_MS, HUB_MESSAGE_MS } from '../../../services/core/planning/cost/fleet.ts';
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
  /** Absent: as a device. */
  readonly hubMillicores?: number;
  /** Times as long as their share of a processor says that devices and hub take, for short periods of a quota cost caches. */
  readonly slowdown?: number | undefined;
  readonly bitsPerSecond: number;
  /** Who is on one half-duplex medium of that rate instead of a cable each: the devices, or the hub as well. */
  readonly shared?: 'devices' | 'everyone' | undefined;
  /** Whether the hub is a device among them, without a link. */
  readonly hubComputes?: boolean;
  /** Bytes of every device beyond an empty worker; absent: what the profile says. */
  readonly roomBytes?: number | undefined;
  /** Whether each device embeds a broker for what its neighbours send. */
  readonly endpoints?: boolean;
  /** Of lean workers. */
  readonly lean?: boolean;
}

/** What a shaped link carries beside TCP's and MQTT's own bytes: 191 of 200 Mbit/s. */
const USEFUL = 0.955;
const LINK_LATENCY_MS = 0.3;

const AIR = 'air';

/** As `devices.yaml` says it. */
export function emulatedDevices(options: FleetOptions): Devices {
  const {
    quota,
    devices,
    hubComputes = false,
    roomBytes,
    lean = false,
    shared,
    endpoints = false,
    slowdown = 1,
  } = options;
  const profile: Profile = lean ? { ...options.profile, lean } : options.profile;
  const hubShare = (options.hubMillicores ?? options.millicores) / 1000;
  const mbit = (USEFUL * options.bitsPerSecond) / 1e6;
  const memory = roomBytes === undefined ? {} : { memory: `${profile.idleBytes + roomBytes}B` };
  const speedOf = (id: string): number =>
    (options.unequal?.[id] ?? options.millicores) / 1000 / quota / slowdown;
  const computing = devices.map((name) => ({
    name,
    profile,
    speed: speedOf(name),
    medium: shared === undefined ? name : AIR,
    estimated: false,
    ...(endpoints ? { endpoint: true } : {}),
    ...memory,
  }));
  const hub = { name: HUB_WORKER, profile, speed: hubShare / quota / slowdown, estimated: false };
  return {
    hub: { ...hubMedium(shared), messageMs: HUB_MESSAGE_MS / hubShare, byteMs: HUB_BYTE_MS / hubShare },
    media:
      shared === undefined
        ? [HUB, ...devices].map((name) => ({ name, mbit, latencyMs: LINK_LATENCY_MS }))
        : [{ name: AIR, mbit, duplex: 'half', latencyMs: LINK_LATENCY_MS }],
    devices: [...computing, ...(hubComputes ? [hub] : [])],
  };
}

/** On a cable it is as fast as anything on the air. */
function hubMedium(shared: FleetOptions['shared']): { medium?: string } {
  if (shared === 'devices') return {};
  return { medium: shared === undefined ? HUB : AIR };
}

export function emulatedFleet(options: FleetOptions): Fleet {
  return fleetOf(emulatedDevices(options));
}
