/** Reads a file of preprocess and answer settings. */

import { readFile } from 'node:fs/promises';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import { validator } from '../services/core/runtime/validate.ts';
import { type Pipeline, pipelineSchema } from '../services/core/schema/generated/pipeline.ts';

/** Defaults are not wanted here: what the file leaves out is recognised from the model. */
const check = validator<Pipeline>(withoutDefaults(pipelineSchema) as object, 'config-invalid');

export async function readPipelineFile(path: string): Promise<Pipeline> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new TilepipeError('config-invalid', `${path}: ${(error as Error).message}`, { cause: error });
  }
  return checkPipeline(parse(path, text), path);
}

/** A pipeline document with unknown keys and bad values named. */
export function checkPipeline(value: unknown, what: string): Pipeline {
  return check(value, what);
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TilepipeError('config-invalid', `${path}: ${(error as Error).message}`, { cause: error });
  }
}

function withoutDefaults(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutDefaults);
  if (schema === null || typeof schema !== 'object') return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => key !== 'default' && key !== '$id')
      .map(([key, value]) => [key, withoutDefaults(value)]),
  );
}
