import { expect, test } from 'vitest';
import { seededRandom } from '../../../../services/core/runtime/seeded-random.ts';
import { levelsFor, oracleMs } from '../../../../tools/bench/wire/swing-levels.ts';

test('a swing visits every level before one comes again, and never stays', () => {
  const mbits = [200, 20, 5, 0.5];
  const levels = levelsFor(20 * 60_000, mbits, seededRandom(4));
  expect(levels[0]?.from).toBe(0);
  expect(new Set(levels.slice(0, 4).map(({ mbit }) => mbit))).toEqual(new Set(mbits));
  for (const [at, { from, mbit }] of levels.entries()) {
    const next = levels[at + 1];
    if (next === undefined) continue;
    expect(next.mbit).not.toBe(mbit);
    expect(next.from - from).toBeGreaterThanOrEqual(20_000);
  }
});

test('a short swing visits every level all the same', () => {
  const mbits = [200, 20, 5, 0.5];
  const levels = levelsFor(10_000, mbits, seededRandom(4));
  expect(new Set(levels.map(({ mbit }) => mbit))).toEqual(new Set(mbits));
});

test('what an oracle needs for a frame is that of the levels it saw, by its time in each', () => {
  const levels = [
    { from: 0, mbit: 200 },
    { from: 1000, mbit: 1 },
  ];
  const best = (mbit: number) => (mbit === 200 ? 400 : 1200);
  const frame = (start: number, end: number) => ({ roundTripMs: end - start, endedAt: end });
  expect(oracleMs([frame(0, 500), frame(1000, 2500)], levels, best)).toBeCloseTo(1600);
  expect(oracleMs([frame(900, 1100)], levels, best)).toBeCloseTo(800);
  expect(oracleMs([frame(-100, 100)], levels, best)).toBeCloseTo(400);
});
