import { describe, expect, it } from 'vitest';
import type { Answer } from '../../../../services/core/schema/generated/pipeline.ts';
import { detect } from '../../../../services/core/vision/detect.ts';
import { typicalHead } from '../../../../services/core/vision/heads/heads.ts';
import { identity } from '../../../../services/core/vision/letterbox.ts';
import { settle } from '../../../../services/core/vision/settings.ts';
import { problem } from '../../../support/tensors.ts';

const INPUT = { width: 64, height: 32 };
/** 8 x 4, 4 x 2 and 2 x 1 cells. */
const CELLS = 32 + 8 + 2;

const logit = (score: number): number => Math.log(score / (1 - score));

function output(name: string, shape: readonly number[], fill = 0) {
  return { name, shape, values: new Float32Array(shape.reduce((a, b) => a * b)).fill(fill) };
}

function run(answer: Answer, ...outputs: ReturnType<typeof output>[]) {
  return detect(settle({ answer: { task: 'detect', ...answer } }).answer, outputs, identity(INPUT));
}

describe('yolox', () => {
  const found = (row: number, values: readonly number[], answer: Answer = {}) => {
    const head = output('output', [1, CELLS, 7]);
    head.values.set(values, row * 7);
    return run(answer, head);
  };

  it('decodes a cell of each stride', () => {
    // Cell (3, 1) of stride 8: row 1 * 8 + 3.
    expect(found(11, [0.5, 0.25, Math.log(2), Math.log(1.5), 0.9, 0.1, 0.8])).toEqual([
      { label: 'class 1', index: 1, score: 0.72, box: { x: 20, y: 4, width: 16, height: 12 } },
    ]);
    // Cell (2, 1) of stride 16: 32 cells before, row 1 * 4 + 2.
    expect(found(38, [0.5, -0.5, 0, 0, 1, 1, 0])[0]).toMatchObject({
      index: 0,
      score: 1,
      box: { x: 32, y: 0, width: 16, height: 16 },
    });
    // Cell (1, 0) of stride 32.
    expect(found(41, [0, 0.5, 0, 0, 1, 1, 0])[0]?.box).toEqual({ x: 16, y: 0, width: 32, height: 32 });
  });

  it('applies sigmoid to raw outputs', () => {
    const head = output('output', [1, CELLS, 7], -20);
    head.values.set([0, 0, 0, 0, logit(0.8), -20, logit(0.9)], 0);
    expect(run({}, head)).toEqual([
      { label: 'class 1', index: 1, score: 0.72, box: { x: 0, y: 0, width: 4, height: 4 } },
    ]);
  });

  it('holds to the threshold and skips NaN', () => {
    expect(found(0, [0, 0, 0, 0, 0.5, 0.5, 0])).toEqual([]);
    expect(found(0, [0, 0, 0, 0, 0.5, 0.5, 0], { threshold: 0.25 })).toHaveLength(1);
    expect(found(0, [0, 0, Number.NaN, 0, 0.9, 0.9, 0])).toEqual([]);
    expect(found(0, [0, 0, 0, 0, 0.9, Number.NaN, Number.NaN])).toEqual([]);
    expect(found(0, [0, 0, 0, 0, Number.NaN, 1, 1])).toEqual([]);
  });
});

describe('yolov5', () => {
  it('reads decoded centres and sizes', () => {
    const head = output('output', [1, 3 * CELLS, 6]);
    head.values.set([30, 16, 20, 8, 0.8, 0.5], 6 * 100);
    expect(run({}, head)).toEqual([
      { label: 'class 0', index: 0, score: 0.4, box: { x: 20, y: 12, width: 20, height: 8 } },
    ]);
  });

  it('reads any number of boxes when named', () => {
    const head = output('output', [1, CELLS, 6]);
    head.values.set([30, 16, 20, 8, 0.8, 0.5], 0);
    expect(run({ head: 'yolov5' }, head)[0]?.box).toEqual({ x: 20, y: 12, width: 20, height: 8 });
  });
});

describe('yolov8', () => {
  it('reads one row per value', () => {
    const head = output('output0', [1, 6, CELLS]);
    [30, 16, 20, 8, 0.2, 0.6].forEach((value, row) => {
      head.values[row * CELLS + 40] = value;
    });
    expect(run({ labels: ['a', 'b'] }, head)).toEqual([
      { label: 'b', index: 1, score: 0.6, box: { x: 20, y: 12, width: 20, height: 8 } },
    ]);
  });
});

describe('nanodet', () => {
  const outputs = () => [
    ...[32, 8, 2].map((cells) => output(`cls_${cells}`, [1, cells, 3])),
    ...[32, 8, 2].map((cells) => output(`dis_${cells}`, [1, cells, 16], -50)),
  ];

  it('takes the mean of each edge distribution from the centre of the cell', () => {
    const all = outputs();
    // Cell (1, 1) of stride 16, centre (24, 24); edges 1, 0.5, 2 and 0 strides away.
    all[1]?.values.set([0.1, 0.2, 0.7], 5 * 3);
    all[4]?.values.set([-50, 50, -50, -50, 50, 50, -50, -50, -50, -50, 50, -50, 50, -50, -50, -50], 5 * 16);
    const [first, ...more] = run({ head: 'nanodet' }, ...all);
    expect(more).toEqual([]);
    expect(first).toEqual({
      label: 'class 2',
      index: 2,
      score: 0.7,
      box: { x: 8, y: 16, width: 48, height: 8 },
    });
  });

  it('tells scores and edges apart by name, in any order', () => {
    const all = outputs();
    all[0]?.values.set([0, 0.9, 0], 0);
    all[3]?.values.set(new Array(4).fill([-50, 50, -50, -50]).flat(), 0);
    const [found] = run({}, ...all.reverse());
    expect(found).toEqual({
      label: 'class 1',
      index: 1,
      score: 0.9,
      box: { x: 0, y: 0, width: 12, height: 12 },
    });
  });
});

describe('ssd', () => {
  it('reads corners as fractions of the input and never the background', () => {
    const scores = output('scores', [1, 5, 3]);
    scores.values.set([1, 0, 0, 0.1, 0.2, 0.7], 0);
    const boxes = output('boxes', [1, 5, 4]);
    boxes.values.set([0, 0, 1, 1, 0.25, 0.5, 0.75, 1], 0);
    expect(run({ background: true, labels: ['cat', 'dog'] }, boxes, scores)).toEqual([
      { label: 'dog', index: 2, score: 0.7, box: { x: 16, y: 16, width: 32, height: 16 } },
    ]);
  });

  it('applies softmax over all classes, the background among them', () => {
    const scores = output('scores', [1, 1, 3]);
    scores.values.set([Math.log(2), Math.log(6), 0]);
    const boxes = output('boxes', [1, 1, 4]);
    boxes.values.set([0, 0, 1, 1]);
    expect(run({ background: true }, scores, boxes)[0]?.score).toBe(0.6667);
  });
});

describe('grid', () => {
  it('decodes a cell by its formula', () => {
    const head = output('cells', [1, 7, 4, 8], -9);
    const set = (row: number, value: number): void => {
      head.values[row * 32 + 2 * 8 + 5] = value;
    };
    // Cell (5, 2) of stride 8.
    [logit(0.9), logit(0.25), logit(0.5), Math.log(2), Math.log(1.5), 1, 3].forEach((value, row) => {
      set(row, value);
    });
    const score = 0.9 / (1 + Math.exp(-2));
    expect(run({}, head)).toEqual([
      {
        label: 'class 1',
        index: 1,
        score: Math.round(score * 1e4) / 1e4,
        box: { x: (5.25 - 1) * 8, y: (2.5 - 0.75) * 8, width: 16, height: 12 },
      },
    ]);
    expect(run({ activation: 'sigmoid' }, head)[0]?.score).toBe(
      Math.round((0.9 / (1 + Math.exp(-3))) * 1e4) / 1e4,
    );
  });

  it('is as sure of the only class as of the object', () => {
    const head = output('cells', [1, 6, 4, 8]);
    head.values.fill(-9, 0, 32);
    head.values[0] = logit(0.8);
    expect(run({}, head)[0]).toMatchObject({ index: 0, score: 0.8 });
  });
});

describe('the choice of a head', () => {
  it('refuses what no head fits, with the shapes', () => {
    expect(() => run({}, output('y', [1, 10]))).toThrow(problem('config-invalid', '"y" [1, 10]') as Error);
  });

  it('takes the scores of a classifier for no map of one cell', () => {
    const picture = { width: 224, height: 224 };
    const typical = (shape: readonly number[]) => typicalHead([{ name: 'y', shape }], picture, [8, 16, 32]);
    expect(typical([1, 1000, 1, 1])).toBeUndefined();
    expect(typical([1, 10, 14, 14])).toBe('grid');
  });

  it('refuses outputs that are not those of the named head', () => {
    expect(() => run({ head: 'yolox' }, output('y', [1, CELLS + 1, 85]))).toThrow(
      problem('config-invalid', 'yolox wants') as Error,
    );
    expect(() => run({ head: 'nanodet' }, output('y', [1, 32, 3]))).toThrow(
      problem('config-invalid', 'nanodet') as Error,
    );
    expect(() => run({ head: 'grid' }, output('y', [1, 7, 4, 7]))).toThrow(
      problem('config-invalid', 'grid') as Error,
    );
  });
});
