import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ProfileCache } from '../../../services/worker/profile/cache.ts';
import { limitsHere } from '../../../services/worker/profile/limits.ts';
import { fitLink } from '../../../services/worker/profile/link.ts';

const folder = mkdtempSync(join(tmpdir(), 'tilepipe-limits-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A machine as its files under /proc and /sys show it. */
function machine(name: string, files: Readonly<Record<string, string>>): string {
  const root = join(folder, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
  return root;
}

describe('limits of the control group', () => {
  test('version 2: the tightest on the way up', () => {
    const root = machine('v2', {
      'proc/self/cgroup': '0::/pod/worker',
      'sys/fs/cgroup/pod/cpu.max': '5000 20000',
      'sys/fs/cgroup/pod/memory.max': '512000000',
      'sys/fs/cgroup/pod/worker/cpu.max': 'max 100000',
      'sys/fs/cgroup/pod/worker/memory.max': 'max',
    });
    expect(limitsHere(root, 8e9)).toEqual({ quota: 0.25, memoryBytes: 512e6 });
  });

  test('version 1', () => {
    const root = machine('v1', {
      'proc/self/cgroup': '3:memory:/a\n2:cpu,cpuacct:/a',
      'sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us': '2500',
      'sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us': '20000',
      'sys/fs/cgroup/memory/a/memory.limit_in_bytes': '268435456',
    });
    expect(limitsHere(root, 8e9)).toEqual({ quota: 0.125, memoryBytes: 268435456 });
  });

  test('none: the memory of the machine', () => {
    const root = machine('none', {
      'proc/self/cgroup': '3:memory:/\n2:cpu:/',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
    });
    expect(limitsHere(root, 8e9)).toEqual({ memoryBytes: 8e9 });
    expect(limitsHere(join(folder, 'nowhere'), 8e9)).toEqual({ memoryBytes: 8e9 });
  });
});

describe('the link', () => {
  test('is half of each round trip: latency, and bytes over bandwidth', () => {
    const trips = [1e3, 1e4, 1e5, 1e6].map((bytes) => ({ bytes, ms: 2 * (0.7 + bytes / 12_500) }));
    const { latencyMs, upBytesPerMs, downBytesPerMs } = fitLink(trips);
    expect(latencyMs).toBeCloseTo(0.7, 3);
    expect(upBytesPerMs).toBeCloseTo(12_500, 0);
    expect(downBytesPerMs).toBe(upBytesPerMs);
  });
});

describe('the cache of profiles', () => {
  const hardware = { processor: 'x', arch: 'x64', threads: 1 };
  const key = { hardware, executor: 'e', measuredFor: 'general' };
  const profile = {
    format: 1,
    device: 'a',
    hardware,
    executor: 'e',
    estimated: false,
    idleBytes: 1,
    taskMs: 1,
    byteMs: 1,
    kinds: {},
  } as const;

  test('keeps a profile by what it depends on, for any device, without the link', () => {
    const cache = new ProfileCache(folder);
    const b = { device: 'b', memoryBytes: 256_000_000 };
    expect(cache.get(key, b)).toBeUndefined();
    const link = { latencyMs: 1, upBytesPerMs: 1, downBytesPerMs: 1 };
    cache.put(key, { ...profile, link });
    expect(cache.get(key, b)).toEqual({ ...profile, ...b });
    expect(cache.get({ ...key, executor: 'f' }, b)).toBeUndefined();
    expect(cache.get({ ...key, hardware: { ...hardware, quota: 0.5 } }, b)).toBeUndefined();
  });
});
