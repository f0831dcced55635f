import { describe, expect, it } from 'vitest';
import type { Answer } from '../../../services/core/schema/generated/pipeline.ts';
import { detect } from '../../../services/core/vision/detect.ts';
import { place } from '../../../services/core/vision/letterbox.ts';
import { settle } from '../../../services/core/vision/settings.ts';

const settings = settle({ preprocess: { resize: 'letterbox' } });
/** A picture of 200 x 100 in an input of 100 x 100: scale 0.5, 25 rows of fill above and below. */
const { letterbox } = place({ width: 200, height: 100 }, { width: 100, height: 100 }, settings.preprocess);

function run(boxes: readonly (readonly number[])[], answer: Answer = {}) {
  const outputs = [{ name: 'y', shape: [1, boxes.length, 6], values: Float32Array.from(boxes.flat()) }];
  return detect(settle({ answer: { task: 'detect', head: 'yolov5', ...answer } }).answer, outputs, letterbox);
}

describe('detect', () => {
  it('maps boxes to pixels of the picture', () => {
    expect(run([[50, 50, 20, 10, 1, 0.9]])[0]?.box).toEqual({ x: 80, y: 40, width: 40, height: 20 });
  });

  it('clips to the picture and drops what lies in the fill', () => {
    expect(run([[0, 25, 20, 20, 1, 0.9]])[0]?.box).toEqual({ x: 0, y: 0, width: 20, height: 20 });
    expect(run([[50, 10, 20, 20, 1, 0.9]])).toEqual([]);
    expect(run([[50, 50, 500, 500, 1, 0.9]])[0]?.box).toEqual({ x: 0, y: 0, width: 200, height: 100 });
  });

  it('rounds to what means something', () => {
    const [found] = run([[50.123456, 50.5, 20.00001, 10, 1, 0.987654]]);
    expect(found?.score).toBe(0.9877);
    expect(found?.box.x).toBe(80.25);
  });

  it('orders by score, suppresses, and stops at the most', () => {
    const boxes = [
      [30, 50, 20, 20, 1, 0.5],
      [30.5, 50, 20, 20, 1, 0.6],
      [70, 50, 20, 20, 1, 0.9],
      [70, 50, 4, 4, 1, 0.4],
    ];
    expect(run(boxes).map(({ score }) => score)).toEqual([0.9, 0.6, 0.4]);
    expect(run(boxes, { maxDetections: 1 }).map(({ score }) => score)).toEqual([0.9]);
  });

  it('finds nothing in NaN', () => {
    expect(run([new Array(6).fill(Number.NaN), new Array(6).fill(Infinity)])).toEqual([]);
  });

  it('survives thousands of boxes above the threshold', () => {
    const boxes = Array.from({ length: 20_000 }, (_, i) => [i % 100, 50, 3, 3, 1, 0.5 + (i % 7) / 100]);
    const found = run(boxes, { threshold: 0 });
    expect(found.length).toBeGreaterThan(10);
    expect(found.length).toBeLessThanOrEqual(100);
  });
});
