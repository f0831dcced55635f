import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DType } from '../../../services/core/graph/types.ts';
import {
  DTYPES,
  elementBytes,
  floatFromHalf,
  fromSafetensorsName,
  halfFromFloat,
  narrowToHalves,
  safetensorsName,
  tensorBytes,
  typedView,
  widenHalves,
} from '../../../services/core/tensor/dtype.ts';

const all = Object.keys(DTYPES) as DType[];

describe('element types', () => {
  test.each(all)('%s has a safetensors name that leads back to it', (dtype) => {
    expect(fromSafetensorsName(safetensorsName(dtype))).toBe(dtype);
  });

  test('what safetensors has and Tilepipe does not is unknown', () => {
    expect(fromSafetensorsName('F8_E4M3')).toBeUndefined();
  });

  test.each(all)('a view of %s counts elements, aligned or not', (dtype) => {
    const memory = new Uint8Array(64);
    memory[9] = 1;
    expect(typedView(dtype, memory.subarray(8, 40)).length).toBe(32 / elementBytes(dtype));
    const odd = typedView(dtype, memory.subarray(9, 41));
    expect(odd.length).toBe(32 / elementBytes(dtype));
    expect(new Uint8Array(odd.buffer, odd.byteOffset, 1)[0]).toBe(1);
  });

  test('an aligned view shares memory', () => {
    const memory = new Uint8Array(8);
    typedView('float32', memory)[1] = 1;
    expect([...memory.subarray(4)]).toEqual([0, 0, 0x80, 0x3f]);
  });

  test('bytes of a tensor', () => {
    expect(tensorBytes('int64', [2, 3])).toBe(48);
    expect(tensorBytes('float16', [])).toBe(2);
    expect(tensorBytes('float32', [4, 0, 2])).toBe(0);
  });
});

describe('half precision', () => {
  test('every half survives the way to single precision and back', () => {
    for (let half = 0; half < 65536; half++) {
      const nan = (half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0;
      if (nan) expect(floatFromHalf(half)).toBeNaN();
      else if (halfFromFloat(floatFromHalf(half)) !== half) expect.unreachable(`half ${half}`);
    }
  });

  test.each([
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [1e10, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [2 ** -25 * 1.001, 0x0001],
    [-0, 0x8000],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2 - 2 ** -12, 0x4000],
  ])('%d is 0x%s', (value, half) => {
    expect(halfFromFloat(value)).toBe(half);
  });

  test('a NaN stays a NaN, also one whose payload is in the low bits', () => {
    const low = new Float32Array(Uint32Array.of(0x7f800001).buffer)[0] as number;
    for (const value of [Number.NaN, low]) expect(floatFromHalf(halfFromFloat(value))).toBeNaN();
  });

  test('any value goes to the nearest half', () => {
    fc.assert(
      fc.property(fc.float({ min: -65504, max: 65504, noNaN: true }), (value) => {
        const half = halfFromFloat(value);
        const error = Math.abs(floatFromHalf(half) - value);
        for (const other of [half - 1, half + 1]) {
          const neighbour = floatFromHalf(other & 0xffff);
          if (Number.isFinite(neighbour)) expect(error).toBeLessThanOrEqual(Math.abs(neighbour - value));
        }
      }),
    );
  });

  test('arrays', () => {
    const halves = new Uint16Array(3);
    narrowToHalves(Float32Array.of(0.5, -1, 1e9), halves);
    const floats = new Float32Array(3);
    widenHalves(halves, floats);
    expect([...floats]).toEqual([0.5, -1, Number.POSITIVE_INFINITY]);
  });
});
