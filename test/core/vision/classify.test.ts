import { describe, expect, it } from 'vitest';
import type { Answer } from '../../../services/core/schema/generated/pipeline.ts';
import { classify } from '../../../services/core/vision/classify.ts';
import { settle } from '../../../services/core/vision/settings.ts';
import { problem } from '../../support/tensors.ts';

const run = (values: readonly number[], answer: Answer = {}, shape: readonly number[] = [1, values.length]) =>
  classify(settle({ answer }).answer, [{ name: 'y', shape, values: Float32Array.from(values) }]);

describe('classify', () => {
  it('applies softmax to logits', () => {
    const [first, second] = run([1, 3, 2], { labels: ['a', 'b', 'c'] });
    expect(first).toEqual({ label: 'b', index: 1, score: 0.6652 });
    expect(second).toEqual({ label: 'c', index: 2, score: 0.2447 });
  });

  it('leaves probabilities as they are', () => {
    expect(run([0.25, 0.7, 0.05]).map(({ score }) => score)).toEqual([0.7, 0.25, 0.05]);
  });

  it('does not take logits that happen to lie in [0, 1] for probabilities', () => {
    expect(run([0.9, 0.8])[0]?.score).toBe(0.525);
  });

  it('can be told', () => {
    expect(run([0, 2], { activation: 'sigmoid' }).map(({ score }) => score)).toEqual([0.8808, 0.5]);
    expect(run([0.25, 0.75], { activation: 'softmax' })[0]?.score).toBe(0.6225);
  });

  it('limits to topK, ties by class number, and names what has no label', () => {
    expect(run([0.25, 0.25, 0.25, 0.25], { topK: 3 }).map(({ label }) => label)).toEqual([
      'class 0',
      'class 1',
      'class 2',
    ]);
  });

  it('never reports the background', () => {
    expect(run([0.9, 0.04, 0.06], { background: true, labels: ['ball', 'cup'] })).toEqual([
      { label: 'cup', index: 2, score: 0.06 },
      { label: 'ball', index: 1, score: 0.04 },
    ]);
  });

  it.each([[[1, 3, 1, 1]], [[3]], [[1, 1, 1, 3]]])('takes outputs of shape %j', (shape) => {
    expect(run([0, 1, 0], {}, shape)[0]?.index).toBe(1);
  });

  it('skips NaN, and refuses an output without a finite value', () => {
    expect(run([Number.NaN, 5, 1])[0]?.label).toBe('class 1');
    expect(run([Number.NaN, 5, 1]).every(({ score }) => Number.isFinite(score))).toBe(true);
    expect(() => run([Number.NaN, Number.NaN])).toThrow(problem('task-failed', '"y"') as Error);
  });

  it('refuses a model without a vector', () => {
    expect(() => run([1, 2, 3, 4], {}, [1, 2, 2])).toThrow(problem('config-invalid', '[1, 2, 2]') as Error);
  });
});
