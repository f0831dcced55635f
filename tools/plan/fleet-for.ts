/** The devices a plan is made for: those of a file, or this machine alone. */

import { hostname } from 'node:os';
import type { OpenedModel } from '../../services/controller/prepare.ts';
import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import { deviceOf, fleetOf } from '../../services/core/planning/cost/fleet-of.ts';
import { cacheFolder } from '../../services/core/runtime/paths.ts';
import type { Profile } from '../../services/core/schema/generated/profile.ts';
import { ProfileCache } from '../../services/worker/profile/cache.ts';
import { limitsHere } from '../../services/worker/profile/limits.ts';
import { GENERAL, hardwareHere, measureProfile } from '../../services/worker/profile/profile.ts';
import { readFleet } from '../devices-file.ts';
import { withExecutor } from '../executor.ts';

export interface FleetWanted {
  /** A devices.yaml; absent: this machine. */
  readonly devices?: string | undefined;
  /** Measured as well where this machine is; absent: what is true of all models. */
  readonly model?: OpenedModel | undefined;
  readonly threads: number;
  readonly progress: (text: string) => void;
}

/** Throws `config-invalid` where the file or a profile in it cannot be read. */
export async function fleetFor(wanted: FleetWanted): Promise<Fleet> {
  if (wanted.devices !== undefined) return readFleet(wanted.devices);
  const profile = await ownProfile(wanted);
  // The hub of a document that says nothing of it, with one device on it.
  return fleetOf({ devices: [{ name: deviceOf(profile).id, profile }] });
}

/** Characters a device's name may have. */
const FORBIDDEN = /[^A-Za-z0-9_.-]/g;

/** From the cache, or measured, which takes half a minute. */
async function ownProfile({ model, threads, progress }: FleetWanted): Promise<Profile> {
  const device = hostname().replace(FORBIDDEN, '-').slice(0, 64) || 'this-machine';
  const limits = limitsHere();
  const executor = await withExecutor(async (started) => started.describe());
  const key = { hardware: hardwareHere(threads, limits), executor, measuredFor: model?.digest ?? GENERAL };
  const cache = new ProfileCache(cacheFolder('profiles'));
  const known = cache.get(key, device);
  if (known !== undefined) return known;
  const profile = await measureProfile({
    device,
    threads,
    limits,
    model,
    progress: (done, total) => progress(`measuring this machine: ${done} of ${total} tasks`),
  });
  cache.put(key, profile);
  return profile;
}
