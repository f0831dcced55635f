/** The emulated machines as the planner sees them: from a measured profile, the links that were set, and what the hub was seen to take. */

import type { Fleet, Medium } from '../../../services/core/planning/cost/fleet.ts';
import { deviceOf } from '../../../services/core/planning/cost/fleet-of.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { HUB } from '../../emulate/cluster.ts';
import { DEVICES } from './rig.ts';

export interface FleetOptions {
  /** Of a device with `quota` of a processor. */
  readonly profile: Profile;
  readonly quota: number;
  readonly millicores: number;
  readonly bitsPerSecond: number;
}

/** What a shaped link carries beside TCP's and MQTT's own bytes: 191 of 200 Mbit/s. */
const USEFUL = 0.955;
/** Processor milliseconds of the hub per byte it passes on, on a whole processor: 30 to 37 for 3.4 MB were seen. */
const HUB_BYTE_MS = 1e-5;
const LINK_LATENCY_MS = 0.3;
/** Processor milliseconds of the hub per message: dispatch, gather, timers. */
const HUB_MESSAGE_MS = 0.25;

/** The hub is a device among them, without a link. */
export function fleetFor({ profile, quota, millicores, bitsPerSecond }: FleetOptions): Fleet {
  const share = millicores / 1000;
  const speed = share / quota;
  const bytesPerMs = (USEFUL * bitsPerSecond) / 8000;
  const cable = (name: string): Medium => ({ name, bytesPerMs, duplex: 'full', latencyMs: LINK_LATENCY_MS });
  const devices = DEVICES.map((id) => deviceOf(profile, { id, speed, medium: id }));
  return {
    hub: { medium: HUB, messageMs: HUB_MESSAGE_MS / share, byteMs: HUB_BYTE_MS / share },
    media: new Map([HUB, ...DEVICES].map((name) => [name, cable(name)])),
    devices: [...devices, deviceOf(profile, { id: HUB, speed })],
  };
}
