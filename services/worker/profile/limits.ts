/** What the control group of this process allows: processors and memory, version 1 and 2. */

import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';

export interface Limits {
  /** Processors; absent: no limit. */
  readonly quota?: number;
  /** Bytes: the limit of the group, or of the machine. */
  readonly memoryBytes: number;
}

/** The tightest limits from the process's group up. `root`: where /proc and /sys are. */
export function limitsHere(root = '/', machineBytes: number = totalmem()): Limits {
  let quota = Number.POSITIVE_INFINITY;
  let memoryBytes = machineBytes;
  for (const line of read(join(root, 'proc/self/cgroup')).split('\n')) {
    const [, controllers = '', group = ''] = line.split(':');
    const names = controllers.split(',');
    const v2 = controllers === '';
    for (const folder of upward(group)) {
      // Controllers mounted together lie under their joined names, often with a link for each.
      const at = (controller: string, file: string): string => {
        const base = join(root, 'sys/fs/cgroup');
        if (v2) return read(join(base, folder, file)).trim();
        return (
          read(join(base, controllers, folder, file)) || read(join(base, controller, folder, file))
        ).trim();
      };
      if (v2 || names.includes('cpu')) quota = Math.min(quota, v2 ? share(at('', 'cpu.max')) : oldShare(at));
      if (v2 || names.includes('memory')) {
        const limit = Number.parseInt(at('memory', v2 ? 'memory.max' : 'memory.limit_in_bytes'), 10);
        if (limit > 0) memoryBytes = Math.min(memoryBytes, limit);
      }
    }
  }
  return { memoryBytes, ...(Number.isFinite(quota) ? { quota } : {}) };
}

/** '25000 100000', or 'max 100000'. */
function share(text: string): number {
  const [quota, period] = text.split(' ').map(Number);
  return quota !== undefined && period !== undefined && quota > 0 ? quota / period : Number.POSITIVE_INFINITY;
}

/** A quota below 0 is none. */
function oldShare(at: (controller: string, file: string) => string): number {
  return share(`${at('cpu', 'cpu.cfs_quota_us')} ${at('cpu', 'cpu.cfs_period_us')}`);
}

/** A group and those above it; inside a container its own may be shown as the root. */
function upward(group: string): string[] {
  const folders = [group];
  for (let at = group; at !== '/' && at !== '.' && at !== ''; at = dirname(at)) folders.push(dirname(at));
  return folders;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
