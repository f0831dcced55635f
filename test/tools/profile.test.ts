import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, describe, expect, test } from 'vitest';
import { register } from '../../tools/commands/profile.ts';
import { readDevicesFile, readFleet, readProfileFile } from '../../tools/devices-file.ts';
import { problem } from '../support/tensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'tilepipe-devices-'));
afterAll(() => rmSync(folder, { recursive: true }));

const profile = {
  format: 1,
  device: 'pi',
  hardware: { processor: 'Cortex-A72', arch: 'arm64', threads: 1 },
  executor: 'onnxruntime-node 1.30.0 cpu threads=1',
  estimated: false,
  idleBytes: 9e7,
  taskMs: 0.4,
  byteMs: 2e-6,
  kinds: { other: { run: 0.1, mac: 1e-6, byte: 1e-6, weight: 4e-7 } },
};
writeFileSync(join(folder, 'pi.json'), JSON.stringify(profile));

function file(text: string): string {
  const path = join(folder, 'devices.yaml');
  writeFileSync(path, text);
  return path;
}

describe('the command', () => {
  test.each([
    [['--shape', 'x=1x3x8x8'], '--shape goes with --model'],
    [['--fill-seed', '3'], '--fill-seed goes with --model'],
    [['--id', 'hub'], 'no device can be called "hub"'],
    [['--together', '--threads', '4'], 'leave --threads out'],
    [['--together', '--fill-seed', '4'], 'leave --fill-seed out'],
  ])('refuses %j before it measures anything', async (args, message) => {
    const program = new Command().exitOverride();
    register(program);
    await expect(program.parseAsync(['node', 'tilepipe', 'profile', ...args])).rejects.toEqual(
      problem('usage', message),
    );
  });
});

describe('a devices file', () => {
  test('finds profiles beside itself', () => {
    const path = file(`
media: [{name: air, mbit: 50, duplex: half}]
devices:
  - {name: a, profile: pi.json, medium: air}
  - {name: b, like: a, speed: 2, memory: 512MB, medium: air}
`);
    expect(readDevicesFile(path).devices[0]?.profile).toEqual(profile);
    const { devices } = readFleet(path);
    expect(devices.map(({ id, taskMs, estimated }) => [id, taskMs, estimated])).toEqual([
      ['a', 0.4, false],
      ['b', 0.2, true],
    ]);
  });

  test.each([
    ['devices: [{name: a, profile: none.json}]', 'none.json'],
    ['devices: [{name: a, profile: pi.json, medium: air}]', 'devices.yaml: device "a" is on medium "air"'],
    ['devices: [{name: a, profil: pi.json}]', 'did you mean "profile"?'],
    ['devices: []', 'devices.yaml'],
    ['devices: [{name: a, profile: pi.json, mbit: 1e-320}]', 'devices[0].mbit: must be >= 0.001'],
    ['devices: [{name: a, profile: pi.json, speed: 1e9}]', 'devices[0].speed: must be <= 1000'],
    [
      '{hub: {messageMs: 1e308}, devices: [{name: a, profile: pi.json}]}',
      'hub.messageMs: must be <= 1000000',
    ],
    ['devices: [{name: hub, profile: pi.json}]', 'devices.yaml: no device can be called "hub"'],
    ['devices: [{name: a, profile: pi.json}, {name: a, profile: pi.json}]', 'there twice'],
    ['devices: [{name: a, profile: pi.json, memory: lots}]', 'memory'],
  ])('refuses %s', (text, message) => {
    expect(() => readFleet(file(text))).toThrow(message);
  });

  test('a profile with unknown keys is refused by name', () => {
    writeFileSync(join(folder, 'bad.json'), JSON.stringify({ ...profile, speed: 1 }));
    expect(() => readProfileFile(join(folder, 'bad.json'))).toThrow('speed');
  });
});
