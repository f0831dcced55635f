/** The fleet of a running system: devices of a file, and those that published a profile. */

import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import { deviceOf, fleetOf, mediumOf } from '../../services/core/planning/cost/fleet-of.ts';
import type { Devices } from '../../services/core/schema/generated/devices.ts';
import type { Profile } from '../../services/core/schema/generated/profile.ts';

export interface FleetSources {
  /** A devices file; where it names a device it goes over that device's own profile. */
  readonly given?: Devices | undefined;
  readonly profiles: readonly Profile[];
  /** Workers on the hub: nothing lies between. */
  readonly local: ReadonlySet<string>;
}

/** A device on another machine has the link it measured for itself; one that measured none takes no part. */
export function liveFleet({ given = { devices: [] }, profiles, local }: FleetSources): Fleet {
  const { hub, media: known, devices: named } = fleetOf(given);
  const media = new Map(known);
  const devices = [...named];
  const names = new Set(named.map(({ id }) => id));
  for (const profile of profiles) {
    const { device } = profile;
    if (names.has(device)) continue;
    const medium = mediumOf(profile);
    if (local.has(device)) devices.push(deviceOf(profile));
    else if (medium !== undefined) {
      media.set(medium.name, medium);
      devices.push(deviceOf(profile, { medium: medium.name }));
    }
  }
  return { hub, media, devices };
}

/** The part of a fleet that is there. */
export function presentFleet(fleet: Fleet, ids: Iterable<string>): Fleet {
  const present = new Set(ids);
  return { ...fleet, devices: fleet.devices.filter(({ id }) => present.has(id)) };
}
