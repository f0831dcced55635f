/** What repetitions say of a median. */

import { rounded } from '../report.ts';

/** With fewer values no interval is 95 % sure, and the range is given. */
export const LEAST_FOR_INTERVAL = 6;

/**
 * A 95 % confidence interval of the median, from order statistics: no distribution is assumed. Below six values no
 * pair of them is so sure, and it is the range.
 */
export function medianInterval(values: readonly number[]): [low: number, high: number] {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  let below = 0;
  // Of n values, how many are below the median is binomial: the tails cut off hold at most 2.5 % each.
  for (let rank = 0, tail = 0.5 ** n, choose = 1; rank < n / 2; rank++) {
    if (tail > 0.025) break;
    below = rank;
    choose = (choose * (n - rank)) / (rank + 1);
    tail += choose * 0.5 ** n;
  }
  return [sorted[below] ?? Number.NaN, sorted[n - 1 - below] ?? Number.NaN];
}

/** An interval of `n` values as a report has it: under the name of what it is. */
export function namedInterval(interval: readonly [number, number], n: number): Record<string, number[]> {
  return { [n < LEAST_FOR_INTERVAL ? 'range' : 'ci95']: interval.map(rounded) };
}

/** The same for a table. */
export function intervalText(interval: readonly [number, number], n: number): string {
  return `${interval.map(rounded).join(' - ')}${n < LEAST_FOR_INTERVAL ? ' (range)' : ''}`;
}
