/** Profiles that nobody measured: a test must not wait half a minute for a machine to time itself. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Profile } from '../../services/core/schema/generated/profile.ts';
import { OrtExecutor } from '../../services/worker/executor/ort.ts';
import { ProfileCache } from '../../services/worker/profile/cache.ts';
import { limitsHere } from '../../services/worker/profile/limits.ts';
import { GENERAL, hardwareHere } from '../../services/worker/profile/profile.ts';

/** Of a device that multiplies and accumulates 10,000 times in a millisecond: slow enough for links not to count. */
export function slowProfile(device: string): Profile {
  return {
    format: 1,
    device,
    hardware: hardwareHere(1, limitsHere()),
    executor: 'made up',
    measuredFor: GENERAL,
    estimated: false,
    idleBytes: 0,
    taskMs: 1,
    byteMs: 0,
    kinds: { other: { run: 0, mac: 1e-4, byte: 0, weight: 0 } },
  };
}

/** Puts it into a cache folder (`TILEPIPE_CACHE`) as what workers of one thread on this machine have measured. */
export async function seedProfile(cache: string): Promise<void> {
  const executor = new OrtExecutor({ threads: 1 });
  await executor.start();
  const profile = { ...slowProfile('any'), executor: executor.describe() };
  await executor.stop();
  const folder = join(cache, 'profiles');
  mkdirSync(folder, { recursive: true });
  const { hardware } = profile;
  new ProfileCache(folder).put({ hardware, executor: profile.executor, measuredFor: GENERAL }, profile);
}
