import { expect, test } from 'vitest';
import { median, quantile } from '../../../services/core/runtime/quantile.ts';

test('the median is in the middle of the values, whatever their order', () => {
  expect(median([10, 9, 100])).toBe(10);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median(new Float64Array([7]))).toBe(7);
  expect(median([])).toBeNaN();
});

test('a quantile is one of the values, which the share does not exceed', () => {
  const values = [5, 1, 4, 2, 3, 10, 9, 8, 7, 6];
  expect([0, 0.1, 0.11, 0.5, 0.9, 0.95, 1].map((share) => quantile(values, share))).toEqual([
    1, 1, 2, 5, 9, 10, 10,
  ]);
  expect(quantile([], 0.5)).toBeNaN();
});
