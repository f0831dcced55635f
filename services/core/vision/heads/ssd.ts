/** Single-shot heads whose boxes are decoded in the graph: scores [1, boxes, C] and corners [1, boxes, 4] as fractions of the input. */

import { chooseActivation } from '../activation.ts';
import { bestClass, classScore } from './best.ts';
import type { Head, Shaped } from './head.ts';

export const ssd: Head = {
  wants: 'scores [1, boxes, classes] and corners [1, boxes, 4]',

  fits(outputs) {
    return pairOf(outputs) !== undefined;
  },

  decode({ outputs, input, answer, found }) {
    const pair = pairOf(outputs);
    if (pair === undefined) return;
    const scores = pair.scores.values;
    const corners = pair.corners.values;
    const [, boxes, classes] = pair.scores.shape as readonly [number, number, number];
    const activation = chooseActivation(answer.activation, 'softmax', scores);
    const first = answer.background ? 1 : 0;
    for (let box = 0; box < boxes; box++) {
      const best = bestClass(scores, box * classes, classes, 1, first);
      if (best < 0) continue;
      const score = classScore(scores, box * classes, classes, 1, best, activation);
      if (!(score >= answer.threshold)) continue;
      found.add(
        score,
        best,
        (corners[box * 4] as number) * input.width,
        (corners[box * 4 + 1] as number) * input.height,
        (corners[box * 4 + 2] as number) * input.width,
        (corners[box * 4 + 3] as number) * input.height,
      );
    }
  },
};

const CORNERS = /box|loc|reg/i;

function pairOf<T extends Shaped>(outputs: readonly T[]): { scores: T; corners: T } | undefined {
  const [a, b] = outputs;
  if (outputs.length !== 2 || a === undefined || b === undefined) return undefined;
  if (![a, b].every(({ shape }) => shape.length === 3 && shape[0] === 1) || a.shape[1] !== b.shape[1])
    return undefined;
  const swapped = a.shape[2] === 4 && (b.shape[2] !== 4 || (CORNERS.test(a.name) && !CORNERS.test(b.name)));
  const [scores, corners] = swapped ? [b, a] : [a, b];
  return corners.shape[2] === 4 ? { scores, corners } : undefined;
}
