import { expect, test } from 'vitest';
import {
  intervalText,
  LEAST_FOR_INTERVAL,
  medianInterval,
  namedInterval,
} from '../../../../tools/bench/emulated/interval.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => count - at);

test('below six values the interval is the range', () => {
  expect(medianInterval([3, 1, 2])).toEqual([1, 3]);
  expect(medianInterval(upTo(LEAST_FOR_INTERVAL - 1))).toEqual([1, 5]);
});

test('ranks are those of the sign test', () => {
  // Ranks from published tables of the 95 % interval of a median.
  expect(medianInterval(upTo(6))).toEqual([1, 6]);
  expect(medianInterval(upTo(10))).toEqual([2, 9]);
  expect(medianInterval(upTo(30))).toEqual([10, 21]);
});

test('nothing was measured, nothing is known', () => {
  expect(medianInterval([])).toEqual([Number.NaN, Number.NaN]);
});

test('a range is not called an interval', () => {
  expect(namedInterval([1, 2], 5)).toEqual({ range: [1, 2] });
  expect(namedInterval([1, 2], 6)).toEqual({ ci95: [1, 2] });
  expect(intervalText([1, 2], 5)).toBe('1 - 2 (range)');
  expect(intervalText([1, 2], 30)).toBe('1 - 2');
});
