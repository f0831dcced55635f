/** Which of several models a fleet answers in time, together and alone. */

import type { Catalogue } from '../../schema/generated/catalogue.ts';
import type { Fleet } from '../cost/fleet.ts';
import type { Draft } from '../draft.ts';
import type { SearchSpace } from '../search/search.ts';
import { found } from './alternatives.ts';
import { devicesOf } from './block-rows.ts';

export type CatalogueEntry = Catalogue['models'][number];

export interface CatalogueInput {
  readonly file: string;
  readonly model: string;
  readonly space: SearchSpace;
  readonly fleet: Fleet;
  /** Milliseconds one frame may take. */
  readonly deadlineMs: number;
}

/** Multiply-accumulates are those of the whole model. */
export function catalogueEntry({ file, model, space, fleet, deadlineMs }: CatalogueInput): CatalogueEntry {
  const result = found(space, fleet, { objective: 'latency' });
  const macs = space.analysis.blockMacs({ nodes: space.graph.nodes });
  if (result === undefined) return { file, model, macs, answer: 'too-large' };
  const single = result.alternatives.find(({ strategy }) => strategy === 'one-device');
  const side = (draft: Draft) => ({
    latencyMs: draft.predicted.latencyMs,
    devices: devicesOf(draft, fleet),
    inTime: draft.predicted.latencyMs <= deadlineMs,
  });
  const together = side(result.best);
  const alone = single === undefined ? undefined : side(single);
  const answer = alone?.inTime ? 'one-device' : together.inTime ? 'together' : 'too-slow';
  return { file, model, macs, answer, together, ...(alone === undefined ? {} : { alone }) };
}

const ORDER: readonly CatalogueEntry['answer'][] = ['one-device', 'together', 'too-slow', 'too-large'];

/** Models one device answers, then those several do, then the others; in each the fastest first. */
export function sortedCatalogue(entries: readonly CatalogueEntry[]): CatalogueEntry[] {
  const time = ({ together }: CatalogueEntry): number => together?.latencyMs ?? Number.POSITIVE_INFINITY;
  return [...entries].sort(
    (a, b) =>
      ORDER.indexOf(a.answer) - ORDER.indexOf(b.answer) || time(a) - time(b) || a.file.localeCompare(b.file),
  );
}
