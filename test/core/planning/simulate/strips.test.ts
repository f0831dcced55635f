/** Strips from device to device: through the hub's broker, and to the receiver's own. */

import { expect, test } from 'vitest';
import type { Fleet } from '../../../../services/core/planning/cost/fleet.ts';
import type { DraftBlock } from '../../../../services/core/planning/draft.ts';
import { type Simulation, simulate } from '../../../../services/core/planning/simulate/simulate.ts';
import { device, fleet, medium, plan } from './hand-made.ts';

/** A strip of 1000 bytes from a task on `a` to one on `b`. */
function strip(direct: boolean): DraftBlock[] {
  const [first, second] = plan([{ ms: 10, devices: ['a'] }], [{ ms: 20, devices: ['b'] }]) as [
    DraftBlock,
    DraftBlock,
  ];
  const strips = [{ block: 0, part: 0, bytes: 1000, ...(direct ? { direct: true as const } : {}) }];
  const parts = second.parts.map((part) => ({ ...part, bytesIn: 1000, strips }));
  return [first, { ...second, entry: 'halo', parts }];
}

const run = (direct: boolean, on: Fleet): Simulation =>
  simulate(strip(direct), on, { frames: 1, inFlight: 1, binding: 'late' });

/** Milliseconds of both tasks, of the frame's messages to the first and from the second, and of the hub for them. */
const REST = 10 + 20 + 2 + 2 + 1 + 1;

test('on cables: two cables in turn and the hub between them, or both at once', () => {
  const media = [medium('x', 100, 'full', 2), medium('y', 50, 'full', 2)];
  const wired = fleet([device('a', 'x'), device('b', 'y')], media, { messageMs: 1 });
  expect(run(false, wired).latency.median).toBeCloseTo(REST + 12 + 1 + 22, 9);
  expect(run(true, wired).latency.median).toBeCloseTo(REST + 22, 9);
  expect(run(false, wired).bytesPerFrame).toBe(2 * 1000);
  expect(run(true, wired).bytesPerFrame).toBe(1000);
});

test('in the air: to the access point and from it, twice or once', () => {
  const air = [medium('air', 100, 'half', 2)];
  const devices = [device('a', 'air'), device('b', 'air')];
  const all = fleet(devices, air, { messageMs: 1, medium: 'air' });
  expect(run(false, all).latency.median).toBeCloseTo(REST + 2 + 2 + 4 * 12 + 1, 9);
  expect(run(true, all).latency.median).toBeCloseTo(REST + 2 + 2 + 2 * 12, 9);
  const hubWired = fleet(devices, air, { messageMs: 1 });
  expect(run(false, hubWired).latency.median).toBeCloseTo(REST + 2 * 12 + 1, 9);
  expect(run(true, hubWired).latency.median).toBeCloseTo(REST + 2 * 12, 9);
});

test("between a device and a worker on the hub: the device's medium alone", () => {
  const media = [medium('x', 100, 'full', 2)];
  const near = fleet([device('a', 'x'), device('b')], media, { messageMs: 1 });
  expect(run(false, near).latency.median).toBeCloseTo(REST - 2 + 12 + 1, 9);
  expect(run(true, near).latency.median).toBeCloseTo(REST - 2 + 12, 9);
});
