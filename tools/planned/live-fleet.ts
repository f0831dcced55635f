/** The fleet of a running system: devices of a file, and those that published a profile. */

import { availableParallelism } from 'node:os';
import type { Device, Fleet, Hub, Medium } from '../../services/core/planning/cost/fleet.ts';
import { deviceOf, fleetOf, mediumOf } from '../../services/core/planning/cost/fleet-of.ts';
import { type SharedLink, sharedLink } from '../../services/core/planning/cost/link-sharing.ts';
import type { Devices } from '../../services/core/schema/generated/devices.ts';
import type { Profile } from '../../services/core/schema/generated/profile.ts';
import { limitsHere } from '../../services/worker/profile/limits.ts';

export interface FleetSources {
  /** A devices file; where it names a device it goes over that device's own profile. */
  readonly given?: Devices | undefined;
  readonly profiles: readonly Profile[];
  /** Workers on the hub: nothing lies between. */
  readonly local: ReadonlySet<string>;
  /** Workers with brokers of their own; a devices file may name others. */
  readonly endpoints?: ReadonlySet<string>;
  /** Codecs of messages that workers know; of others all. */
  readonly codecs?: ReadonlyMap<string, readonly string[]>;
  /** Processors of the hub that its services and workers share; absent: as many as this machine gives. */
  readonly cores?: number;
}

/**
 * A device on another machine has the link it measured for itself, unless links measured all at once show that it shares
 * one; one that measured none takes no part.
 */
export function liveFleet({
  given = { devices: [] },
  profiles,
  local,
  endpoints = new Set(),
  codecs = new Map(),
  cores = coresHere(),
}: FleetSources): Fleet {
  const { hub, media: known, devices: named } = fleetOf(given);
  const media = new Map(known);
  const devices = [...named];
  const names = new Set(named.map(({ id }) => id));
  const linked = profiles.filter(({ device }) => !names.has(device) && !local.has(device));
  const shared = sharedOf(linked, hub, known, cores);
  const sharing = new Set(shared?.place === 'devices' ? shared.devices : []);
  if (shared !== undefined) media.set(shared.medium.name, shared.medium);
  let here = 0;
  for (const profile of profiles) {
    const { device } = profile;
    if (names.has(device)) continue;
    const medium = sharing.has(device) ? shared?.medium : mediumOf(profile);
    if (local.has(device)) devices.push(onHub(profile, here++, cores));
    else if (medium !== undefined) {
      media.set(medium.name, medium);
      devices.push(deviceOf(profile, { medium: medium.name }));
    }
  }
  return {
    hub: shared?.place === 'hub' ? { ...hub, medium: shared.medium.name } : hub,
    media,
    devices: devices.map((device): Device => {
      const understood = codecs.get(device.id);
      return {
        ...device,
        ...(endpoints.has(device.id) ? { endpoint: true } : {}),
        ...(understood === undefined ? {} : { codecs: understood }),
      };
    }),
  };
}

/** What a file says of the hub's own medium goes over what was measured there. */
function sharedOf(
  profiles: readonly Profile[],
  hub: Hub,
  known: ReadonlyMap<string, Medium>,
  cores: number,
): SharedLink | undefined {
  const own = hub.medium === undefined ? undefined : known.get(hub.medium);
  const byteMs = hub.byteMs / Math.min(1, cores);
  const shared = sharedLink(profiles, { byteMs, bytesPerMs: own?.bytesPerMs });
  return shared?.place === 'hub' && own !== undefined ? undefined : shared;
}

/**
 * A worker on the hub, the first of them number 0. Each takes as many cores as it has threads, and one of these is the
 * hub's own: workers beyond that share a processor with earlier ones, and add nothing.
 */
function onHub(profile: Profile, number: number, cores: number): Device {
  const processors = Math.max(1, Math.floor(cores / profile.hardware.threads));
  // The last of a round is the one that serves the hub's messages as well.
  const processor = number % processors;
  const device = deviceOf(profile);
  return processor === processors - 1
    ? device
    : { ...device, processor: `processor ${processor + 1} of the hub` };
}

function coresHere(): number {
  return Math.min(availableParallelism(), limitsHere().quota ?? Number.POSITIVE_INFINITY);
}

/** The part of a fleet that is there. */
export function presentFleet(fleet: Fleet, ids: Iterable<string>): Fleet {
  const present = new Set(ids);
  return { ...fleet, devices: fleet.devices.filter(({ id }) => present.has(id)) };
}
