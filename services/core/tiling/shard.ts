/**
 * Channel shards: a block run in parts by ranges of its output channels, each with its own part of the weights.
 * Where a block is all weights and hardly any rows (fully-connected layers), this is what lets it fit and what
 * spreads it; nothing but moves of elements is done twice.
 */

import { typeOf } from '../graph/macs.ts';
import type { Graph } from '../graph/types.ts';
import { TilepipeError } from '../runtime/errors.ts';
import type { Range, Region } from '../tensor/region.ts';
import type { Analysis } from './analyse.ts';
import { type BlockPiece, cutPiece, partOf } from './shard-piece.ts';
import { type ShardSplit, splitChannels } from './shard-split.ts';
import type { FusedBlock, Tile } from './types.ts';

export type { BlockPiece } from './shard-piece.ts';

type Shardable = Pick<FusedBlock, 'id' | 'nodes' | 'inputs' | 'outputs'>;

/** The most shards a block can be cut into: its output channels, or groups of them; 1 where it is refused. */
export function mostShards(graph: Graph, analysis: Analysis, block: Shardable): number {
  const split = splitChannels(graph, analysis, block);
  return typeof split === 'string' ? 1 : split.units;
}

/**
 * Cuts a block into consecutive ranges of output channels, as near to `shares` (on any scale) as whole channels
 * allow, at least one each. Inputs are whole, but for those of which a shard reads its own channels only: a grouped
 * convolution's, a skip's. Throws `tiling-refused` with the reason, also for more shards than channels, and `usage`
 * for shares that are not all positive.
 */
export function shardBlock(
  graph: Graph,
  analysis: Analysis,
  block: Shardable,
  shares: readonly number[],
): Tile[] {
  const split = checkedSplit(graph, analysis, block);
  // All of it is spent on channels: what every shard repeats only moves elements, or looks at them one by one.
  const macs = analysis.blockMacs(block);
  return channelRanges(shares, split.units, block.id).map((units, index): Tile => {
    const parts = (names: readonly string[]): Map<string, Region> =>
      new Map(names.map((name) => [name, partOf(split, units, name, typeOf(graph, name)?.shape ?? [])]));
    return {
      block: block.id,
      index,
      inputs: parts(block.inputs),
      outputs: parts(block.outputs),
      pattern: `channels ${units[0]} to ${units[1]} of ${split.units}`,
      macs: (macs * (units[1] - units[0])) / split.units,
    };
  });
}

/** What one shard of a block runs. Throws `tiling-refused` where the block is no block of shards. */
export function shardPiece(
  graph: Graph,
  analysis: Analysis,
  block: Shardable,
  shard: Pick<Tile, 'outputs'>,
): BlockPiece {
  const split = checkedSplit(graph, analysis, block);
  return cutPiece(graph, block, split, unitsOf(graph, split, shard));
}

function unitsOf(graph: Graph, split: ShardSplit, { outputs }: Pick<Tile, 'outputs'>): Range {
  for (const [name, region] of outputs) {
    const axis = split.axes.get(name);
    if (axis === undefined) continue;
    const each = (typeOf(graph, name)?.shape[axis] ?? 0) / split.units;
    const [begin, end] = region[axis] as Range;
    return [begin / each, end / each];
  }
  throw new TilepipeError('tiling-refused', 'a shard makes no channel of its block.');
}

function checkedSplit(graph: Graph, analysis: Analysis, block: Shardable): ShardSplit {
  const split = splitChannels(graph, analysis, block);
  if (typeof split !== 'string') return split;
  throw new TilepipeError('tiling-refused', `block ${block.id} cannot be sharded by channels: ${split}.`);
}

/** `[0, extent)` in consecutive ranges by shares, none of them empty. */
function channelRanges(shares: readonly number[], extent: number, block: number): Range[] {
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (shares.length === 0 || shares.some((share) => !(share > 0)) || !Number.isFinite(total))
    throw new TilepipeError('usage', `shares [${shares.join(', ')}] are not all positive`);
  if (shares.length > extent)
    throw new TilepipeError(
      'tiling-refused',
      `block ${block} has ${extent} channels to part, fewer than ${shares.length} shards.`,
    );
  let [begin, summed] = [0, 0];
  return shares.map((share, index): Range => {
    summed += share;
    const left = shares.length - 1 - index;
    const wanted = left === 0 ? extent : Math.round((summed / total) * extent);
    const range: Range = [begin, Math.min(Math.max(wanted, begin + 1), extent - left)];
    begin = range[1];
    return range;
  });
}
