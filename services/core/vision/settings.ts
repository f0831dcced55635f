/** How a pipeline reads frames and answers them, complete: what was recognised, what was configured, then the schema's defaults. */

import { validator } from '../runtime/validate.ts';
import {
  type Answer,
  type Limits,
  type Pipeline,
  type Preprocess,
  pipelineSchema,
} from '../schema/generated/pipeline.ts';

export type PreprocessSettings = Readonly<Required<Preprocess>>;
export type AnswerSettings = Readonly<Required<Answer>>;
export type LimitSettings = Readonly<Required<Limits>>;

/** JSON: it travels in the plan's announcement as it is. */
export interface Settings {
  readonly preprocess: PreprocessSettings;
  readonly answer: AnswerSettings;
  readonly limits: LimitSettings;
}

const complete = validator<Settings>(pipelineSchema, 'config-invalid');

/**
 * Settings from layers, the later before the earlier: `settle(recognise(...).pipeline, configured)`.
 * A layer is a pipeline.schema.json document with any keys left out; it is not changed.
 * Throws `config-invalid` with every unknown key and bad value named.
 */
export function settle(...layers: readonly Pipeline[]): Settings {
  const merged: Record<string, unknown> = { preprocess: {}, answer: {}, limits: {} };
  for (const layer of layers) {
    for (const [part, value] of Object.entries(layer)) {
      if (value === undefined) continue;
      merged[part] = isObject(value) ? { ...(merged[part] as object | undefined), ...value } : value;
    }
  }
  return complete(merged);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
