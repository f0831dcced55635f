/** From the output tensors of a network to the body of the result document. */

import type { TensorInfo } from '../graph/types.ts';
import { TilepipeError } from '../runtime/errors.ts';
import type { Result, TensorSummary } from '../schema/generated/result.ts';
import type { TensorData } from '../wire/message.ts';
import { classCount, classify } from './classify.ts';
import { detect } from './detect.ts';
import { floatsOf } from './floats.ts';
import { chooseHead } from './heads/heads.ts';
import type { Letterbox, Size } from './letterbox.ts';
import type { AnswerSettings } from './settings.ts';

/** The part of a result that the network's outputs decide. */
export type AnswerBody = Pick<Result, 'task' | 'image' | 'classes' | 'detections' | 'tensors'>;

/**
 * Answers one frame. `outputs` are the whole output tensors of the model, in its order.
 * Throws `config-invalid` where they do not fit the settings, `task-failed` where they are not finite.
 */
export function answer(
  settings: AnswerSettings,
  outputs: readonly TensorData[],
  letterbox: Letterbox,
): AnswerBody {
  const image = { width: letterbox.image.width, height: letterbox.image.height };
  if (settings.task === 'tensors') return { task: 'tensors', image, tensors: outputs.map(summarise) };
  const decoded = outputs.map((tensor) => ({
    name: tensor.name,
    shape: tensor.shape,
    values: floatsOf(tensor),
  }));
  if (settings.task === 'classify') return { task: 'classify', image, classes: classify(settings, decoded) };
  return { task: 'detect', image, detections: detect(settings, decoded, letterbox) };
}

/** Checks before the first frame that outputs of these shapes can be answered; throws `config-invalid`. */
export function checkAnswer(settings: AnswerSettings, outputs: readonly TensorInfo[], input: Size): void {
  if (settings.task === 'detect') chooseHead(outputs, input, settings);
  if (settings.task === 'classify' && !outputs.some((output) => classCount(output) !== undefined)) {
    throw new TilepipeError(
      'config-invalid',
      'answer.task: classify wants an output of one vector; set it to tensors',
    );
  }
}

function summarise(tensor: TensorData): TensorSummary {
  const values = floatsOf(tensor);
  let min = Infinity;
  let max = -Infinity;
  let nonFinite = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value - value !== 0) nonFinite++;
    else {
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  return {
    name: tensor.name,
    dtype: tensor.dtype,
    shape: [...tensor.shape],
    ...(min <= max ? { min, max } : {}),
    ...(nonFinite > 0 ? { nonFinite } : {}),
  };
}
