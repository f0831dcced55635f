/** Two runs of one model, element by element. */

import { floatsOf } from '../services/core/vision/floats.ts';
import type { TensorData } from '../services/core/wire/message.ts';

export interface Difference {
  readonly maxAbsDiff: number | null;
  /** Per output max|a-b| / max|b|, the worst; null where it is not a number. */
  readonly maxRelDiff: number | null;
  /** Why the outputs cannot be equal whatever the tolerance. */
  readonly reason?: string;
}

const WORTHLESS = { maxAbsDiff: null, maxRelDiff: null } as const;

/** Compares outputs with the reference; NaN, another shape, a missing output or an all-zero reference is a failure. */
export function compare(got: readonly TensorData[], reference: readonly TensorData[]): Difference {
  let maxAbsDiff = 0;
  let maxRelDiff = 0;
  for (const expected of reference) {
    const actual = got.find(({ name }) => name === expected.name);
    if (actual === undefined) return { ...WORTHLESS, reason: `output "${expected.name}" is missing` };
    if (actual.dtype !== expected.dtype || actual.shape.join() !== expected.shape.join()) {
      const [is, should] = [actual, expected].map(({ dtype, shape }) => `${dtype} ${shape.join('x')}`);
      return { ...WORTHLESS, reason: `output "${expected.name}" is ${is} instead of ${should}` };
    }
    const { largest, abs } = differ(floatsOf(actual), floatsOf(expected));
    if (Number.isNaN(abs)) return { ...WORTHLESS, reason: `output "${expected.name}" has NaN` };
    if (largest === 0)
      return {
        ...WORTHLESS,
        reason: `output "${expected.name}" of the uncut model is all zero: it proves nothing`,
      };
    maxAbsDiff = Math.max(maxAbsDiff, abs);
    maxRelDiff = Math.max(maxRelDiff, abs / largest);
  }
  return { maxAbsDiff, maxRelDiff };
}

function differ(a: ArrayLike<number>, b: ArrayLike<number>): { largest: number; abs: number } {
  let largest = 0;
  let abs = 0;
  for (let i = 0; i < b.length; i++) {
    const x = a[i] as number;
    const y = b[i] as number;
    if (Number.isNaN(x) || Number.isNaN(y)) return { largest, abs: Number.NaN };
    const magnitude = y < 0 ? -y : y;
    if (magnitude > largest) largest = magnitude;
    // Equal infinities differ by NaN when subtracted.
    const difference = x === y ? 0 : Math.abs(x - y);
    if (difference > abs) abs = difference;
  }
  return { largest, abs };
}
