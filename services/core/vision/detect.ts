/** Detection: boxes of the picture from the outputs of a network. */

import type { Detection } from '../schema/generated/result.ts';
import type { Output } from './heads/head.ts';
import { chooseHead } from './heads/heads.ts';
import { labelOf } from './labels/labels.ts';
import type { Letterbox } from './letterbox.ts';
import { Candidates, suppress } from './nms.ts';
import { rounded, score } from './rounding.ts';
import type { AnswerSettings } from './settings.ts';

/** The best first; equal scores in the order of the outputs, so that the same outputs give the same document. */
export function detect(
  answer: AnswerSettings,
  outputs: readonly Output[],
  letterbox: Letterbox,
): Detection[] {
  const found = new Candidates();
  chooseHead(outputs, letterbox.input, answer).decode({ outputs, input: letterbox.input, answer, found });
  const { image, scaleX, scaleY, offsetX, offsetY } = letterbox;
  const detections: Detection[] = [];
  for (const box of suppress(found.ranked(), answer.iou, answer.maxDetections)) {
    const x0 = clip((box.x0 - offsetX) / scaleX, image.width);
    const y0 = clip((box.y0 - offsetY) / scaleY, image.height);
    const width = rounded(clip((box.x1 - offsetX) / scaleX, image.width) - x0, 100);
    const height = rounded(clip((box.y1 - offsetY) / scaleY, image.height) - y0, 100);
    // A box can lie wholly in what was filled in around the picture.
    if (width <= 0 || height <= 0) continue;
    detections.push({
      label: labelOf(answer, box.index),
      index: box.index,
      score: score(box.score),
      box: { x: rounded(x0, 100), y: rounded(y0, 100), width, height },
    });
  }
  return detections;
}

function clip(value: number, most: number): number {
  return Math.max(0, Math.min(most, value));
}
