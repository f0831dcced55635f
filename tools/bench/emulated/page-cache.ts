/**
 * Files of a plan in the machine's page cache. The kernel charges a cached page to the group that read it first:
 * whoever wrote the store would pay for the weights that the devices map.
 */

import type { PreparedPlan } from '../../../services/controller/prepare.ts';
import type { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { system } from '../../emulate/system.ts';

/** Sub-models of a plan and their weights. */
export function filesOf({ plan }: PreparedPlan, blobs: BlobCache): string[] {
  const digests = plan.models.flatMap(({ digest, weights }) => [
    digest,
    ...weights.map((file) => file.digest),
  ]);
  return [...new Set(digests)].map((digest) => blobs.path(digest));
}

/** Forgets what is cached of files, unless a process maps them. */
export function dropCached(paths: readonly string[]): void {
  for (const path of paths) {
    // What is not yet on the disk cannot be forgotten.
    system('sync', path);
    system('dd', `if=${path}`, 'iflag=nocache', 'count=0', 'status=none');
  }
}
