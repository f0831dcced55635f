/** The plans of DeepThings' case: the whole network on one device, its grids of tiles bound late, and ours. */

import type { Fleet } from '../../../services/core/planning/cost/fleet.ts';
import type { Draft } from '../../../services/core/planning/draft.ts';
import { draftOf } from '../../../services/core/planning/search/fixed.ts';
import { type SearchSpace, search } from '../../../services/core/planning/search/search.ts';
import { gridCover } from '../../../services/core/tiling/cover.ts';
import { DEVICES, GRIDS } from './conditions.ts';

/** A plan before its sub-models are written, and what it is called. */
export interface NamedDraft {
  readonly name: string;
  readonly draft: Draft;
}

/** All 16 layers in one piece on the first device. */
export function untiled(space: SearchSpace, fleet: Fleet): NamedDraft {
  return { name: 'untiled', draft: draftOf(space, fleet, { cuts: [], devices: [DEVICES[0]] }) };
}

/** DeepThings' own: all 16 layers fused, more tiles than devices, each to whoever is free. */
export function grids(space: SearchSpace, fleet: Fleet): NamedDraft[] {
  const devices = fleet.devices.map(({ id }) => id);
  return GRIDS.map(([rows, columns]) => ({
    name: `${rows}x${columns}`,
    draft: draftOf(space, fleet, { cuts: [], covers: gridCover(rows, columns), devices, late: true }),
  }));
}

/** The shortest time of one frame within the fleet's memory. */
export function ours(space: SearchSpace, fleet: Fleet, name = 'ours'): NamedDraft {
  return { name, draft: search(space, fleet, { objective: 'latency' }).best };
}
