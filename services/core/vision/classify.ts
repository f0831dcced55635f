/** Classification: the best classes of one vector of outputs. */

import { TilepipeError } from '../runtime/errors.ts';
import type { ClassScore } from '../schema/generated/result.ts';
import { type Activation, activate } from './activation.ts';
import type { Output, Shaped } from './heads/head.ts';
import { labelOf } from './labels/labels.ts';
import { score } from './rounding.ts';
import type { AnswerSettings } from './settings.ts';

/** Number of classes of an output that is one vector ([1, C], [1, C, 1, 1], [C]), else undefined. */
export function classCount({ shape }: Shaped): number | undefined {
  const extents = shape.filter((extent) => extent !== 1);
  return extents.length === 1 && (extents[0] as number) >= 2 ? extents[0] : undefined;
}

/** The best first; equal scores by class number. Throws `task-failed` where no output is finite. */
export function classify(answer: AnswerSettings, outputs: readonly Output[]): ClassScore[] {
  const output = outputs.find((candidate) => classCount(candidate) !== undefined);
  if (output === undefined) {
    const shapes = outputs.map(({ name, shape }) => `"${name}" [${shape.join(', ')}]`).join(', ');
    throw new TilepipeError(
      'config-invalid',
      `answer.task: classify wants an output of one vector, the model has ${shapes}; set it to tensors`,
    );
  }
  if (!output.values.some((value) => Number.isFinite(value))) {
    throw new TilepipeError(
      'task-failed',
      `output "${output.name}" has no finite value: the network overflows`,
    );
  }
  const scores = activate(output.values, activationOf(answer, output.values));
  const order: number[] = [];
  for (let index = answer.background ? 1 : 0; index < scores.length; index++) {
    if (Number.isFinite(scores[index])) order.push(index);
  }
  order.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
  return order.slice(0, answer.topK).map((index) => ({
    label: labelOf(answer, index),
    index,
    score: score(scores[index] as number),
  }));
}

/** Outputs are probabilities already where none is negative and they add up to one. */
function activationOf(answer: AnswerSettings, values: Float32Array): Activation {
  if (answer.activation !== 'auto') return answer.activation;
  let sum = 0;
  for (const value of values) {
    if (value < 0) return 'softmax';
    sum += value;
  }
  // A thousand half-precision probabilities add up to one within a few thousandths.
  return Math.abs(sum - 1) < 0.01 ? 'none' : 'softmax';
}
