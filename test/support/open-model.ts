/** Models of tests opened as a controller does: from a file. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type OpenedModel, openAnalysed } from '../../services/controller/prepare.ts';

/** Writes a model into a folder and opens it. */
export function openModel(
  folder: string,
  model: Uint8Array,
  { name = 'model', ...options }: { readonly name?: string } & Parameters<typeof openAnalysed>[1] = {},
): Promise<OpenedModel> {
  const path = join(folder, `${name}.onnx`);
  writeFileSync(path, model);
  return openAnalysed(path, options);
}
