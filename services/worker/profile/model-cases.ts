/** What a profile measures for a given model: runs of its own nodes, whole and as tiles of several sizes. */

import type { Graph } from '../../core/graph/types.ts';
import { blockWeightBytes, wholePeak } from '../../core/planning/cost/memory.ts';
import { tileWork, wholeWork } from '../../core/planning/cost/work-of.ts';
import { wholeTile } from '../../core/planning/plan-document.ts';
import { TilepipeError } from '../../core/runtime/errors.ts';
import { extents } from '../../core/tensor/region.ts';
import type { Analysis } from '../../core/tiling/analyse.ts';
import { gridCover } from '../../core/tiling/cover.ts';
import { partition, splitBlock } from '../../core/tiling/partition.ts';
import { blockRegions } from '../../core/tiling/regions.ts';
import { outputRectangles, subModel, wholeModel } from '../../core/tiling/sub-model.ts';
import { tileBlock } from '../../core/tiling/tile-block.ts';
import type { FusedBlock, Tile } from '../../core/tiling/types.ts';
import { layoutWeights } from '../../core/tiling/weights.ts';
import { type Case, kindOfWork } from './case.ts';

/** Nodes in a row: single ones tell kinds apart, long ones are what a task is. */
const LENGTHS = [1, 2, 3, 5, 8, 13, 21, 34];
/** Rows x columns of the grids tiles are taken from. */
const GRIDS: readonly (readonly [number, number])[] = [
  [1, 1],
  [2, 1],
  [1, 2],
  [2, 2],
  [4, 1],
  [4, 4],
];
const MOST_CASES = 96;
const MOST_TRIES = 2000;
/** Of one case; what is larger follows from the regression. */
const MOST_WEIGHTS = 24 << 20;
const MOST_ACTIVATIONS = 48 << 20;
const MOST_MACS = 1e9;
/** Of all cases together, to bound the time a profile takes. */
const MACS_IN_ALL = 15e9;

export interface ModelCasesOptions {
  /** Equal seeds make equal cases. Default 1: those of a profile. */
  readonly seed?: number;
  /** Cases at most. */
  readonly most?: number;
  /** Cases that must not be among them. */
  readonly without?: readonly Case[];
}

/** The same cases for the same model every time. */
export function modelCases(
  graph: Graph,
  analysis: Analysis,
  { seed = 1, most = MOST_CASES, without = [] }: ModelCasesOptions = {},
): Case[] {
  const stretches = partition(graph, analysis).filter(({ nodes }) =>
    nodes.some(({ index }) => !analysis.constantNodes.has(index)),
  );
  const draw = generator(seed);
  const cases: Case[] = [];
  const seen = new Set(without.map(keyOf));
  let macs = 0;
  for (let attempt = 0; attempt < MOST_TRIES && cases.length < most && macs < MACS_IN_ALL; attempt++) {
    const block = segment(graph, stretches, draw);
    const grid = GRIDS[draw(GRIDS.length)] as readonly [number, number];
    if (!fits(graph, block)) continue;
    const tile = tileOf(graph, analysis, block, grid, draw);
    if (tile === undefined || tile.macs > MOST_MACS) continue;
    const made = caseOf(graph, analysis, block, tile);
    const key = keyOf(made);
    if (seen.has(key)) continue;
    seen.add(key);
    macs += tile.macs;
    cases.push(made);
  }
  return cases;
}

/** Equal for tasks that cost the same. */
function keyOf({ work, inputs }: Case): string {
  return JSON.stringify([work, inputs]);
}

function segment(
  graph: Graph,
  stretches: readonly FusedBlock[],
  draw: (below: number) => number,
): FusedBlock {
  const total = stretches.reduce((sum, { nodes }) => sum + nodes.length, 0);
  let at = draw(total);
  const stretch = stretches.find(({ nodes }) => {
    at -= nodes.length;
    return at < 0;
  }) as FusedBlock;
  const { length } = stretch.nodes;
  const count = Math.min(length, LENGTHS[draw(LENGTHS.length)] as number);
  const from = draw(length - count + 1);
  const cuts = [from, from + count].filter((position) => position > 0 && position < length);
  return splitBlock(graph, stretch, cuts)[from > 0 ? 1 : 0] as FusedBlock;
}

function fits(graph: Graph, block: FusedBlock): boolean {
  const names = [...block.inputs, ...block.outputs];
  if (block.inputs.length === 0 || block.outputs.length === 0) return false;
  if (names.some((name) => graph.tensors.get(name)?.dynamic)) return false;
  return blockWeightBytes(graph, block) <= MOST_WEIGHTS && wholePeak(graph, block) <= MOST_ACTIVATIONS;
}

/** One tile of a grid, or the block in one piece; undefined where it cannot be cut so. */
function tileOf(
  graph: Graph,
  analysis: Analysis,
  block: FusedBlock,
  [rows, columns]: readonly [number, number],
  draw: (below: number) => number,
): Tile | undefined {
  if (block.kind !== 'tile' || rows * columns === 1)
    return wholeTile(graph, block, analysis.blockMacs(block));
  try {
    const tiles = tileBlock(graph, analysis, block, gridCover(rows, columns));
    return tiles[draw(tiles.length)];
  } catch (error) {
    if (error instanceof TilepipeError && error.code === 'tiling-refused') return undefined;
    throw error;
  }
}

const WEIGHTS = 'weights';

function caseOf(graph: Graph, analysis: Analysis, block: FusedBlock, tile: Tile): Case {
  const layout = layoutWeights(graph, block);
  const tiled = tile.pattern !== 'whole';
  const work = tiled
    ? tileWork(graph, analysis, block, blockRegions(graph, analysis, block, outputRectangles(analysis, tile)))
    : wholeWork(graph, analysis, block);
  return {
    kind: kindOfWork(work),
    group: block.nodes.map(({ index }) => index).join(' '),
    work,
    inputs: [...tile.inputs].map(([name, region]) => ({
      name,
      dtype: graph.tensors.get(name)?.dtype ?? 'float32',
      shape: extents(region),
    })),
    outputs: [...tile.outputs.keys()],
    bytes: layout.byteLength,
    files: (name) => {
      const location = `${name}.${WEIGHTS}`;
      const model = tiled
        ? subModel(graph, analysis, block, tile, layout, location)
        : wholeModel(graph, block, layout, location);
      const file = new Uint8Array(layout.byteLength);
      for (const entry of layout.entries)
        file.set(graph.constants.get(entry.name)?.bytes() ?? [], entry.offset);
      return { model, ...(layout.byteLength === 0 ? {} : { weights: { location, bytes: file } }) };
    },
  };
}

/** Whole numbers below a bound, the same ones every time (Park and Miller's generator). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}
