import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../../services/core/graph/types.ts';
import { firstNonFinite, readTensorFrame } from '../../../services/core/vision/tensor-frame.ts';
import { floatTensor, problem } from '../../support/tensors.ts';

const a: TensorInfo = { name: 'a', dtype: 'float32', shape: [1, 2, 2] };
const b: TensorInfo = { name: 'b', dtype: 'int64', shape: [1] };
const four = floatTensor('a', [1, 2, 2], [1, 2, 3, 4]);
const one = { name: 'b', dtype: 'int64', shape: [1], bytes: new Uint8Array(8) } as const;

describe('readTensorFrame', () => {
  it("gives the tensors in the model's order, bytes uncopied", () => {
    const read = readTensorFrame([one, four], [a, b]);
    expect(read.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(read[0]?.bytes).toBe(four.bytes);
  });

  it('takes a single tensor under any name', () => {
    expect(readTensorFrame([{ ...four, name: 'whatever' }], [a])[0]?.name).toBe('a');
  });

  it.each([
    [[], 'has 0 tensors'],
    [[four, one], 'has 2 tensors'],
    [[{ ...four, dtype: 'int32' as const }], 'int32 "a" [1, 2, 2], the model wants float32 "a" [1, 2, 2]'],
    [[{ ...four, shape: [1, 4] }], '[1, 4]'],
    [[{ ...four, shape: [1, 2, 3] }], '[1, 2, 3]'],
    [[{ ...four, bytes: four.bytes.subarray(0, 15) }], '15 bytes instead of 16'],
    [[floatTensor('a', [1, 2, 2], [1, 2, Number.NaN, 4])], 'element 2'],
    [[floatTensor('a', [1, 2, 2], [1, 2, 3, -Infinity])], 'element 3'],
  ])('refuses %#: %s', (tensors, text) => {
    expect(() => readTensorFrame(tensors, [a])).toThrow(problem('tensor-invalid', text) as Error);
  });

  it('refuses a missing and a repeated input', () => {
    expect(() => readTensorFrame([four, four], [a, b])).toThrow(
      problem('tensor-invalid', 'lacks int64 "b"') as Error,
    );
  });
});

describe('firstNonFinite', () => {
  it('sees NaN and infinities of every float type, and takes the largest numbers', () => {
    const at = (dtype: 'float16' | 'bfloat16' | 'float64' | 'float32', array: ArrayBufferView): number =>
      firstNonFinite({ name: '', dtype, shape: [], bytes: new Uint8Array(array.buffer) });
    expect(at('float16', Uint16Array.of(0x7bff, 0xfbff, 0x0001, 0x7c00))).toBe(3);
    expect(at('float16', Uint16Array.of(0x7bff, 0xfbff, 0x0001))).toBe(-1);
    expect(at('bfloat16', Uint16Array.of(0x7f7f, 0xff80))).toBe(1);
    expect(at('float64', Float64Array.of(1e308, Number.NaN))).toBe(1);
    expect(at('float32', Float32Array.of(3.4e38, -3.4e38, 1e-45))).toBe(-1);
  });

  it('reads misaligned bytes', () => {
    const bytes = new Uint8Array(13);
    bytes.set(new Uint8Array(Float32Array.of(1, Number.NaN, 2).buffer), 1);
    expect(firstNonFinite({ name: '', dtype: 'float32', shape: [3], bytes: bytes.subarray(1) })).toBe(1);
  });
});
