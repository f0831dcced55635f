/** The control group of one emulated device: its share of the processor, its memory, and the processes in it. */

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import type { Controllers } from './controllers.ts';
import { pause } from './system.ts';

export interface CpuStat {
  /** Periods in which something ran. */
  readonly periods: number;
  /** Periods in which the quota was used up. */
  readonly throttled: number;
  readonly throttledMs: number;
  readonly usageMs: number;
}

export interface DeviceGroupOptions {
  readonly controllers: Controllers;
  /** Below the root of every tree: `<tag>/<device>`. */
  readonly path: string;
  readonly periodMs: number;
}

/** The kernel takes no smaller quota. */
const LEAST_QUOTA_US = 1000;
/** Largest weights of a group against others on the same processor, in version 1 and 2. */
const MOST_SHARES = '262144';
const MOST_WEIGHT = '10000';
const KILL_TRIES = 500;

export class DeviceGroup {
  readonly #options: DeviceGroupOptions;

  constructor(options: DeviceGroupOptions) {
    this.#options = options;
  }

  /** Files a process writes its number into to become part of the device. */
  get doors(): string[] {
    return this.#folders().map((folder) => join(folder, 'cgroup.procs'));
  }

  get pids(): number[] {
    return pidsOf(this.#folder('cpu'));
  }

  create(): void {
    const { controllers } = this.#options;
    for (const folder of this.#folders()) {
      mkdirSync(folder, { recursive: true });
      if (controllers.version === 2) enableBelow(controllers, dirname(folder));
    }
    // Whatever else this machine does, devices get what they were promised.
    const parent = dirname(this.#folder('cpu'));
    writeWhereThere(join(parent, 'cpu.shares'), MOST_SHARES);
    writeWhereThere(join(parent, 'cpu.weight'), MOST_WEIGHT);
  }

  /** Thousandths of a core; undefined takes the limit away. */
  setCpu(millicores: number | undefined): void {
    const { controllers, periodMs } = this.#options;
    const periodUs = 1000 * periodMs;
    const quotaUs = millicores === undefined ? undefined : Math.round(millicores * periodMs);
    if (quotaUs !== undefined && quotaUs < LEAST_QUOTA_US) {
      const least = Math.ceil(LEAST_QUOTA_US / periodMs);
      throw new TilepipeError(
        'usage',
        `${millicores}m is too small a share: ${least}m is the least with a period of ${periodMs} ms`,
      );
    }
    const folder = this.#folder('cpu');
    if (controllers.version === 2) {
      writeFileSync(join(folder, 'cpu.max'), `${quotaUs ?? 'max'} ${periodUs}`);
      return;
    }
    writeFileSync(join(folder, 'cpu.cfs_period_us'), String(periodUs));
    writeFileSync(join(folder, 'cpu.cfs_quota_us'), String(quotaUs ?? -1));
  }

  /**
   * Bytes, page cache included; undefined takes the limit away. A process that needs more is killed. Throws
   * `memory-exceeded` where more than that is held already and cannot be let go.
   */
  setMemory(bytes: number | undefined): void {
    try {
      this.#writeMemory(bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
      throw new TilepipeError(
        'memory-exceeded',
        `${basename(this.#options.path)} cannot be limited to ${mebibytes(bytes ?? 0)}: it holds more, at most ${mebibytes(this.peakMemory())} so far`,
        { cause: error },
      );
    }
  }

  #writeMemory(bytes: number | undefined): void {
    const folder = this.#folder('memory');
    if (this.#options.controllers.version === 2) {
      writeFileSync(join(folder, 'memory.max'), String(bytes ?? 'max'));
      writeWhereThere(join(folder, 'memory.swap.max'), bytes === undefined ? 'max' : '0');
      return;
    }
    const limit = String(bytes ?? -1);
    const swap = join(folder, 'memory.memsw.limit_in_bytes');
    // Memory and swap together may never be less than memory alone, on the way neither.
    writeWhereThere(swap, '-1');
    writeFileSync(join(folder, 'memory.limit_in_bytes'), limit);
    writeWhereThere(swap, limit);
  }

  cpuStat(): CpuStat {
    const { controllers, path } = this.#options;
    const stat = pairs(join(this.#folder('cpu'), 'cpu.stat'));
    const periods = stat.get('nr_periods') ?? 0;
    const throttled = stat.get('nr_throttled') ?? 0;
    if (controllers.version === 2) {
      const throttledMs = (stat.get('throttled_usec') ?? 0) / 1e3;
      return { periods, throttled, throttledMs, usageMs: (stat.get('usage_usec') ?? 0) / 1e3 };
    }
    const { accounting } = controllers;
    const usage = accounting === undefined ? 0 : numberIn(join(accounting, path, 'cpuacct.usage'));
    return { periods, throttled, throttledMs: (stat.get('throttled_time') ?? 0) / 1e6, usageMs: usage / 1e6 };
  }

  /** Bytes, page cache included, at most since it was made or `resetPeak`. */
  peakMemory(): number {
    const file = this.#options.controllers.version === 2 ? 'memory.peak' : 'memory.max_usage_in_bytes';
    return numberIn(join(this.#folder('memory'), file));
  }

  /** Begins a new peak where the kernel can. */
  resetPeak(): void {
    const file = this.#options.controllers.version === 2 ? 'memory.peak' : 'memory.max_usage_in_bytes';
    writeWhereThere(join(this.#folder('memory'), file), '0');
  }

  /** Processes that were killed because the group needed more than its limit, so far. */
  outOfMemory(): number {
    if (this.#options.controllers.memory === undefined) return 0;
    const file = this.#options.controllers.version === 2 ? 'memory.events' : 'memory.oom_control';
    return pairs(join(this.#folder('memory'), file)).get('oom_kill') ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    for (const pid of this.pids) signalled(pid, signal);
  }

  /** Ends what is in it, and removes it. */
  remove(): void {
    for (const folder of this.#folders()) removeGroup(folder);
  }

  #folders(): string[] {
    const { controllers, path } = this.#options;
    const { cpu, memory, accounting } = controllers;
    const roots = new Set([cpu, memory, accounting].filter((root) => root !== undefined));
    return [...roots].map((root) => join(root, path));
  }

  #folder(controller: 'cpu' | 'memory'): string {
    const root = this.#options.controllers[controller];
    if (root === undefined)
      throw new TilepipeError('emulation-unavailable', 'this machine has no control groups for memory');
    return join(root, this.#options.path);
  }
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

/** Ends every process of a control group and removes it; throws where the kernel does not let it go. */
export function removeGroup(folder: string): void {
  for (let left = KILL_TRIES; existsSync(folder); left--) {
    for (const pid of pidsOf(folder)) signalled(pid, 'SIGKILL');
    try {
      rmdirSync(folder);
    } catch (error) {
      // The group is busy until the last of its processes is gone.
      if (left === 0) throw error;
      pause(10);
    }
  }
}

/** What version 2 offers at a folder's parents must be passed on to its children. */
function enableBelow({ cpu, memory }: Controllers, folder: string): void {
  const wanted = memory === undefined ? '+cpu' : '+cpu +memory';
  for (const each of [cpu, folder]) writeFileSync(join(each, 'cgroup.subtree_control'), wanted);
}

function pidsOf(folder: string): number[] {
  const file = join(folder, 'cgroup.procs');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number) : [];
}

function signalled(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

function pairs(file: string): Map<string, number> {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return new Map(lines.map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]));
}

function numberIn(file: string): number {
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
}

function writeWhereThere(file: string, text: string): void {
  if (!existsSync(file)) return;
  try {
    writeFileSync(file, text);
  } catch {
    // Older kernels have the file and take nothing: what was read from it before stays true.
  }
}
