/** The emulated machines as the planner sees them: from a measured profile, the links that were set, and what the hub was seen to take. */

import type { Fleet, Medium } from '../../../services/core/planning/cost/fleet.ts';
import { deviceOf } from '../../../services/core/planning/cost/fleet-of.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { HUB } from '../../emulate/cluster.ts';

export interface FleetOptions {
  /** Of a device with `quota` of a processor. */
  readonly profile: Profile;
  readonly quota: number;
  /** Ids of the devices beside the hub. */
  readonly devices: readonly string[];
  /** Of each device. */
  readonly millicores: number;
  readonly hubMillicores: number;
  readonly bitsPerSecond: number;
  /** Whether the hub is a device among them, without a link. */
  readonly hubComputes?: boolean;
  /** Bytes of every device beyond an empty worker; absent: what the profile says. */
  readonly roomBytes?: number | undefined;
}

/** What a shaped link carries beside TCP's and MQTT's own bytes: 191 of 200 Mbit/s. */
const USEFUL = 0.955;
/** Processor milliseconds of the hub per byte it passes on, on a whole processor: 30 to 37 for 3.4 MB were seen. */
const HUB_BYTE_MS = 1e-5;
const LINK_LATENCY_MS = 0.3;
/** Processor milliseconds of the hub per message: dispatch, gather, timers. */
const HUB_MESSAGE_MS = 0.25;

export function emulatedFleet(options: FleetOptions): Fleet {
  const { profile, quota, devices, hubComputes = false, roomBytes } = options;
  const hubShare = options.hubMillicores / 1000;
  const bytesPerMs = (USEFUL * options.bitsPerSecond) / 8000;
  const cable = (name: string): Medium => ({ name, bytesPerMs, duplex: 'full', latencyMs: LINK_LATENCY_MS });
  const memory = roomBytes === undefined ? {} : { memoryBytes: profile.idleBytes + roomBytes };
  const speed = options.millicores / 1000 / quota;
  const computing = devices.map((id) => deviceOf(profile, { id, speed, medium: id, ...memory }));
  if (hubComputes) computing.push(deviceOf(profile, { id: HUB, speed: hubShare / quota }));
  return {
    hub: { medium: HUB, messageMs: HUB_MESSAGE_MS / hubShare, byteMs: HUB_BYTE_MS / hubShare },
    media: new Map([HUB, ...devices].map((name) => [name, cable(name)])),
    devices: computing,
  };
}
