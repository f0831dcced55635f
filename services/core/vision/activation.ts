/** What turns raw outputs into scores. */

import type { AnswerSettings } from './settings.ts';

export type Activation = Exclude<AnswerSettings['activation'], 'auto'>;

/** Half precision rounds probabilities to just above 1. */
const SLACK = 2e-3;

export function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}

/**
 * The activation to apply. `auto` is `otherwise`, except where the values are scores already: every
 * `stride`-th group of `count` values, the first at `offset`, lies in [0, 1]. NaN tells nothing.
 */
export function chooseActivation(
  asked: AnswerSettings['activation'],
  otherwise: Activation,
  values: Float32Array,
  offset = 0,
  count = values.length,
  stride = values.length,
): Activation {
  if (asked !== 'auto') return asked;
  for (let group = offset; group < values.length; group += stride) {
    for (let i = group; i < group + count; i++) {
      const value = values[i] as number;
      if (value < -SLACK || value > 1 + SLACK) return otherwise;
    }
  }
  return 'none';
}

/** Probabilities of one vector; the largest is subtracted first so that nothing overflows, NaN and -Infinity become 0. */
export function softmax(values: Float32Array): Float32Array {
  let largest = -Infinity;
  for (let i = 0; i < values.length; i++) if ((values[i] as number) > largest) largest = values[i] as number;
  const result = new Float32Array(values.length);
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Number.isNaN(value)) continue;
    // Infinity less infinity is no number.
    result[i] = value === largest ? 1 : Math.exp(value - largest);
    sum += result[i] as number;
  }
  if (sum > 0) for (let i = 0; i < result.length; i++) result[i] = (result[i] as number) / sum;
  return result;
}

/** Scores of one vector of class outputs; a single class under softmax is certain. */
export function activate(values: Float32Array, activation: Activation): Float32Array {
  if (activation === 'softmax') return softmax(values);
  return activation === 'sigmoid' ? values.map(sigmoid) : values;
}
