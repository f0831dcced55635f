/**
 * Files of a plan in the machine's page cache. The kernel charges a cached page to the group that read it first:
 * whoever wrote a file would pay for the weights that others map.
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
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

/** Every file below a folder; what links point to is not below it. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Forgets what is cached of files, unless a process maps them. */
export function dropCached(paths: readonly string[]): void {
  for (const path of paths) {
    // What is not yet on the disk cannot be forgotten.
    system('sync', path);
    system('dd', `if=${path}`, 'iflag=nocache', 'count=0', 'status=none');
  }
}
