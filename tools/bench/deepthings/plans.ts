/** The plans of DeepThings' case: the whole network on one device, its grids of tiles, strips with and without reuse, and ours. */

import { computeMs, type Device, type Fleet } from '../../../services/core/planning/cost/fleet.ts';
import type { Work } from '../../../services/core/planning/cost/work.ts';
import type { Draft, DraftBlock, DraftPart } from '../../../services/core/planning/draft.ts';
import { draftOf } from '../../../services/core/planning/search/fixed.ts';
import { type SearchSpace, search } from '../../../services/core/planning/search/search.ts';
import { simulate } from '../../../services/core/planning/simulate/simulate.ts';
import { volume } from '../../../services/core/tensor/region.ts';
import { gridCover } from '../../../services/core/tiling/cover.ts';
import { reuseTiles } from '../../../services/core/tiling/reuse.ts';
import type { Tile } from '../../../services/core/tiling/types.ts';
import { DEVICES, GRIDS, STRIPS } from './conditions.ts';
import { packed } from './packed.ts';
import { UNTILED } from './targets.ts';

/** A plan before its sub-models are written, and what it is called. */
export interface NamedDraft {
  readonly name: string;
  readonly draft: Draft;
}

/** All 16 layers in one piece on the first device. */
export function untiled(space: SearchSpace, fleet: Fleet): NamedDraft {
  return { name: UNTILED, draft: draftOf(space, fleet, { cuts: [], devices: [DEVICES[0]] }) };
}

/** DeepThings' own: all 16 layers fused, more tiles than devices, each to whoever is free. */
export function grids(space: SearchSpace, fleet: Fleet): NamedDraft[] {
  return GRIDS.map(([rows, columns]) => grid(space, fleet, rows, columns));
}

/** One grid for all blocks between the cuts, bound: few sub-models on each device. */
export function packedGrid(space: SearchSpace, fleet: Fleet, { cuts, rows, columns }: BoundGrid): NamedDraft {
  const { draft } = grid(space, fleet, rows, columns, cuts);
  const blocks = cuts.length === 0 ? '' : ` of ${cuts.length + 1} blocks`;
  return again(`${rows}x${columns}${blocks}, bound`, packed(draft, idsOf(fleet)), fleet);
}

/** Cuts by the names of the nodes before them. */
export interface BoundGrid {
  readonly cuts: readonly string[];
  readonly rows: number;
  readonly columns: number;
}

function grid(
  space: SearchSpace,
  fleet: Fleet,
  rows: number,
  columns: number,
  cuts: readonly string[] = [],
): NamedDraft {
  const covers = gridCover(rows, columns);
  return {
    name: `${rows}x${columns}`,
    draft: draftOf(space, fleet, { cuts, covers, devices: idsOf(fleet), late: true }),
  };
}

/** The shortest time of one frame within the fleet's memory. */
export function ours(space: SearchSpace, fleet: Fleet, name = 'ours'): NamedDraft {
  return { name, draft: search(space, fleet, { objective: 'latency' }).best };
}

/** Within the fleet's memory, its tiles bound. */
export function oursBounded(space: SearchSpace, fleet: Fleet, name: string): NamedDraft {
  return again(name, packed(ours(space, fleet).draft, idsOf(fleet)), fleet);
}

/** As many strips of rows, late bound: each with all its halo, or every second one with what its neighbours made. */
export function strips(space: SearchSpace, fleet: Fleet): NamedDraft[] {
  const { graph, analysis } = space;
  const cover = gridCover(STRIPS, 1);
  const plan = { cuts: [], covers: cover, devices: idsOf(fleet), late: true };
  const draft = draftOf(space, fleet, plan);
  const [first] = draft.blocks;
  if (first === undefined) throw new Error('the network has no block');
  const tiles = reuseTiles(graph, analysis, first.block, cover);
  const [device] = fleet.devices;
  const parts = first.parts.map((part, at) => shrunk(space, part, tiles[at] as Tile, device));
  // Those that others wait for are sent first.
  const order = [0, 1].flatMap((turn) => parts.filter((_, at) => at % 2 === turn));
  const reusing: DraftBlock = { ...first, parts: order };
  return [
    { name: `${STRIPS} strips, computed again`, draft },
    again(`${STRIPS} strips, reused`, { ...draft, blocks: [reusing] }, fleet),
  ];
}

/** A part that makes less of its halo: its work and its buffers are less by the multiply-accumulates it is spared. */
function shrunk(space: SearchSpace, part: DraftPart, tile: Tile, device: Device | undefined): DraftPart {
  const share = tile.macs / part.tile.macs;
  const work: Work = part.work.map(({ kind, runs, macs, bytes, weights }) => ({
    kind,
    runs,
    macs: share * macs,
    bytes: share * bytes,
    weights,
  }));
  return {
    ...part,
    tile,
    work,
    bytesIn: bytesOf(space, tile, tile.inputs),
    bytesOut: bytesOf(space, tile, tile.outputs),
    activationBytes: share * part.activationBytes,
    ...(device === undefined ? {} : { predictedMs: computeMs(device, work) }),
  };
}

const FLOAT_BYTES = 4;

function bytesOf({ graph }: SearchSpace, { strips }: Tile, regions: Tile['inputs']): number {
  return [...regions].reduce((sum, [name, region]) => {
    const dtype = graph.tensors.get(strips?.get(name)?.tensor ?? name)?.dtype;
    return sum + volume(region) * (dtype === 'uint8' ? 1 : FLOAT_BYTES);
  }, 0);
}

/** A draft that was changed by hand, with what the simulator expects of it. */
function again(name: string, draft: Draft, fleet: Fleet): NamedDraft {
  const { latency } = simulate(draft.blocks, fleet, { frames: 8, inFlight: 1, binding: 'late' });
  return { name, draft: { ...draft, predicted: { ...draft.predicted, latencyMs: latency.median } } };
}

function idsOf({ devices }: Fleet): string[] {
  return devices.map(({ id }) => id);
}
