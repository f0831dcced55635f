/**
 * NanoDet (generalised focal loss, Li et al. 2020): per stride class scores [1, cells, C] and, for each of the four
 * edges, a distribution over distances of 0, 1, ... strides from the cell's centre: [1, cells, 4 * bins].
 */

import { chooseActivation } from '../activation.ts';
import type { Size } from '../letterbox.ts';
import { bestClass, classScore } from './best.ts';
import { grid, type Head, type Shaped } from './head.ts';

export const nanodet: Head = {
  wants: 'for each stride [1, cells, classes] and [1, cells, 4 * bins]',

  fits(outputs, input, strides) {
    return (
      outputs.length === 2 * strides.length &&
      strides.every((stride) => pairOf(outputs, input, stride) !== undefined)
    );
  },

  decode({ outputs, input, answer, found }) {
    const first = answer.background ? 1 : 0;
    for (const stride of answer.strides) {
      const pair = pairOf(outputs, input, stride);
      if (pair === undefined) continue;
      const scores = pair.scores.values;
      const edges = pair.edges.values;
      const classes = pair.scores.shape[2] as number;
      const bins = (pair.edges.shape[2] as number) / 4;
      const activation = chooseActivation(answer.activation, 'sigmoid', scores);
      const cells = grid(input, stride);
      for (let cell = 0; cell < cells.width * cells.height; cell++) {
        const best = bestClass(scores, cell * classes, classes, 1, first);
        if (best < 0) continue;
        const score = classScore(scores, cell * classes, classes, 1, best, activation);
        if (!(score >= answer.threshold)) continue;
        const x = (cell % cells.width) + 0.5;
        const y = Math.floor(cell / cells.width) + 0.5;
        const edge = cell * 4 * bins;
        found.add(
          score,
          best,
          (x - expected(edges, edge, bins)) * stride,
          (y - expected(edges, edge + bins, bins)) * stride,
          (x + expected(edges, edge + 2 * bins, bins)) * stride,
          (y + expected(edges, edge + 3 * bins, bins)) * stride,
        );
      }
    }
  },
};

/** Mean of a distribution over 0, 1, ... whose logits are given. */
function expected(logits: Float32Array, offset: number, bins: number): number {
  let largest = -Infinity;
  for (let i = offset; i < offset + bins; i++) largest = Math.max(largest, logits[i] as number);
  let sum = 0;
  let weighted = 0;
  for (let i = 0; i < bins; i++) {
    const weight = Math.exp((logits[offset + i] as number) - largest);
    sum += weight;
    weighted += weight * i;
  }
  return weighted / sum;
}

const EDGES = /dis|reg|box/i;

/** The two outputs of one stride: told apart by name, else scores come first. */
function pairOf<T extends Shaped>(
  outputs: readonly T[],
  input: Size,
  stride: number,
): { scores: T; edges: T } | undefined {
  const { width, height } = grid(input, stride);
  const [a, b, ...more] = outputs.filter(
    ({ shape }) => shape.length === 3 && shape[0] === 1 && shape[1] === width * height,
  );
  if (a === undefined || b === undefined || more.length > 0) return undefined;
  const [scores, edges] = EDGES.test(a.name) && !EDGES.test(b.name) ? [b, a] : [a, b];
  return (edges.shape[2] as number) % 4 === 0 && (edges.shape[2] as number) >= 8
    ? { scores, edges }
    : undefined;
}
