/**
 * One cell map, [1, 5 + C, H, W], all logits: objectness, dx, dy, log w, log h, classes. Stride = input / map;
 * centre = (cell + sigmoid(dx, dy)) * stride, size = exp(log w, log h) * stride.
 */

import { sigmoid } from '../activation.ts';
import type { Size } from '../letterbox.ts';
import { bestClass, classScore } from './best.ts';
import type { Head, Output, Shaped } from './head.ts';

export const gridHead: Head = {
  wants: '[1, 5 + classes, H, W] with the input a multiple of H and W',

  fits(outputs, input) {
    return strideOf(outputs, input) !== undefined;
  },

  /** A map of one cell is what a classifier leaves after global pooling: [1, classes, 1, 1]. */
  typical(outputs, input) {
    const [, , height = 1, width = 1] = outputs[0]?.shape ?? [];
    return strideOf(outputs, input) !== undefined && height * width > 1;
  },

  decode({ outputs, input, answer, found }) {
    const { values, shape } = outputs[0] as Output;
    const stride = strideOf(outputs, input) as number;
    const [, rows, height, width] = shape as readonly [number, number, number, number];
    const plane = height * width;
    const classes = rows - 5;
    // Trained logits can all happen to lie between 0 and 1, so that `auto` does not look at them.
    const activation = answer.activation === 'auto' ? 'softmax' : answer.activation;
    const first = answer.background ? 1 : 0;
    for (let cell = 0; cell < plane; cell++) {
      const objectness = sigmoid(values[cell] as number);
      if (!(objectness >= answer.threshold)) continue;
      const best = bestClass(values, 5 * plane + cell, classes, plane, first);
      if (best < 0) continue;
      const score = objectness * classScore(values, 5 * plane + cell, classes, plane, best, activation);
      if (!(score >= answer.threshold)) continue;
      found.addCentred(
        score,
        best,
        ((cell % width) + sigmoid(values[plane + cell] as number)) * stride,
        (Math.floor(cell / width) + sigmoid(values[2 * plane + cell] as number)) * stride,
        Math.exp(values[3 * plane + cell] as number) * stride,
        Math.exp(values[4 * plane + cell] as number) * stride,
      );
    }
  },
};

function strideOf(outputs: readonly Shaped[], input: Size): number | undefined {
  const [batch, rows, height, width] = outputs[0]?.shape ?? [];
  if (outputs.length !== 1 || batch !== 1 || !rows || rows < 6 || !height || !width) return undefined;
  const stride = input.height / height;
  return Number.isInteger(stride) && stride >= 2 && stride === input.width / width ? stride : undefined;
}
