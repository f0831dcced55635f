import { expect, test } from 'vitest';
import type { Profile } from '../../../../services/core/schema/generated/profile.ts';
import { emulatedFleet } from '../../../../tools/bench/emulated/fleet.ts';

const profile: Profile = {
  format: 1,
  device: 'alone',
  hardware: { processor: 'test', arch: 'x64', threads: 1, quota: 0.25 },
  executor: { name: 'test', version: '1' },
  measuredFor: 'general',
  estimated: false,
  memoryBytes: 1e9,
  idleBytes: 8e7,
  taskMs: 2,
  byteMs: 1e-5,
  kinds: { Conv: { run: 1, mac: 1e-6, byte: 0, weight: 0, error: 0, samples: 1 } },
} as unknown as Profile;

const conditions = {
  profile,
  quota: 0.25,
  devices: ['a', 'b'],
  millicores: 125,
  hubMillicores: 250,
  bitsPerSecond: 8e6,
} as const;

test('devices have half the speed of the profile on half the share, and a cable each', () => {
  const { devices, media, hub } = emulatedFleet(conditions);
  expect(devices.map(({ id, medium, taskMs }) => ({ id, medium, taskMs }))).toEqual([
    { id: 'a', medium: 'a', taskMs: 4 },
    { id: 'b', medium: 'b', taskMs: 4 },
  ]);
  expect([...media.keys()]).toEqual(['hub', 'a', 'b']);
  expect(media.get('a')?.bytesPerMs).toBeCloseTo(955);
  expect(hub.messageMs).toBeCloseTo(3);
});

test('a hub that computes is a device without a cable', () => {
  const { devices } = emulatedFleet({ ...conditions, hubComputes: true });
  expect(devices.at(-1)).toMatchObject({ id: 'on-hub', taskMs: 2 });
  expect(devices.at(-1)?.medium).toBeUndefined();
});

test('room is counted beyond an empty worker', () => {
  const { devices } = emulatedFleet({ ...conditions, roomBytes: 5e7 });
  expect(devices[0]?.memoryBytes).toBe(13e7);
  expect(emulatedFleet(conditions).devices[0]?.memoryBytes).toBe(1e9);
});

test('on one half-duplex medium the hub is among the devices, or on a cable without a limit', () => {
  const everyone = emulatedFleet({ ...conditions, shared: 'everyone' });
  expect(everyone.devices.map(({ medium }) => medium)).toEqual(['air', 'air']);
  expect(everyone.hub.medium).toBe('air');
  expect([...everyone.media.values()].map(({ duplex }) => duplex)).toEqual(['half']);
  expect(emulatedFleet({ ...conditions, shared: 'devices' }).hub.medium).toBeUndefined();
});
