import { describe, expect, it } from 'vitest';
import { type Candidate, Candidates, overlap, suppress } from '../../../services/core/vision/nms.ts';

const box = (score: number, x0: number, y0: number, x1: number, y1: number, index = 0): Candidate => ({
  score,
  index,
  x0,
  y0,
  x1,
  y1,
});

describe('overlap', () => {
  it('is intersection over union', () => {
    expect(overlap(box(1, 0, 0, 10, 10), box(1, 5, 0, 15, 10))).toBeCloseTo(50 / 150, 12);
    expect(overlap(box(1, 0, 0, 4, 4), box(1, 0, 0, 4, 4))).toBe(1);
    expect(overlap(box(1, 0, 0, 4, 4), box(1, 4, 0, 8, 4))).toBe(0);
    expect(overlap(box(1, 0, 0, 4, 4), box(1, 9, 9, 10, 10))).toBe(0);
  });
});

describe('suppress', () => {
  it('drops what overlaps a better box of its class by more than the limit', () => {
    const best = box(0.9, 0, 0, 10, 10);
    const near = box(0.8, 1, 0, 11, 10);
    const other = box(0.7, 1, 0, 11, 10, 1);
    const far = box(0.6, 20, 0, 30, 10);
    expect(suppress([best, near, other, far], 0.5, 100)).toEqual([best, other, far]);
    expect(suppress([best, near, other, far], 0.9, 100)).toEqual([best, near, other, far]);
  });

  it('lets a box live that only a dropped one hides', () => {
    const chain = [box(0.9, 0, 0, 10, 10), box(0.8, 4, 0, 14, 10), box(0.7, 8, 0, 18, 10)];
    expect(suppress(chain, 0.4, 100)).toEqual([chain[0], chain[2]]);
  });

  it('stops at the most', () => {
    const apart = [0, 1, 2, 3].map((i) => box(0.9, i * 10, 0, i * 10 + 5, 5));
    expect(suppress(apart, 0.5, 2)).toEqual(apart.slice(0, 2));
  });
});

describe('Candidates', () => {
  it('ranks by score and keeps the order of equals', () => {
    const found = new Candidates();
    found.add(0.5, 1, 0, 0, 1, 1);
    found.add(0.9, 2, 0, 0, 1, 1);
    found.add(0.5, 3, 0, 0, 1, 1);
    expect(found.ranked().map(({ index }) => index)).toEqual([2, 1, 3]);
  });

  it('drops NaN, infinite, empty and inverted boxes', () => {
    const found = new Candidates();
    found.add(Number.NaN, 0, 0, 0, 1, 1);
    found.add(1, 0, Number.NaN, 0, 1, 1);
    found.add(1, 0, 0, -Infinity, 1, Infinity);
    found.add(1, 0, 0, 0, 0, 1);
    found.add(1, 0, 5, 0, 4, 1);
    found.addCentred(1, 0, 5, 5, Number.POSITIVE_INFINITY, 1);
    expect(found.ranked()).toEqual([]);
    found.addCentred(1, 7, 5, 6, 4, 2);
    expect(found.ranked()).toEqual([{ score: 1, index: 7, x0: 3, y0: 5, x1: 7, y1: 7 }]);
  });
});
