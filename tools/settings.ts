/** How a model's frames are read and answered: what was recognised, overridden by what was configured. */

import type { OpenedModel } from '../services/controller/prepare.ts';
import type { Pipeline } from '../services/core/schema/generated/pipeline.ts';
import { checkAnswer } from '../services/core/vision/answer.ts';
import { inputFormat } from '../services/core/vision/preprocess.ts';
import { recognise } from '../services/core/vision/recognise.ts';
import { type Settings, settle } from '../services/core/vision/settings.ts';

export interface ModelSettings {
  readonly settings: Settings;
  /** What was recognised and by what, for people. */
  readonly because: string;
}

/** Throws `config-invalid` where the outputs cannot be answered so: before the first frame, not at each. */
export function modelSettings(
  { graph, name, preprocess }: OpenedModel,
  configured: Pipeline = {},
): ModelSettings {
  const { pipeline, because } = recognise({ inputs: graph.inputs, outputs: graph.outputs, name });
  const settings = settle(pipeline, configured, preprocess === undefined ? {} : { preprocess });
  const [input] = graph.inputs;
  if (settings.answer.task !== 'tensors' && input !== undefined)
    checkAnswer(settings.answer, graph.outputs, inputFormat(input, settings.preprocess));
  return { settings, because };
}
