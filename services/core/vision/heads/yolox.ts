/**
 * YOLOX (Ge et al. 2021): [1, cells, 5 + C], the cells of each scale row by row. Per cell: centre relative to the
 * cell's corner and logarithm of the size, both in strides, objectness, classes.
 */

import { chooseActivation, sigmoid } from '../activation.ts';
import { bestClass, classScore } from './best.ts';
import { cellCount, grid, type Head, matrix, type Output } from './head.ts';

export const yolox: Head = {
  wants: '[1, cells of all strides, 5 + classes]',

  fits(outputs, input, strides) {
    const size = matrix(outputs);
    return size !== undefined && size[0] === cellCount(input, strides) && size[1] >= 6;
  },

  decode({ outputs, input, answer, found }) {
    const { values, shape } = outputs[0] as Output;
    const columns = shape[2] as number;
    const classes = columns - 5;
    const activation = chooseActivation(answer.activation, 'sigmoid', values, 4, classes + 1, columns);
    const first = answer.background ? 1 : 0;
    let row = 0;
    for (const stride of answer.strides) {
      const cells = grid(input, stride);
      for (let y = 0; y < cells.height; y++) {
        for (let x = 0; x < cells.width; x++, row += columns) {
          const raw = values[row + 4] as number;
          const objectness = activation === 'sigmoid' ? sigmoid(raw) : raw;
          if (!(objectness >= answer.threshold)) continue;
          const best = bestClass(values, row + 5, classes, 1, first);
          if (best < 0) continue;
          const score = objectness * classScore(values, row + 5, classes, 1, best, activation);
          if (!(score >= answer.threshold)) continue;
          found.addCentred(
            score,
            best,
            (x + (values[row] as number)) * stride,
            (y + (values[row + 1] as number)) * stride,
            Math.exp(values[row + 2] as number) * stride,
            Math.exp(values[row + 3] as number) * stride,
          );
        }
      }
    }
  },
};
