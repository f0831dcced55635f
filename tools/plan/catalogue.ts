/** A folder of models, each asked whether these devices answer it in time. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { OpenedModel } from '../../services/controller/prepare.ts';
import { catalogueEntry, sortedCatalogue } from '../../services/core/planning/advise/catalogue.ts';
import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import { openSpace } from '../../services/core/planning/search/search.ts';
import { asTilepipeError, TilepipeError } from '../../services/core/runtime/errors.ts';
import type { Catalogue } from '../../services/core/schema/generated/catalogue.ts';
import { macs, ms, table } from '../output.ts';
import { listed } from './show-advice.ts';

export interface CatalogueFolder {
  readonly folder: string;
  /** Milliseconds one frame may take. */
  readonly deadlineMs: number;
  readonly fleet: Fleet;
  readonly open: (file: string) => Promise<OpenedModel>;
  readonly progress: (text: string) => void;
}

/**
 * Files that cannot be read as models are listed as skipped. Throws `usage` where there is no such folder,
 * `model-unreadable` where it has none.
 */
export async function readCatalogue(input: CatalogueFolder): Promise<Catalogue> {
  const { folder, deadlineMs, fleet } = input;
  const models: Catalogue['models'] = [];
  const skipped: Catalogue['skipped'] = [];
  for (const file of await filesOf(folder)) {
    input.progress(file);
    // One turn of the loop per model, so that an interrupt is heard.
    await setImmediate();
    try {
      const model = await input.open(join(folder, file));
      const space = openSpace(model.graph, model.analysis);
      models.push(catalogueEntry({ file, model: model.name, space, fleet, deadlineMs }));
    } catch (error) {
      const { code, message } = asTilepipeError(error);
      if (!SKIPPED.some((prefix) => code.startsWith(prefix))) throw error;
      skipped.push({ file, reason: message.replace(`${join(folder, file)}: `, '') });
    }
  }
  return { deadlineMs, models: sortedCatalogue(models), skipped };
}

/** Codes that are the file's own fault. */
const SKIPPED = ['model-', 'weights-missing'];

async function filesOf(folder: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    throw new TilepipeError('usage', `cannot read the folder ${folder}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const files = names.filter((name) => name.endsWith('.onnx')).sort();
  if (files.length > 0) return files;
  const others = names.length === 0 ? 'it is empty' : `it holds ${names.length} of other names`;
  throw new TilepipeError(
    'model-unreadable',
    `${folder} has no file *.onnx: ${others}, and its folders are not looked into`,
  );
}

const ANSWERS: Readonly<Record<Catalogue['models'][number]['answer'], string>> = {
  'one-device': 'in time on one device',
  together: 'in time together only',
  'too-slow': 'not in time',
  'too-large': 'no plan fits the memory',
};

export function showCatalogue({ deadlineMs, models, skipped }: Catalogue): string {
  const rows = models.map(({ file, macs: count, answer, together, alone }) => [
    file,
    macs(count),
    together === undefined ? '-' : `${ms(together.latencyMs)} on ${listed(together.devices)}`,
    alone === undefined ? 'fits on none' : `${ms(alone.latencyMs)} on ${alone.devices.join(', ')}`,
    ANSWERS[answer],
  ]);
  const skips = skipped.map(({ file, reason }) => `skipped ${file}: ${reason}`);
  const head = ['model', 'MACs', 'best plan', 'one device', `within ${ms(deadlineMs)}`];
  if (rows.length === 0) return [...skips, 'None of them could be read.'].join('\n');
  return [table(head, rows), ...skips].join('\n');
}
