import { describe, expect, it } from 'vitest';
import type { DType } from '../../../services/core/graph/types.ts';
import type { Preprocess } from '../../../services/core/schema/generated/pipeline.ts';
import { floatFromHalf } from '../../../services/core/tensor/dtype.ts';
import { place } from '../../../services/core/vision/letterbox.ts';
import { imageAxes, inputFormat, writeTensor } from '../../../services/core/vision/preprocess.ts';
import { settle } from '../../../services/core/vision/settings.ts';
import { problem } from '../../support/tensors.ts';

const settings = (preprocess: Preprocess) => settle({ preprocess }).preprocess;

/** Writes a 2 x 1 picture, red-ish 10,20,30 and 40,50,60, into an input of `shape`. */
function write(
  shape: readonly number[],
  preprocess: Preprocess,
  dtype: DType = 'float32',
  shift = 0,
): Uint8Array {
  const complete = settings({ resize: 'stretch', divide: 1, ...preprocess });
  const format = inputFormat({ name: 'x', dtype, shape }, complete);
  const placement = place({ width: 2, height: 1 }, format, complete);
  const target = new Uint8Array(new ArrayBuffer(format.byteLength + 8), shift, format.byteLength).fill(0xee);
  const pixels = { width: 2, height: 1, bands: 3, bytes: Uint8Array.of(10, 20, 30, 40, 50, 60) } as const;
  writeTensor(format, pixels, placement, target);
  return target;
}

const floats = (bytes: Uint8Array): number[] => [...new Float32Array(bytes.slice().buffer)];

describe('writeTensor', () => {
  it('writes planes of RGB and BGR', () => {
    expect(floats(write([1, 3, 1, 2], { color: 'RGB' }))).toEqual([10, 40, 20, 50, 30, 60]);
    expect(floats(write([1, 3, 1, 2], { color: 'BGR' }))).toEqual([30, 60, 20, 50, 10, 40]);
  });

  it('writes interleaved channels for NHWC', () => {
    expect(floats(write([1, 1, 2, 3], { layout: 'NHWC' }))).toEqual([10, 20, 30, 40, 50, 60]);
    expect(floats(write([1, 1, 2, 3], { layout: 'NHWC', color: 'BGR' }))).toEqual([30, 20, 10, 60, 50, 40]);
  });

  it('applies (pixel / divide - mean) / std in the order of the colours', () => {
    const values = floats(write([1, 3, 1, 2], { color: 'BGR', divide: 10, mean: [1, 2, 3], std: [2, 4, 5] }));
    const expected = [(3 - 1) / 2, (6 - 1) / 2, (2 - 2) / 4, (5 - 2) / 4, (1 - 3) / 5, (4 - 3) / 5];
    values.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] as number, 6);
    });
    expect(floats(write([1, 3, 1, 2], { mean: [5], std: [5] }))).toEqual([1, 7, 3, 9, 5, 11]);
  });

  it('makes luma for one channel, and repeats it where gray is asked of three', () => {
    const luma = [10 * 0.299 + 20 * 0.587 + 30 * 0.114, 40 * 0.299 + 50 * 0.587 + 60 * 0.114].map(Math.round);
    expect(floats(write([1, 1, 1, 2], {}))).toEqual(luma);
    expect(floats(write([1, 3, 1, 2], { color: 'GRAY' }))).toEqual([...luma, ...luma, ...luma]);
  });

  it('fills around the picture with the normalised fill, on every side', () => {
    const values = floats(write([1, 3, 4, 2], { resize: 'letterbox', fill: 100, mean: [1] }));
    expect(values.slice(0, 8)).toEqual([99, 99, 9, 39, 99, 99, 99, 99]);
    const wide = floats(write([1, 3, 1, 6], { resize: 'none', fill: 7 }));
    expect(wide).toHaveLength(18);
  });

  it('fills left and right', () => {
    const complete = settings({ resize: 'letterbox', divide: 1, fill: 1 });
    const format = inputFormat({ name: 'x', dtype: 'uint8', shape: [1, 3, 2, 5] }, complete);
    const placement = place({ width: 1, height: 2 }, format, complete);
    const target = new Uint8Array(30);
    const bytes = Uint8Array.of(2, 3, 4, 5, 6, 7);
    writeTensor(format, { width: 1, height: 2, bands: 3, bytes }, placement, target);
    expect([...target.subarray(0, 10)]).toEqual([1, 1, 2, 1, 1, 1, 1, 5, 1, 1]);
  });

  it('takes gray pixels for any colour', () => {
    const complete = settings({ resize: 'stretch', divide: 1, color: 'BGR' });
    const format = inputFormat({ name: 'x', dtype: 'uint8', shape: [1, 3, 1, 2] }, complete);
    const placement = place({ width: 2, height: 1 }, format, complete);
    const target = new Uint8Array(6);
    writeTensor(format, { width: 2, height: 1, bands: 1, bytes: Uint8Array.of(8, 9) }, placement, target);
    expect([...target]).toEqual([8, 9, 8, 9, 8, 9]);
  });

  it('writes half precision and bytes', () => {
    const halves = new Uint16Array(write([1, 3, 1, 2], { divide: 255 }, 'float16').slice().buffer);
    expect(floatFromHalf(halves[1] as number)).toBeCloseTo(40 / 255, 4);
    // 60 + 200 does not fit: it must saturate, not wrap to 4.
    expect([...write([1, 3, 1, 2], { mean: [-200, 0, 20] }, 'uint8')]).toEqual([210, 240, 20, 50, 10, 40]);
    expect([...write([1, 3, 1, 2], { mean: [-220, 0, 40] }, 'uint8')]).toEqual([230, 255, 20, 50, 0, 20]);
  });

  it('takes rows of pixels as they are, with the fill around them', () => {
    const complete = settings({ divide: 1, layout: 'NHWC', resize: 'letterbox', fill: 7 });
    const format = inputFormat({ name: 'x', dtype: 'uint8', shape: [1, 2, 3, 3] }, complete);
    const placement = place({ width: 1, height: 2 }, format, complete);
    const target = new Uint8Array(18);
    const bytes = Uint8Array.of(10, 20, 30, 40, 50, 60);
    writeTensor(format, { width: 1, height: 2, bands: 3, bytes }, placement, target);
    expect([...target]).toEqual([7, 7, 7, 10, 20, 30, 7, 7, 7, 7, 7, 7, 40, 50, 60, 7, 7, 7]);
    expect([...write([1, 1, 1, 2], {}, 'uint8')]).toEqual([18, 48]);
  });

  it('knows where that is enough', () => {
    const asIs = (preprocess: Preprocess, dtype: DType = 'uint8', shape = [1, 4, 4, 3]) =>
      inputFormat({ name: 'x', dtype, shape }, settings({ divide: 1, ...preprocess })).asIs;
    expect(asIs({})).toBe(true);
    expect(asIs({}, 'uint8', [1, 1, 4, 4])).toBe(true);
    expect(asIs({ color: 'BGR' })).toBe(false);
    expect(asIs({ color: 'GRAY' })).toBe(false);
    expect(asIs({ divide: 2 })).toBe(false);
    expect(asIs({ mean: [1] })).toBe(false);
    expect(asIs({}, 'float32')).toBe(false);
    expect(asIs({}, 'uint8', [1, 3, 4, 4])).toBe(false);
  });

  it.each(['float32', 'float16', 'uint8'] as const)('writes %s to any alignment', (dtype) => {
    const expected = write([1, 3, 4, 2], { resize: 'letterbox' }, dtype);
    for (const shift of [1, 2, 3, 5]) {
      expect([...write([1, 3, 4, 2], { resize: 'letterbox' }, dtype, shift)]).toEqual([...expected]);
    }
  });
});

describe('inputFormat', () => {
  it.each([
    [[1, 4, 8, 8], 'float32', 'takes no picture'],
    [[2, 3, 8, 8], 'float32', 'takes no picture'],
    [[1, 3, 0, 8], 'float32', 'takes no picture'],
    [[1, 10], 'float32', 'takes no picture'],
    [[1, 3, 8, 8], 'int64', 'int64'],
  ] as const)('refuses %j of %s', (shape, dtype, text) => {
    expect(() => inputFormat({ name: 'x', dtype, shape }, settings({}))).toThrow(
      problem('config-invalid', text) as Error,
    );
  });

  it('refuses statistics of another number of channels', () => {
    const input = { name: 'x', dtype: 'float32', shape: [1, 3, 8, 8] } as const;
    expect(() => inputFormat(input, settings({ mean: [1, 2] }))).toThrow(
      problem('config-invalid', 'preprocess.mean') as Error,
    );
  });
});

describe('imageAxes', () => {
  it('tells the layouts apart', () => {
    expect(imageAxes([1, 3, 240, 320])).toEqual({ layout: 'NCHW', channels: 3, width: 320, height: 240 });
    expect(imageAxes([1, 240, 320, 3])).toEqual({ layout: 'NHWC', channels: 3, width: 320, height: 240 });
    expect(imageAxes([1, 1, 28, 28])).toMatchObject({ layout: 'NCHW', channels: 1 });
    expect(imageAxes([1, 3, 320, 3], 'NHWC')).toMatchObject({ layout: 'NHWC', width: 320, height: 3 });
  });
});
