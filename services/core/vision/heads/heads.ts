/** Every detection head, and the choice among them. */

import { TilepipeError } from '../../runtime/errors.ts';
import type { Size } from '../letterbox.ts';
import type { AnswerSettings } from '../settings.ts';
import { gridHead } from './grid.ts';
import type { Head, Shaped } from './head.ts';
import { nanodet } from './nanodet.ts';
import { ssd } from './ssd.ts';
import { yolov5 } from './yolov5.ts';
import { yolov8 } from './yolov8.ts';
import { yolox } from './yolox.ts';

export type HeadName = Exclude<AnswerSettings['head'], 'auto'>;

/** In the order in which `auto` tries them: the ones with the stricter shapes first. */
export const HEADS: Readonly<Record<HeadName, Head>> = {
  yolox,
  yolov5,
  yolov8,
  nanodet,
  ssd,
  grid: gridHead,
};

/** The first head whose typical shapes these are. */
export function typicalHead(
  outputs: readonly Shaped[],
  input: Size,
  strides: readonly number[],
): HeadName | undefined {
  return (Object.keys(HEADS) as HeadName[]).find((name) => {
    const head = HEADS[name];
    return head.typical === undefined
      ? head.fits(outputs, input, strides)
      : head.typical(outputs, input, strides);
  });
}

/** The head the settings ask for; throws `config-invalid` where the model's outputs are not its. */
export function chooseHead(outputs: readonly Shaped[], input: Size, answer: AnswerSettings): Head {
  const shapes = outputs.map(({ name, shape }) => `"${name}" [${shape.join(', ')}]`).join(', ');
  const name = answer.head === 'auto' ? typicalHead(outputs, input, answer.strides) : answer.head;
  if (name === undefined) {
    throw new TilepipeError(
      'config-invalid',
      `answer.head: no detection head has the outputs ${shapes}; set answer.head, or answer.task to tensors`,
    );
  }
  const head = HEADS[name];
  if (head.fits(outputs, input, answer.strides)) return head;
  throw new TilepipeError(
    'config-invalid',
    `answer.head: ${name} wants ${head.wants} for an input of ${input.width}x${input.height}, the model has ${shapes}`,
  );
}
