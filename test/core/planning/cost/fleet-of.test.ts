import { describe, expect, test } from 'vitest';
import { deviceOf, fleetOf, mediumOf } from '../../../../services/core/planning/cost/fleet-of.ts';
import { LEAN_OVERHEAD } from '../../../../services/core/planning/cost/worker-memory.ts';
import type { Devices } from '../../../../services/core/schema/generated/devices.ts';
import type { Profile } from '../../../../services/core/schema/generated/profile.ts';

const profile: Profile = {
  format: 1,
  device: 'pi',
  hardware: { processor: 'Cortex-A72', arch: 'arm64', threads: 1 },
  executor: 'onnxruntime-node 1.30.0 cpu threads=1',
  estimated: false,
  memoryBytes: 1e9,
  idleBytes: 9e7,
  taskMs: 0.4,
  byteMs: 2e-6,
  kinds: { gemm: { run: 0.1, mac: 1e-6, byte: 1e-6, weight: 4e-7, error: 0.1, samples: 6 } },
};

test('a lean worker takes less beside what it holds', () => {
  expect(deviceOf({ ...profile, lean: true }).overhead).toEqual(LEAN_OVERHEAD);
  expect(deviceOf(profile)).not.toHaveProperty('overhead');
});

describe('a fleet', () => {
  test('takes profiles, media and the hub over, in bytes per millisecond', () => {
    const fleet = fleetOf({
      hub: { medium: 'wire' },
      media: [
        { name: 'wire', mbit: 100 },
        { name: 'air', mbit: 40, duplex: 'half', latencyMs: 2, hops: 2 },
      ],
      devices: [
        { name: 'a', profile, medium: 'air', memory: '512MB' },
        { name: 'b', like: 'a', speed: 0.5, mbit: 8 },
        { name: 'c', profile },
      ],
    });
    expect(fleet.hub).toEqual({ medium: 'wire', messageMs: 0.75, byteMs: 1e-5 });
    expect(fleet.media.get('wire')).toMatchObject({ bytesPerMs: 12_500, duplex: 'full' });
    expect(fleet.media.get('air')).toMatchObject({ bytesPerMs: 2500, duplex: 'half', latencyMs: 4 });
    expect(fleet.media.get('cable of b')).toMatchObject({ bytesPerMs: 1000 });
    const [a, b, c] = fleet.devices;
    expect(a).toMatchObject({ id: 'a', medium: 'air', memoryBytes: 512e6, estimated: false });
    expect(b).toMatchObject({ id: 'b', medium: 'cable of b', taskMs: 0.8, estimated: true });
    expect(b?.kinds.get('gemm')).toEqual({ run: 0.2, mac: 2e-6, byte: 2e-6, weight: 8e-7 });
    expect(c?.medium).toBeUndefined();
  });

  test('a profile without a limit has none', () => {
    const { memoryBytes: _, ...unlimited } = profile;
    expect(deviceOf(unlimited).memoryBytes).toBe(Number.POSITIVE_INFINITY);
    expect(mediumOf(profile)).toBeUndefined();
    const link = { latencyMs: 1, upBytesPerMs: 100, downBytesPerMs: 200 };
    expect(mediumOf({ ...profile, link })).toMatchObject({ bytesPerMs: 100, latencyMs: 1 });
  });

  test.each([
    ['cables, alone at last', 1000, 990, 1000],
    ['shared air', 1000, 480, 1000],
    ['a slow way back', 1000, 120, 120],
    ['a slow way back, and nobody beside it', 1000, 50, 100],
  ])('a link measured in its own turn, over %s', (_, out, both, bytesPerMs) => {
    const together = {
      round: 'r',
      devices: 2,
      at: '2026-01-01T00:00:00Z',
      outBytesPerMs: 1,
      bothBytesPerMs: 1,
    };
    const alone = { aloneOutBytesPerMs: out, aloneBothBytesPerMs: both };
    const link = {
      latencyMs: 1,
      upBytesPerMs: 100,
      downBytesPerMs: 200,
      together: { ...together, ...alone },
    };
    expect(mediumOf({ ...profile, link })?.bytesPerMs).toBe(bytesPerMs);
  });

  const mistakes: [string, Devices, string][] = [
    ['an unknown medium', { devices: [{ name: 'a', profile, medium: 'air' }] }, 'medium "air"'],
    [
      "the hub's medium",
      { hub: { medium: 'x' }, devices: [{ name: 'a', profile }] },
      'the hub is on medium "x"',
    ],
    [
      'a name twice',
      {
        devices: [
          { name: 'a', profile },
          { name: 'a', profile },
        ],
      },
      'device "a" is there twice',
    ],
    [
      'a medium twice',
      {
        media: [
          { name: 'm', mbit: 1 },
          { name: 'm', mbit: 1 },
        ],
        devices: [{ name: 'a', profile }],
      },
      'medium "m" is there twice',
    ],
    ['no profile', { devices: [{ name: 'a' }] }, 'needs a profile'],
    ['both', { devices: [{ name: 'a', profile, like: 'a' }] }, 'one of them'],
    ['like nobody', { devices: [{ name: 'a', like: 'b' }] }, 'like "b"'],
    [
      'a circle',
      {
        devices: [
          { name: 'a', like: 'b' },
          { name: 'b', like: 'a' },
        ],
      },
      'circle',
    ],
    [
      'a medium and mbit',
      { media: [{ name: 'm', mbit: 1 }], devices: [{ name: 'a', profile, medium: 'm', mbit: 1 }] },
      'both',
    ],
    ['a profile not read', { devices: [{ name: 'a', profile: 'a.json' }] }, 'was not read'],
    ['a memory that is none', { devices: [{ name: 'a', profile, memory: '512' }] }, 'is no size'],
  ];
  test.each(mistakes)('refuses %s', (_, document, message) => {
    expect(() => fleetOf(document)).toThrow(message);
  });
});
