/** Which plan stands in for one whose tiles stay on their devices. */

import { expect, test } from 'vitest';
import { fallbackDraft } from '../../services/controller/replan/fallback-draft.ts';
import type { Device, Fleet } from '../../services/core/planning/cost/fleet.ts';
import type { Draft, DraftPart, Strategy } from '../../services/core/planning/draft.ts';

const WEIGHTS = 100;

function device(id: string, memoryBytes: number, mac = 1): Device {
  const overhead = { runningBytes: 10, activations: 1, subModelBytes: 0 };
  const kinds = new Map([['other', { run: 0, mac, byte: 0, weight: 0 }]]);
  return { id, kinds, taskMs: 0, byteMs: 0, memoryBytes, idleBytes: 0, overhead, estimated: false };
}
const fleetOf = (...devices: Device[]): Fleet => ({
  hub: { messageMs: 0, byteMs: 0 },
  media: new Map(),
  devices,
});

/** `bytes`: weights on each of the devices that take part. */
function draft(strategy: Strategy, bytes: number, devices: readonly string[], entry?: 'halo'): Draft {
  const part = (id: string): DraftPart => ({
    tile: { index: 0 } as DraftPart['tile'],
    devices: [id],
    work: [{ kind: 'Conv', runs: 1, macs: 1, bytes: 0, weights: 0 }],
    bytesIn: 0,
    bytesOut: 0,
    activationBytes: 0,
    weightBytes: bytes,
  });
  const block = {
    block: {},
    mode: 'tile',
    parts: devices.map(part),
    ...(entry === undefined ? {} : { entry }),
  };
  const memoryBytes = Object.fromEntries(devices.map((id) => [id, 10 + bytes]));
  return {
    strategy,
    blocks: [block as unknown as Draft['blocks'][number]],
    inFlight: 1,
    predicted: { latencyMs: 1, framesPerSecond: 1, bytesPerFrame: 0, bottleneck: 'hub', memoryBytes },
  };
}

const halo = draft('halo', 50, ['a', 'b'], 'halo');
const parallel = draft('parallel', 50, ['a', 'b']);
const alone = draft('one-device', WEIGHTS, ['a']);
const all = [halo, parallel, alone];
const holders = (found: Draft | undefined) => found?.blocks[0]?.parts.map(({ devices }) => devices);

test('one device, and the fastest other that has room beside what it runs already', () => {
  const fleet = fleetOf(device('a', 160), device('b', 159), device('c', 500, 3), device('d', 500, 2));
  const found = fallbackDraft(halo, all, fleet);
  expect([found?.strategy, holders(found)]).toEqual(['one-device', [['a', 'd']]]);
});

test('a device on the hub comes first, unless it takes far longer', () => {
  const linked = [device('a', 160), device('b', 160)].map((each) => ({ ...each, medium: 'air' }));
  const near = (mac: number) => holders(fallbackDraft(halo, all, fleetOf(...linked, device('h', 160, mac))));
  expect(near(1.5)).toEqual([['h', 'a']]);
  expect(near(3)).toEqual([['a', 'b']]);
});

test('tiles through the merger where no device has room for all, nothing where there is no room at all', () => {
  const small = fleetOf(device('a', 159), device('b', 110));
  expect(fallbackDraft(halo, all, small)).toBe(parallel);
  expect(fallbackDraft(halo, all, fleetOf(device('a', 159), device('b', 109)))).toBeUndefined();
});

test('none for a plan that needs none', () => {
  expect(fallbackDraft(parallel, all, fleetOf(device('a', 500), device('b', 500)))).toBeUndefined();
});
