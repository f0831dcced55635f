/** Where this machine's control groups are: version 1 has one tree per controller, version 2 one for all. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Controllers {
  readonly version: 1 | 2;
  /** Root of the tree that limits processor time. */
  readonly cpu: string;
  /** Root of the tree that limits memory; absent where there is none. */
  readonly memory?: string;
  /** Root of the tree that counts processor time (version 1). */
  readonly accounting?: string;
}

/** Undefined where processor time cannot be limited. */
export function findControllers(mountInfo = readMounts()): Controllers | undefined {
  const mounts = mountInfo.split('\n').flatMap((line) => {
    const [place = '', kind = ''] = line.split(' - ');
    const [type = '', , options = ''] = kind.split(' ');
    return [{ point: place.split(' ')[4] ?? '', type, options: options.split(',') }];
  });
  const first = (controller: string): string | undefined =>
    mounts.find(({ type, options }) => type === 'cgroup' && options.includes(controller))?.point;
  const cpu = first('cpu');
  if (cpu !== undefined) {
    const [memory, accounting] = [first('memory'), first('cpuacct')];
    return {
      version: 1,
      cpu,
      ...(memory === undefined ? {} : { memory }),
      ...(accounting === undefined ? {} : { accounting }),
    };
  }
  for (const { point } of mounts.filter(({ type }) => type === 'cgroup2')) {
    const offered = offeredBy(point);
    if (offered.includes('cpu'))
      return { version: 2, cpu: point, ...(offered.includes('memory') ? { memory: point } : {}) };
  }
  return undefined;
}

function offeredBy(point: string): string[] {
  const file = join(point, 'cgroup.controllers');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ') : [];
}

function readMounts(): string {
  return existsSync('/proc/self/mountinfo') ? readFileSync('/proc/self/mountinfo', 'utf8') : '';
}
