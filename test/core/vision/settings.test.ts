import { describe, expect, it } from 'vitest';
import { settle } from '../../../services/core/vision/settings.ts';
import { problem } from '../../support/tensors.ts';

describe('settle', () => {
  it("fills in the schema's defaults", () => {
    const { preprocess, answer, limits } = settle();
    expect(preprocess).toEqual({
      resize: 'letterbox',
      fill: 114,
      anchor: 'center',
      cropRatio: 1,
      color: 'RGB',
      divide: 255,
      mean: [0],
      std: [1],
      layout: 'auto',
    });
    expect(answer).toMatchObject({ task: 'tensors', head: 'auto', strides: [8, 16, 32], labels: 'none' });
    expect(limits).toEqual({ maxImageBytes: 16_777_216, maxPixels: 33_554_432 });
  });

  it('lets a later layer override single keys of an earlier one, and leaves both as they were', () => {
    const recognised = { preprocess: { resize: 'stretch', divide: 1 }, answer: { threshold: 0.7 } } as const;
    const configured = { preprocess: { divide: 2 }, limits: { maxPixels: 10 } };
    const settings = settle(recognised, configured);
    expect(settings.preprocess).toMatchObject({ resize: 'stretch', divide: 2, color: 'RGB' });
    expect(settings.answer).toMatchObject({ threshold: 0.7, iou: 0.45 });
    expect(settings.limits).toMatchObject({ maxPixels: 10, maxImageBytes: 16_777_216 });
    expect(recognised.preprocess).toEqual({ resize: 'stretch', divide: 1 });
    expect(configured).toEqual({ preprocess: { divide: 2 }, limits: { maxPixels: 10 } });
  });

  it('is settled: settling again changes nothing', () => {
    const once = settle({ answer: { labels: ['ball'], task: 'detect' } });
    expect(settle(JSON.parse(JSON.stringify(once)))).toEqual(once);
  });

  it.each([
    [{ preprocess: { resise: 'crop' } }, 'preprocess.resise'],
    [{ preprocess: { resize: 'squash' } }, 'preprocess.resize'],
    [{ answer: { threshold: 2 } }, 'answer.threshold'],
    [{ answer: { labels: 'cocoa' } }, 'answer.labels'],
    [{ limits: { maxPixels: 0 } }, 'limits.maxPixels'],
    [{ preprocess: 'letterbox' }, 'preprocess'],
    [{ answr: {} }, 'answr'],
  ])('refuses %j by the name of the key', (layer, key) => {
    expect(() => settle(layer as object)).toThrow(problem('config-invalid', key) as Error);
  });
});
