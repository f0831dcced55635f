/** Emulated devices: limits that really hold, and nothing left behind. Skipped, with the reason, where it cannot work. */

import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { entryPath, packageRoot } from '../../services/core/runtime/entry.ts';
import { EmulatedCluster, type EmulationOptions, HUB } from '../../tools/emulate/cluster.ts';
import { findControllers } from '../../tools/emulate/controllers.ts';
import { DeviceGroup } from '../../tools/emulate/device-group.ts';
import {
  folderOf,
  makeFolder,
  newTag,
  orphaned,
  removeFolder,
  removeOrphanedFolders,
} from '../../tools/emulate/owner.ts';
import { missing } from '../../tools/emulate/requirements.ts';
import { bitRate, memorySize, millicores, perDevice, periodMs } from '../../tools/emulate/units.ts';

const reason = missing();
if (reason !== undefined) process.stderr.write(`emulated devices are not tested: ${reason}\n`);
const controllers = findControllers();

let running: EmulatedCluster | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

async function start(options: EmulationOptions): Promise<EmulatedCluster> {
  running = new EmulatedCluster(options);
  await running.start();
  return running;
}

const SILENT: SpawnOptions = { stdio: ['ignore', 'pipe', 'inherit'] };

/** What a command on a device says, once it has ended. */
async function said(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(child, 'close');
  return text;
}

/** Everything on this machine that carries the mark of an emulation whose owner is the process. */
function traces(pid: number): string[] {
  const mine = (name: string): boolean => new RegExp(`^tilepipe-emulation-\\d+-${pid}-`).test(name);
  const roots = [controllers?.cpu, controllers?.memory, controllers?.accounting].filter(
    (root) => root !== undefined,
  );
  return [
    ...roots.flatMap((root) => readdirSync(root).filter(mine)),
    ...spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout.split('\n').filter(mine),
    ...readdirSync(tmpdir()).filter(mine),
  ];
}

describe('quantities', () => {
  test('are read with their units', () => {
    expect(['250m', '0.25', '1', '62m'].map(millicores)).toEqual([250, 250, 1000, 62]);
    expect(['500kbit', '5mbit', '200Mbit', '1gbit'].map(bitRate)).toEqual([5e5, 5e6, 2e8, 1e9]);
    expect(['256MB', '256MiB', '1GB'].map(memorySize)).toEqual([256e6, 256 * 2 ** 20, 1e9]);
    expect(periodMs('20ms')).toBe(20);
    expect(perDevice('250m', 3, millicores)).toEqual([250, 250, 250]);
    expect(perDevice('250m,62m', 2, millicores)).toEqual([250, 62]);
  });

  test.each([
    [() => millicores('fast'), 'no share of a processor'],
    [() => millicores('0m'), 'no share of a processor'],
    [() => bitRate('200'), 'no speed of a link'],
    [() => bitRate('1bit'), 'no speed that can be emulated'],
    [() => memorySize('256'), 'is no size'],
    [() => memorySize('1MB'), '32MB at least'],
    [() => periodMs('20'), 'no period'],
    [() => periodMs('0ms'), 'no period'],
    [() => perDevice('250m,62m', 3, millicores), '2 values, and there are 3 devices'],
  ])('are refused where they are none (%#)', (parse, words) => {
    expect(parse).toThrow(words);
  });
});

describe('control groups', () => {
  const v1 = [
    '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct',
    '36 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
    '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw',
  ].join('\n');

  test('of version 1 are found by their controllers', () => {
    expect(findControllers(v1)).toEqual({
      version: 1,
      cpu: '/sys/fs/cgroup/cpu,cpuacct',
      memory: '/sys/fs/cgroup/memory',
      accounting: '/sys/fs/cgroup/cpu,cpuacct',
    });
    expect(findControllers('')).toBeUndefined();
  });

  test('of version 2 get quota, period and memory in one tree', () => {
    const root = mkdtempSync(join(tmpdir(), 'groups-'));
    try {
      writeFileSync(join(root, 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
      const found = findControllers(`25 1 0:22 / ${root} rw - cgroup2 cgroup2 rw`);
      expect(found).toEqual({ version: 2, cpu: root, memory: root });
      if (found === undefined) return;
      const group = new DeviceGroup({ controllers: found, path: 'tag/device-1', periodMs: 20 });
      group.create();
      const folder = join(root, 'tag', 'device-1');
      writeFileSync(join(folder, 'memory.swap.max'), 'max');
      group.setCpu(250);
      group.setMemory(64e6);
      const text = (file: string): string => readFileSync(join(folder, file), 'utf8');
      expect(['cpu.max', 'memory.max', 'memory.swap.max'].map(text)).toEqual(['5000 20000', '64000000', '0']);
      expect(readFileSync(join(root, 'tag', 'cgroup.subtree_control'), 'utf8')).toBe('+cpu +memory');
      group.setCpu(undefined);
      expect(text('cpu.max')).toBe('max 20000');
      expect(() => group.setCpu(40)).toThrow('50m is the least with a period of 20 ms');
      writeFileSync(
        join(folder, 'cpu.stat'),
        'usage_usec 5000\nnr_periods 4\nnr_throttled 3\nthrottled_usec 7000\n',
      );
      expect(group.cpuStat()).toEqual({ periods: 4, throttled: 3, throttledMs: 7, usageMs: 5 });
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});

test('a name is known for an orphan by the process it names', () => {
  const own = newTag();
  expect(orphaned(own)).toBe(false);
  expect(orphaned(own.replace(/-\d+-(\d+)$/, '-1-$1'))).toBe(true);
  const dead = own.replace(/-\d+-\d+-\d+$/, '-999999999-1-0');
  expect([dead, `${dead}.hub`].map(orphaned)).toEqual([true, true]);
  const others = [`${dead}-backup`, `my-${dead}`, 'tilepipe-2024-11-21-backup', 'tilepipe-999999999-1-0'];
  // The processes of another container are not to be seen here.
  expect([...others, dead.replace(/-\d+/, '-1')].map(orphaned)).toEqual([false, false, false, false, false]);
});

test('a folder that is only named like one of ours is not swept away', () => {
  const dead = newTag().replace(/-\d+-\d+-\d+$/, '-999999999-1-');
  const [foreign, left] = [`${dead}1`, `${dead}2`];
  mkdirSync(folderOf(foreign));
  makeFolder(left);
  try {
    removeOrphanedFolders();
    expect([foreign, left].map((tag) => existsSync(folderOf(tag)))).toEqual([true, false]);
  } finally {
    removeFolder(foreign);
  }
});

describe.skipIf(reason !== undefined)('devices', () => {
  test('have the processor time they are given, and no more', async () => {
    const cluster = await start({
      devices: [
        { name: 'slow', millicores: 125 },
        { name: 'fast', millicores: 250 },
      ],
    });
    cluster.limit();
    const busy = 'const until = process.cpuUsage().user + 200000; while (process.cpuUsage().user < until);';
    const children = cluster.devices.map((device) =>
      cluster.run(device, [process.execPath, '-e', busy], SILENT),
    );
    await Promise.all(children.map((child) => once(child, 'exit')));
    for (const device of cluster.devices) {
      const { throttled, throttledMs, usageMs } = cluster.cpuStat(device);
      expect(throttled).toBeGreaterThan(0);
      expect(throttledMs).toBeGreaterThan(0);
      expect(usageMs).toBeGreaterThanOrEqual(200);
    }
    // A device that is given the whole processor waits for nobody.
    cluster.setCpu('fast', undefined);
    const before = cluster.cpuStat('fast').throttled;
    await once(cluster.run('fast', [process.execPath, '-e', busy], SILENT), 'exit');
    expect(cluster.cpuStat('fast').throttled).toBe(before);
  });

  test('are linked by shaped cables, which can be changed', async () => {
    const cluster = await start({
      devices: [{ name: 'a', link: 5e6 }, { name: 'b' }],
      hub: { link: 2e8 },
    });
    expect(cluster.shapersOf('a').join('')).not.toContain('tbf');
    cluster.limit();
    for (const end of cluster.shapersOf('a')) expect(end).toContain('rate 5Mbit burst 3200b');
    for (const end of cluster.shapersOf(HUB)) expect(end).toContain('rate 200Mbit');
    for (const end of cluster.shapersOf('b')) expect(end).not.toContain('tbf');
    cluster.setLink('a', 5e5);
    for (const end of cluster.shapersOf('a')) expect(end).toContain('rate 500Kbit');
    cluster.setLink('a', undefined);
    for (const end of cluster.shapersOf('a')) expect(end).not.toContain('tbf');
    cluster.addDevice({ name: 'late', link: 1e6 });
    for (const end of cluster.shapersOf('late')) expect(end).toContain('rate 1Mbit');
    expect(() => cluster.addDevice({ name: 'late' })).toThrow('two devices named late');
  });

  test.each(['wired', 'wifi'] as const)('reach each other through the network alone (%s)', async (medium) => {
    const cluster = await start({
      devices: [{ name: 'a' }, { name: 'b' }],
      medium,
      ...(medium === 'wifi' ? { air: 1e8 } : {}),
    });
    cluster.limit();
    const server = `const s = require('net').createServer((c) => { c.pipe(c); c.on('close', () => s.close()) });
      s.listen(9000, '0.0.0.0', () => console.log('up'))`;
    const client = (host: string): string =>
      `const c = require('net').connect(9000, '${host}', () => c.end(Buffer.alloc(100000)));
      let n = 0; c.on('data', (d) => { n += d.length }); c.on('close', () => console.log(n))`;
    const pairs = [
      [HUB, 'a'],
      ['a', HUB],
      ['b', 'a'],
    ] as const;
    for (const [to, from] of pairs) {
      const listening = cluster.run(to, [process.execPath, '-e', server], SILENT);
      await once(listening.stdout as NodeJS.ReadableStream, 'data');
      const ended = once(listening, 'exit');
      expect(
        await said(cluster.run(from, [process.execPath, '-e', client(cluster.addressOf(to))], SILENT)),
      ).toBe('100000\n');
      await ended;
    }
    if (medium === 'wifi')
      // To the access point and from it: what arrives is half of what is in the air.
      for (const end of cluster.shapersOf('a').slice(1)) expect(end).toContain('rate 50Mbit');
  });

  test('lose the process that takes more memory than they have, and no other', async () => {
    const cluster = await start({ devices: [{ name: 'small', memoryBytes: 96e6 }, { name: 'other' }] });
    cluster.limit();
    const waiting = cluster.run('other', [process.execPath, '-e', 'setInterval(() => {}, 1000)'], SILENT);
    const greedy = 'const all = []; for (;;) all.push(Buffer.alloc(8e6, 1));';
    const [code, signal] = await once(cluster.run('small', [process.execPath, '-e', greedy], SILENT), 'exit');
    expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' });
    expect(cluster.pids('other')).toContain(waiting.pid);
    expect(cluster.peakMemory('small').group).toBeGreaterThan(80e6);
    expect(cluster.peakMemory('other').resident).toBeGreaterThan(10e6);
    expect(cluster.outOfMemory('small')).toBe(1);
    expect(cluster.outOfMemory('other')).toBe(0);
  });

  // Version 2 ends what is too large instead of refusing.
  test.skipIf(controllers?.version === 2)('are not limited below what they hold', async () => {
    const cluster = await start({ devices: [{ name: 'full' }] });
    const hold = "globalThis.all = Buffer.alloc(64e6, 1); process.send('held'); setInterval(() => {}, 1000);";
    const holder = cluster.run('full', [process.execPath, '-e', hold]);
    await once(holder, 'message');
    cluster.setMemory('full', 40e6);
    expect(() => cluster.limit()).toThrowError(
      expect.objectContaining({
        code: 'memory-exceeded',
        message: expect.stringContaining('full cannot be limited to 38 MiB'),
      }),
    );
  });

  test('share the files of this machine, or have their own', async () => {
    const cluster = await start({ devices: [{ name: 'a' }], sharedForms: true });
    const shared = readdirSync(cluster.cacheOf('a'));
    await cluster.stop();
    const apart = await start({ devices: [{ name: 'a' }], ownBlobs: true });
    expect([shared, readdirSync(apart.cacheOf('a'))]).toEqual([['blobs', 'optimised'], []]);
  });

  test('leave nothing behind when they are stopped', async () => {
    const cluster = await start({ devices: [{ name: 'a', link: 1e6, memoryBytes: 1e8 }] });
    cluster.limit();
    const child = cluster.run('a', ['sleep', '1000'], SILENT);
    expect(traces(process.pid).length).toBeGreaterThan(0);
    await cluster.stop();
    running = undefined;
    expect(traces(process.pid)).toEqual([]);
    expect(child.pid !== undefined && existsSync(`/proc/${child.pid}/fd/0`)).toBe(false);
  });

  test('are cleared away by the next start when their owner was killed', async () => {
    const code = `
      const { EmulatedCluster } = await import(${JSON.stringify(pathToFileURL(entryPath('tools/emulate/cluster')).href)});
      const cluster = new EmulatedCluster({ devices: [{ name: 'a', millicores: 100 }] });
      await cluster.start();
      cluster.limit();
      console.log(cluster.run('a', ['sleep', '1000'], { stdio: 'ignore' }).pid);`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', code], SILENT);
    const [line] = await once(owner.stdout as NodeJS.ReadableStream, 'data');
    const orphan = Number(line);
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    const pid = owner.pid as number;
    expect(traces(pid).length).toBeGreaterThan(0);
    expect(existsSync(`/proc/${orphan}`)).toBe(true);
    await start({ devices: [{ name: 'b' }] });
    expect(traces(pid)).toEqual([]);
    expect(existsSync(`/proc/${orphan}/exe`)).toBe(false);
  });
});

function tilepipe(args: readonly string[], path = process.env.PATH) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(packageRoot(), 'tools', 'tilepipe.mjs'), 'emulate', ...args],
    { encoding: 'utf8', env: { ...process.env, PATH: path, TILEPIPE_LOG: 'error' }, timeout: 60_000 },
  );
  return { status, stdout, stderr };
}

describe('the command', () => {
  test.skipIf(reason !== undefined)('runs on the hub and hands its exit code on', () => {
    const flags = ['--devices', '2', '--cpu', '500m,250m', '--link', '200mbit', '--hub-cpu', '500m'];
    const { status, stdout, stderr } = tilepipe([
      ...flags,
      '--',
      'sh',
      '-c',
      'echo $TILEPIPE_BROKER; exit 7',
    ]);
    expect(stderr).toContain('model stores seeded in');
    expect(stdout).toBe('mqtt://10.98.0.1:1883\n');
    expect(status).toBe(7);
    expect(stderr).toMatch(/device-2 .*s.*%/);
  });

  test.each([
    [['--cpu', '250', '--', 'true'], 'no share of a processor'],
    [['--cpu', '250m,250m', '--devices', '3', '--', 'true'], 'there are 3 devices'],
    [['--medium', 'carrier-pigeon', '--', 'true'], 'no medium'],
    [['--medium', 'wifi', '--link', '1mbit,2mbit', '--devices', '2', '--', 'true'], 'one medium'],
    [['--devices', '0', '--', 'true'], 'whole number'],
    [['--devices', '2'], 'command'],
  ])('refuses %j', (args, words) => {
    const { status, stderr } = tilepipe(args);
    expect(stderr).toContain(words);
    expect(status).toBe(2);
  });

  test('says what is missing', () => {
    const bin = mkdtempSync(join(tmpdir(), 'bin-'));
    symlinkSync(process.execPath, join(bin, 'node'));
    const { status, stderr } = tilepipe(['--', 'true'], bin);
    rmSync(bin, { recursive: true });
    expect(stderr).toContain('emulation-unavailable');
    expect(status).toBe(4);
  });
});
