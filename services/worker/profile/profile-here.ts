/** A worker's own profile: from the cache or measured now, with the link as it is. */

import type { Channels } from '../../core/bus/connections.ts';
import type { Log } from '../../core/runtime/log.ts';
import type { Profile } from '../../core/schema/generated/profile.ts';
import type { Executor } from '../executor/executor.ts';
import { ProfileCache } from './cache.ts';
import { limitsHere } from './limits.ts';
import { type Link, measureLink } from './link.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { GENERAL, hardwareHere, measureProfile } from './profile.ts';

export interface AnnounceDeps {
  /** The worker's id. */
  readonly id: string;
  readonly channels: Pick<Channels, 'topics' | 'data'>;
  /** Started; says in its description which executor it is. */
  readonly executor: Executor;
  readonly threads: number;
  /** Folder of the cache. */
  readonly folder: string;
  readonly log: Log;
}

export type LinkedProfile = Profile & { readonly link: Link };

/** Before the worker takes tasks: what else runs would be measured with it. */
export async function profileHere(deps: AnnounceDeps): Promise<LinkedProfile> {
  const { id, channels, log } = deps;
  const { topics, data } = channels;
  const profile = await ownProfile(deps);
  const link = await measureLink({ data, topic: topics.build('inbox', { role: 'worker', id }) });
  log.info({ latencyMs: link.latencyMs, bytesPerMs: link.upBytesPerMs }, 'profile known');
  return { ...profile, link };
}

async function ownProfile({ id, executor, threads, folder, log }: AnnounceDeps): Promise<Profile> {
  const cache = new ProfileCache(folder);
  const limits = limitsHere();
  const key = {
    hardware: hardwareHere(threads, limits),
    executor: executor.describe(),
    measuredFor: GENERAL,
  };
  const known = () => cache.get(key, { device: id, memoryBytes: limits.memoryBytes });
  return oneAtATime(cache.lock(key), known, async () => {
    log.info(
      'measuring this machine before any task, half a minute on a free core: once, and again after a change of hardware or executor',
    );
    const profile = await measureProfile({ device: id, threads, limits });
    cache.put(key, profile);
    return profile;
  });
}
