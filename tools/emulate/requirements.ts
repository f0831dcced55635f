/** Whether devices can be emulated here, and what is left of emulations that were killed. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { findControllers } from './controllers.ts';
import { removeGroup } from './device-group.ts';
import { removeNamespaces } from './network.ts';
import { orphaned, removeOrphanedFolders } from './owner.ts';

/** Why devices cannot be emulated here; undefined where they can. */
export function missing(): string | undefined {
  if (process.platform !== 'linux') return `it needs Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'it needs root, for network namespaces and control groups';
  for (const [command, debian] of [
    ['ip', 'iproute2'],
    ['tc', 'iproute2'],
    ['bridge', 'iproute2'],
    ['nsenter', 'util-linux'],
  ] as const) {
    const { error } = spawnSync(command, ['-V']);
    if (error !== undefined) return `the command "${command}" is missing (Debian: apt install ${debian})`;
  }
  const probe = spawnSync('unshare', ['--net', 'true'], { encoding: 'utf8' });
  if (probe.status !== 0)
    return `no network namespace can be made here (${probe.stderr?.trim()}); a container needs CAP_SYS_ADMIN`;
  if (findControllers() === undefined) return 'there is no control group controller "cpu"';
  return undefined;
}

/** Removes namespaces, groups (with the processes in them) and folders of emulations whose owner is dead. */
export function sweep(): void {
  for (const root of groupRoots()) for (const tag of readdirSync(root).filter(orphaned)) removeTag(tag);
  removeNamespaces(orphaned);
  removeOrphanedFolders();
}

/** Removes the groups of one emulation. */
export function removeTag(tag: string): void {
  for (const root of groupRoots()) {
    const folder = join(root, tag);
    if (!existsSync(folder)) continue;
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) removeGroup(join(folder, entry.name));
    removeGroup(folder);
  }
}

function groupRoots(): string[] {
  const { cpu, memory, accounting } = findControllers() ?? {};
  return [...new Set([cpu, memory, accounting])].filter((root) => root !== undefined);
}

const SAMPLE_MS = 200;
/** What a machine that does nothing still uses. */
const BUSY_CORES = 0.3;

/** Cores nobody uses at the moment, looked at for a fifth of a second. */
export async function freeCores(): Promise<number> {
  const before = idleShare();
  await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  const after = idleShare();
  const total = after.total - before.total;
  return total === 0 ? cpus().length : (cpus().length * (after.idle - before.idle)) / total;
}

/** Resolves when so many cores are free; with false where they are not within `limitMs`. */
export async function whenIdle(cores: number, limitMs: number): Promise<boolean> {
  const until = performance.now() + limitMs;
  const wanted = Math.min(cores, cpus().length - BUSY_CORES);
  do if ((await freeCores()) >= wanted) return true;
  while (performance.now() < until);
  return false;
}

/** Clock ticks of all cores since boot. */
function idleShare(): { idle: number; total: number } {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticks = line.trim().split(/\s+/).slice(1).map(Number);
  // The times of guests are counted in user time already.
  const total = ticks.slice(0, 8).reduce((sum, value) => sum + value, 0);
  return { idle: (ticks[3] ?? 0) + (ticks[4] ?? 0), total };
}
