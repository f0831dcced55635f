/** YOLOv5, v6 and v7 as exported: [1, boxes, 5 + C], centre and size in input pixels, objectness, classes. */

import { chooseActivation, sigmoid } from '../activation.ts';
import { bestClass, classScore } from './best.ts';
import { cellCount, type Head, matrix, type Output } from './head.ts';

export const yolov5: Head = {
  wants: '[1, boxes, 5 + classes]',

  fits(outputs) {
    const size = matrix(outputs);
    return size !== undefined && size[1] >= 6;
  },

  /** Three anchors per cell. */
  typical(outputs, input, strides) {
    const size = matrix(outputs);
    return size !== undefined && size[0] === 3 * cellCount(input, strides) && size[1] >= 6;
  },

  decode({ outputs, answer, found }) {
    const { values, shape } = outputs[0] as Output;
    const columns = shape[2] as number;
    const classes = columns - 5;
    const activation = chooseActivation(answer.activation, 'sigmoid', values, 4, classes + 1, columns);
    const first = answer.background ? 1 : 0;
    for (let row = 0; row + columns <= values.length; row += columns) {
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
        values[row] as number,
        values[row + 1] as number,
        values[row + 2] as number,
        values[row + 3] as number,
      );
    }
  },
};
