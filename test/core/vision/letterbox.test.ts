import { describe, expect, it } from 'vitest';
import type { Preprocess } from '../../../services/core/schema/generated/pipeline.ts';
import { identity, parseLetterbox, place } from '../../../services/core/vision/letterbox.ts';
import { settle } from '../../../services/core/vision/settings.ts';
import { problem } from '../../support/tensors.ts';

const placed = (image: [number, number], input: [number, number], preprocess: Preprocess) =>
  place(
    { width: image[0], height: image[1] },
    { width: input[0], height: input[1] },
    settle({ preprocess }).preprocess,
  );

describe('place', () => {
  it('letterboxes in the centre', () => {
    const { crop, resized, left, top, letterbox } = placed([768, 576], [416, 416], { resize: 'letterbox' });
    expect(crop).toEqual({ left: 0, top: 0, width: 768, height: 576 });
    expect(resized).toEqual({ width: 416, height: 312 });
    expect([left, top]).toEqual([0, 52]);
    expect(letterbox.scaleX).toBeCloseTo(416 / 768, 12);
    expect(letterbox.offsetY).toBe(52);
  });

  it('letterboxes at the top left', () => {
    const { left, top, letterbox } = placed([100, 200], [416, 416], {
      resize: 'letterbox',
      anchor: 'top-left',
    });
    expect([left, top, letterbox.offsetX, letterbox.offsetY]).toEqual([0, 0, 0, 0]);
    expect(letterbox.scaleY).toBeCloseTo(2.08, 12);
  });

  it('gives the true scale of each axis where rounding makes them differ', () => {
    const { resized, letterbox } = placed([1000, 3], [416, 416], { resize: 'letterbox' });
    expect(resized).toEqual({ width: 416, height: 1 });
    expect(letterbox.scaleY).toBeCloseTo(1 / 3, 12);
  });

  it('stretches', () => {
    const { letterbox } = placed([720, 478], [320, 240], { resize: 'stretch' });
    expect(letterbox.scaleX).toBeCloseTo(320 / 720, 12);
    expect(letterbox.scaleY).toBeCloseTo(240 / 478, 12);
    expect([letterbox.offsetX, letterbox.offsetY]).toEqual([0, 0]);
  });

  it('crops the middle, so that the crop maps onto the input', () => {
    const { crop, resized, letterbox } = placed([400, 300], [224, 224], { resize: 'crop' });
    expect(crop).toEqual({ left: 50, top: 0, width: 300, height: 300 });
    expect(resized).toEqual({ width: 224, height: 224 });
    expect(50 * letterbox.scaleX + letterbox.offsetX).toBeCloseTo(0, 9);
    expect(350 * letterbox.scaleX + letterbox.offsetX).toBeCloseTo(224, 9);
  });

  it('crops a share of the largest rectangle of the input proportions', () => {
    const { crop } = placed([512, 256], [100, 50], { resize: 'crop', cropRatio: 0.5 });
    expect(crop).toEqual({ left: 128, top: 64, width: 256, height: 128 });
  });

  it.each(['letterbox', 'stretch', 'crop'] as const)(
    'leaves at least one pixel of extreme pictures (%s)',
    (resize) => {
      for (const image of [
        [1, 1],
        [1, 30000],
        [30000, 1],
      ] as [number, number][]) {
        const { crop, resized, left, top } = placed(image, [32, 24], { resize, cropRatio: 0.01 });
        expect(Math.min(crop.width, crop.height, resized.width, resized.height)).toBeGreaterThanOrEqual(1);
        expect(crop.left + crop.width).toBeLessThanOrEqual(image[0]);
        expect(crop.top + crop.height).toBeLessThanOrEqual(image[1]);
        expect(left + resized.width).toBeLessThanOrEqual(32);
        expect(top + resized.height).toBeLessThanOrEqual(24);
      }
    },
  );
});

describe('parseLetterbox', () => {
  it('takes what travelled as JSON', () => {
    const { letterbox } = placed([768, 576], [416, 416], {});
    expect(parseLetterbox(JSON.parse(JSON.stringify(letterbox)))).toEqual(letterbox);
    expect(parseLetterbox(identity({ width: 3, height: 4 })).scaleX).toBe(1);
  });

  it.each([
    undefined,
    null,
    7,
    {},
    { ...identity({ width: 1, height: 1 }), scaleX: 0 },
    { ...identity({ width: 1, height: 1 }), offsetY: 'x' },
  ])('refuses %j', (value) => {
    expect(() => parseLetterbox(value)).toThrow(problem('wire-invalid') as Error);
  });
});
