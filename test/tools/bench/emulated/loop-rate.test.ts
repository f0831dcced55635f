import { expect, test } from 'vitest';
import { framesFor, loopRate } from '../../../../tools/bench/emulated/loop-rate.ts';

const ends = (times: readonly number[]) => times.map((endedAt) => ({ endedAt, roundTripMs: 1 }));

test('the beginning and the end of a loop do not count', () => {
  // Two under way: the first came late, the last two found the pipeline half empty.
  expect(loopRate(ends([900, 1000, 1100, 1200, 1300, 1400, 9000]), 2)).toBeCloseTo(10);
});

test('devices that end their frames together are counted over whole bunches', () => {
  const bunches = ends([0, 0, 1000, 1000, 2000, 2000, 3000, 3000, 4000, 4000].map((at) => at + 500));
  expect(loopRate(bunches, 2)).toBeCloseTo(2);
  for (const fps of [0.1, 0.7, 3, 14])
    expect((framesFor(fps, 8, { inFlight: 5, devices: 4 }) - 10) % 4).toBe(0);
});

test('a loop too short says nothing', () => {
  expect(loopRate(ends([1, 2, 3, 4]), 2)).toBeNaN();
  expect(loopRate([], 1)).toBeNaN();
});

test('a slow plan gets enough frames for more than one to end', () => {
  expect(framesFor(0.1, 8, { inFlight: 3, devices: 1 })).toBe(14);
});
