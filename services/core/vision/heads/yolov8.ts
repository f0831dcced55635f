/** YOLOv8 and 11 as exported: [1, 4 + C, boxes], centre and size in input pixels, then one row per class; no objectness. */

import { chooseActivation } from '../activation.ts';
import { classScore } from './best.ts';
import { cellCount, type Head, matrix, type Output } from './head.ts';

export const yolov8: Head = {
  wants: '[1, 4 + classes, boxes]',

  fits(outputs) {
    const size = matrix(outputs);
    return size !== undefined && size[0] >= 5;
  },

  typical(outputs, input, strides) {
    const size = matrix(outputs);
    return size !== undefined && size[0] >= 5 && size[1] === cellCount(input, strides);
  },

  decode({ outputs, answer, found }) {
    const { values, shape } = outputs[0] as Output;
    const [, rows, boxes] = shape as readonly [number, number, number];
    const classes = rows - 4;
    const activation = chooseActivation(answer.activation, 'sigmoid', values, 4 * boxes, classes * boxes);
    const largest = new Float32Array(boxes).fill(-Infinity);
    const best = new Int32Array(boxes).fill(-1);
    // Class by class, as they lie in memory: box by box would touch a new cache line per element.
    for (let index = answer.background ? 1 : 0; index < classes; index++) {
      const row = (4 + index) * boxes;
      for (let box = 0; box < boxes; box++) {
        const value = values[row + box] as number;
        if (value > (largest[box] as number)) {
          largest[box] = value;
          best[box] = index;
        }
      }
    }
    for (let box = 0; box < boxes; box++) {
      const index = best[box] as number;
      if (index < 0) continue;
      const score = classScore(values, 4 * boxes + box, classes, boxes, index, activation);
      if (!(score >= answer.threshold)) continue;
      found.addCentred(
        score,
        index,
        values[box] as number,
        values[boxes + box] as number,
        values[2 * boxes + box] as number,
        values[3 * boxes + box] as number,
      );
    }
  },
};
