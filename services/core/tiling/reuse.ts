/**
 * Tiles that reuse what their neighbours made (DeepThings, Zhao et al. 2018, section 4): where two tiles of a block
 * would both compute the rows around their border, layer by layer, the first one does and gives the second the strips
 * it lacks. A strip is a tensor of its own, so to the plan it is an output and an input like any other.
 */

import type { Graph } from '../graph/types.ts';
import { TilepipeError } from '../runtime/errors.ts';
import { type Region, whole } from '../tensor/region.ts';
import { MAX_TENSORS } from '../wire/limits.ts';
import type { Analysis } from './analyse.ts';
import { regionOf } from './range.ts';
import { type BlockRegions, blockRegions } from './regions.ts';
import { reuseGraph } from './reuse-graph.ts';
import { type Ends, Joins, withRange } from './reuse-joins.ts';
import { nameStrips, type PlacedStrip, type UnnamedStrip } from './reuse-names.ts';
import { outputRectangles } from './sub-model.ts';
import { tileBlock } from './tile-block.ts';
import { patternOf } from './tile-graph.ts';
import type { Along, Cover, FusedBlock, Rectangle, Strip, Tile } from './types.ts';

/**
 * Who waits for whom. `alternate`: every second tile waits for both its neighbours, so a block takes two rounds however
 * many tiles it has; first tiles overlap each other where halos reach across the tile between them. `chain`: each tile
 * waits for the one before it, so nothing is computed twice, but only one tile of a frame runs at a time.
 */
export type ReuseOrder = 'alternate' | 'chain';

export interface ReuseOptions {
  /** Absent: `alternate`. */
  readonly order?: ReuseOrder;
  /** Whether strips of a tensor are worth sending; of others, a tile computes what it needs again. Absent: always. */
  readonly sends?: (tensor: string) => boolean;
}

/** Of the tensors inside the block, what a tile has. */
type Held = ReadonlyMap<string, Rectangle>;

/** One tile, worked out with what its neighbours have. */
interface Reworked {
  readonly regions: BlockRegions;
  readonly joins: Joins;
}

/** A tile that shares work, and what of the block it makes. */
export interface ReusePart {
  readonly tile: Tile;
  readonly regions: BlockRegions;
}

/** The tiles of `reuseParts` alone. */
export function reuseTiles(
  graph: Graph,
  analysis: Analysis,
  block: FusedBlock,
  cover: Cover,
  options?: ReuseOptions,
): Tile[] {
  return reuseParts(graph, analysis, block, cover, options).map(({ tile }) => tile);
}

/**
 * The tiles of a block in the order of the cover, as `tileBlock` makes them but for the work they share: `strips`
 * tells which of their inputs and outputs are strips. Throws `tiling-refused` where `tileBlock` does, and for covers
 * that are strips neither of rows nor of columns, and for more strips than a message carries.
 */
export function reuseParts(
  graph: Graph,
  analysis: Analysis,
  block: FusedBlock,
  cover: Cover,
  { order = 'alternate', sends = () => true }: ReuseOptions = {},
): ReusePart[] {
  const along = alongOf(block, cover);
  const tiles = tileBlock(graph, analysis, block, cover);
  const held: (Held | undefined)[] = [];
  const worked: Reworked[] = [];
  for (const index of turns(tiles.length, order)) {
    const outputs = outputRectangles(analysis, tiles[index] as Tile);
    const joins = new Joins(along, (tensor, asked) =>
      sends(tensor)
        ? endsOf(along, asked, held[index - 1]?.get(tensor), held[index + 1]?.get(tensor))
        : undefined,
    );
    const regions = blockRegions(graph, analysis, block, outputs, joins.madeOf);
    worked[index] = { regions, joins };
    held[index] = heldBy(worked[index]);
  }
  const strips = nameStrips(
    graph,
    worked.flatMap(({ joins }, index) => takenBy(joins, along, index)),
  );
  return tiles.map((tile, index) => {
    const { regions } = worked[index] as Reworked;
    return { tile: withStrips(graph, analysis, block, tile, regions, strips), regions };
  });
}

/** Why a cover's tiles cannot share work is that they meet at corners: a strip would have neighbours on four sides. */
function alongOf(block: FusedBlock, { bands }: Cover): Along {
  if (bands.every(({ columns }) => columns.length === 1)) return 'rows';
  if (bands.length === 1) return 'columns';
  throw new TilepipeError(
    'tiling-refused',
    `block ${block.id} cannot reuse what neighbours made in a grid: only strips of rows or of columns do.`,
  );
}

/** The tiles, each after those it takes strips from. */
function turns(count: number, order: ReuseOrder): number[] {
  const all = Array.from({ length: count }, (_, index) => index);
  return order === 'chain'
    ? all
    : [...all.filter((index) => index % 2 === 0), ...all.filter((index) => index % 2 === 1)];
}

/** What of `asked` the neighbours have: as much from the one before as it has, the rest from the one after. */
function endsOf(
  along: Along,
  asked: Rectangle,
  before: Rectangle | undefined,
  after: Rectangle | undefined,
): Ends {
  const [begin, end] = asked[along];
  const ends: { before?: Rectangle; after?: Rectangle } = {};
  let left = begin;
  if (before !== undefined && isWideEnough(along, before, asked) && before[along][0] <= begin) {
    left = Math.min(before[along][1], end);
    if (left > begin) ends.before = withRange(asked, along, [begin, left]);
  }
  if (after !== undefined && isWideEnough(along, after, asked) && after[along][1] >= end) {
    const right = Math.max(after[along][0], left, begin);
    if (right < end) ends.after = withRange(asked, along, [right, end]);
  }
  return ends;
}

/** Whether a neighbour has all columns that are asked for, where strips are rows. */
function isWideEnough(along: Along, held: Rectangle, asked: Rectangle): boolean {
  const across = along === 'rows' ? 'columns' : 'rows';
  return held[across][0] <= asked[across][0] && held[across][1] >= asked[across][1];
}

function heldBy({ regions, joins }: Reworked): Held {
  const held = new Map<string, Rectangle>();
  for (const { node, asked } of regions.steps) for (const name of node.outputs) held.set(name, asked);
  for (const [tensor, join] of joins.byTensor) held.set(tensor, join.held);
  return held;
}

function takenBy(joins: Joins, along: Along, reader: number): UnnamedStrip[] {
  const strips: UnnamedStrip[] = [];
  for (const [tensor, { before, after }] of [...joins.byTensor].reverse()) {
    const common = { tensor, along, reader };
    if (before !== undefined)
      strips.push({ ...common, side: 'before', rectangle: before, maker: reader - 1 });
    if (after !== undefined) strips.push({ ...common, side: 'after', rectangle: after, maker: reader + 1 });
  }
  return strips;
}

/** A tile with its strips among its inputs and outputs. */
function withStrips(
  graph: Graph,
  analysis: Analysis,
  block: FusedBlock,
  tile: Tile,
  { inputs, macs }: BlockRegions,
  strips: readonly PlacedStrip[],
): Tile {
  const taken = strips.filter(({ reader }) => reader === tile.index);
  const given = strips.filter(({ maker }) => maker === tile.index);
  if (taken.length === 0 && given.length === 0) return tile;
  const region = (tensor: string, rectangle: Rectangle | undefined): Region => {
    const shape = graph.tensors.get(tensor)?.shape ?? [];
    const axes = analysis.axes.get(tensor);
    return axes === undefined || rectangle === undefined ? whole(shape) : regionOf(shape, axes, rectangle);
  };
  const regions = (placed: readonly PlacedStrip[]) =>
    placed.map(({ name, tensor, rectangle }) => [name, region(tensor, rectangle)] as const);
  for (const count of [inputs.size + taken.length, tile.outputs.size + given.length])
    if (count > MAX_TENSORS) throw tooMany(tile, count);
  const own = [...inputs].map(([tensor, rectangle]) => [tensor, region(tensor, rectangle)] as const);
  const result = {
    block: tile.block,
    index: tile.index,
    inputs: new Map([...own, ...regions(taken)]),
    outputs: new Map([...tile.outputs, ...regions(given)]),
    strips: new Map(
      [...taken, ...given].map(({ name, tensor, side, along }): [string, Strip] => [
        name,
        { tensor, side, along },
      ]),
    ),
    macs: Math.round(macs),
  };
  let pattern: string | undefined;
  return {
    ...result,
    get pattern() {
      pattern ??= patternOf(reuseGraph(graph, analysis, block, result, outputRectangles(analysis, result)));
      return pattern;
    },
  };
}

function tooMany({ block, index }: Tile, count: number): TilepipeError {
  return new TilepipeError(
    'tiling-refused',
    `tile ${index} of block ${block} would exchange ${count} tensors with its strips, where a message carries ${MAX_TENSORS}: cut the block, or send strips of fewer tensors.`,
  );
}
