import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dequantised, quantise, type Scale, scaleFor } from '../../../services/core/wire/quantise.ts';

function there(values: Float32Array, scale: Scale): Uint8Array {
  const bytes = new Uint8Array(values.length);
  quantise(values, scale, bytes);
  return bytes;
}

/** Largest error in steps, what single precision itself rounds away left out. */
function worst(values: Float32Array, scale: Scale): number {
  const back = dequantised(there(values, scale), scale);
  let most = 0;
  for (const [i, value] of values.entries()) {
    const got = back[i] as number;
    const rounding = Math.abs(got) * 2 ** -23 + 2 ** -149;
    most = Math.max(most, (Math.abs(got - value) - rounding) / scale[0]);
  }
  return most;
}

const finite = fc.float({
  noNaN: true,
  noDefaultInfinity: true,
  min: Math.fround(-4e37),
  max: Math.fround(4e37),
});
const pieces = fc.oneof(
  fc.float32Array({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100, maxLength: 200 }),
  fc.array(finite, { maxLength: 50 }).map((values) => Float32Array.from(values)),
  fc
    .array(fc.integer({ min: -3000, max: 3000 }), { maxLength: 50 })
    .map((values) => Float32Array.from(values, (value) => value * 2 ** -140)),
);

describe('values as bytes', () => {
  test('no value is off by more than half a step, and 0 not at all', () => {
    fc.assert(
      fc.property(pieces, (values) => {
        const scale = scaleFor(values) as Scale;
        expect(scale[0]).toBeGreaterThan(0);
        expect(worst(values, scale)).toBeLessThanOrEqual(0.5 + 1e-9);
        expect(there(new Float32Array(1), scale)[0]).toBe(scale[1]);
        expect(dequantised(Uint8Array.of(scale[1]), scale)[0]).toBe(0);
      }),
    );
  });

  test('constants, pieces above or below 0, zeros and nothing', () => {
    for (const value of [5, -5, 1e-38, -1e38, 2 ** -149, 0.1]) {
      const values = new Float32Array(7).fill(value);
      const scale = scaleFor(values) as Scale;
      const back = dequantised(there(values, scale), scale);
      for (const got of back) expect(Math.abs(got / (values[0] as number) - 1)).toBeLessThan(1e-6);
    }
    expect(
      worst(Float32Array.of(100, 101, 102), scaleFor(Float32Array.of(100, 101, 102)) as Scale),
    ).toBeLessThanOrEqual(0.5);
    expect(scaleFor(new Float32Array(9))).toEqual([1, 0]);
    expect(scaleFor(new Float32Array(0))).toEqual([1, 0]);
  });

  test('what is not finite, or all but, has no such form, wherever it stands', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38]) {
      for (const length of [1, 4, 5, 6, 7, 8]) {
        for (let at = 0; at < length; at++) {
          const values = new Float32Array(length).fill(-1);
          values[at] = value;
          expect(scaleFor(values)).toBeUndefined();
        }
      }
    }
  });
});
