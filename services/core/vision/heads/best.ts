/** The best class of one box, without an array per box. */

import type { Activation } from '../activation.ts';
import { sigmoid } from '../activation.ts';

/** Index of the largest of `count` values that lie `step` apart, from class `first` on; -1 where all are NaN. */
export function bestClass(
  values: Float32Array,
  offset: number,
  count: number,
  step: number,
  first: number,
): number {
  let best = -1;
  let largest = -Infinity;
  for (let i = first; i < count; i++) {
    const value = values[offset + i * step] as number;
    if (value > largest) {
      largest = value;
      best = i;
    }
  }
  return best;
}

/** The activated score of class `best`; softmax is over all `count` classes. */
export function classScore(
  values: Float32Array,
  offset: number,
  count: number,
  step: number,
  best: number,
  activation: Activation,
): number {
  const value = values[offset + best * step] as number;
  if (activation === 'none') return value;
  if (activation === 'sigmoid') return sigmoid(value);
  let sum = 0;
  for (let i = 0; i < count; i++) sum += Math.exp((values[offset + i * step] as number) - value);
  return 1 / sum;
}
