import { describe, expect, it } from 'vitest';
import { COCO } from '../../../services/core/vision/labels/coco.ts';
import { IMAGENET } from '../../../services/core/vision/labels/imagenet.ts';
import { labelOf } from '../../../services/core/vision/labels/labels.ts';
import { settle } from '../../../services/core/vision/settings.ts';

describe('built-in labels', () => {
  it('are complete, distinct and in order', () => {
    expect(COCO).toHaveLength(80);
    expect(IMAGENET).toHaveLength(1000);
    expect(new Set(COCO).size).toBe(80);
    expect(new Set(IMAGENET).size).toBe(1000);
    expect([COCO[0], COCO[1], COCO[2], COCO[16], COCO[79]]).toEqual([
      'person',
      'bicycle',
      'car',
      'dog',
      'toothbrush',
    ]);
    expect([IMAGENET[0], IMAGENET[1], IMAGENET[281], IMAGENET[999]]).toEqual([
      'tench',
      'goldfish',
      'tabby',
      'toilet tissue',
    ]);
    expect([...COCO, ...IMAGENET].filter((name) => name.trim() !== name || name === '')).toEqual([]);
  });
});

describe('labelOf', () => {
  it('names, and counts from one past a background', () => {
    expect(labelOf(settle({ answer: { labels: 'coco' } }).answer, 16)).toBe('dog');
    expect(labelOf(settle({ answer: { labels: 'face', background: true } }).answer, 1)).toBe('face');
    expect(labelOf(settle({ answer: { labels: ['a'] } }).answer, 1)).toBe('class 1');
    expect(labelOf(settle().answer, 0)).toBe('class 0');
  });
});
