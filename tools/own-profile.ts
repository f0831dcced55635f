/** This machine's profile: measured once, and again when it, the executor or the model is another. */

import type { OpenedModel } from '../services/controller/prepare.ts';
import { cacheFolder } from '../services/core/runtime/paths.ts';
import type { Profile } from '../services/core/schema/generated/profile.ts';
import { ProfileCache } from '../services/worker/profile/cache.ts';
import { limitsHere } from '../services/worker/profile/limits.ts';
import { GENERAL, hardwareHere, measureProfile } from '../services/worker/profile/profile.ts';
import { deviceName } from './device-name.ts';
import { withExecutor } from './executor.ts';

export interface OwnProfileOptions {
  /** Threads of one run. */
  readonly threads: number;
  /** Name in the profile; this machine's by default. */
  readonly device?: string | undefined;
  /** Measured as well; absent: what is true of all models. */
  readonly model?: OpenedModel | undefined;
  /** Measure whatever the cache holds. */
  readonly fresh?: boolean | undefined;
  readonly progress: (text: string) => void;
}

/** From the cache, or measured, which takes half a minute. Rejects with `cache-unwritable`. */
export async function ownProfile(options: OwnProfileOptions): Promise<Profile> {
  const { threads, device = deviceName(), model, fresh = false, progress } = options;
  const limits = limitsHere();
  const executor = await withExecutor(async (started) => started.describe(), { threads });
  const key = { hardware: hardwareHere(threads, limits), executor, measuredFor: model?.digest ?? GENERAL };
  const cache = new ProfileCache(cacheFolder('profiles'));
  const known = fresh ? undefined : cache.get(key, { device, memoryBytes: limits.memoryBytes });
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
