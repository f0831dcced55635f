import { expect, test } from 'vitest';
import { arrivalsOf, sharingBound } from '../../../../tools/bench/deepthings/arrivals.ts';

const load = { sources: 4, framesPerSecond: 11, busyTimes: 8, moveMs: 20_000, durationMs: 80_000 } as const;

function counts(from: number, until: number): number[] {
  const arrivals = arrivalsOf(load).filter(({ at }) => at >= from && at < until);
  return Array.from(
    { length: load.sources },
    (_, source) => arrivals.filter((arrival) => arrival.source === source).length,
  );
}

test('one source at a time is eight times as busy, and each has its turn', () => {
  for (let turn = 0; turn < 4; turn++) {
    const found = counts(turn * load.moveMs, (turn + 1) * load.moveMs);
    for (const [source, count] of found.entries()) {
      const expected = source === turn ? 160 : 20;
      expect(Math.abs(count - expected)).toBeLessThanOrEqual(1);
    }
  }
});

test('all that comes is what was asked for, in order, and no two frames of a source nearer than its shortest gap', () => {
  const arrivals = arrivalsOf(load);
  expect(Math.abs(arrivals.length - 880)).toBeLessThanOrEqual(4);
  expect(arrivals.map(({ at }) => at)).toEqual([...arrivals.map(({ at }) => at)].sort((a, b) => a - b));
  for (let source = 0; source < load.sources; source++) {
    const own = arrivals.filter((arrival) => arrival.source === source).map(({ at }) => at);
    for (const [index, at] of own.slice(1).entries())
      expect(at - (own[index] as number)).toBeGreaterThan(1000 / 8 - 1e-6);
  }
});

test('equal sources share evenly', () => {
  const arrivals = arrivalsOf({ ...load, busyTimes: 1, moveMs: 40_000, durationMs: 40_000 });
  for (let source = 0; source < 4; source++)
    expect(
      Math.abs(arrivals.filter((arrival) => arrival.source === source).length - 110),
    ).toBeLessThanOrEqual(1);
});

test('the bound is what devices of their own leave undone', () => {
  expect(sharingBound({ sources: 4, busyTimes: 8 })).toBeCloseTo(1 / (0.25 + 3 / 11), 12);
  expect(sharingBound({ sources: 4, busyTimes: 1 })).toBeCloseTo(1, 12);
});
