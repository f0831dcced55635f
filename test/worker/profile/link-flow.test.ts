import { expect, test } from 'vitest';
import { type Arrival, rateOf } from '../../../services/worker/profile/link-flow.ts';

const CHUNK = 1000;
/** A message each at these times. */
const arrivals = (times: readonly number[]): Arrival[] =>
  times.map((at, index) => ({ at, bytes: CHUNK * (index + 1) }));
const every = (from: number, to: number, stepMs: number): number[] =>
  Array.from({ length: Math.floor((to - from) / stepMs) }, (_, index) => from + (index + 1) * stepMs);

test('a steady flow, whatever it took to begin and whatever came when the others had stopped', () => {
  expect(rateOf(arrivals(every(0, 200, 4)), 0, 200)).toBeCloseTo(250, 6);
  expect(rateOf(arrivals(every(60, 200, 4)), 0, 200)).toBeCloseTo(250, 6);
  expect(rateOf(arrivals([...every(0, 200, 4), ...every(200, 300, 1)]), 0, 200)).toBeCloseTo(250, 6);
});

test('what was held back and comes at once took the time since what was before it', () => {
  const burst = [196, 196.01, 196.02, 196.03, 196.04, 196.05, 196.06, 196.07];
  expect(rateOf(arrivals(burst), 0, 200)).toBeLessThan(100);
  const stalled = [...every(0, 20, 4), ...burst];
  expect(rateOf(arrivals(stalled), 0, 200)).toBeLessThan(100);
});

test('a flow that stops is counted to its end', () => {
  expect(rateOf(arrivals(every(0, 100, 4)), 0, 200)).toBeLessThan(150);
});

test('too little says nothing', () => {
  expect(rateOf([], 0, 200)).toBeUndefined();
  expect(rateOf(arrivals([210, 220]), 0, 200)).toBeUndefined();
});
