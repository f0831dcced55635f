/** Drafts by hand: where a graph is cut, how each block runs, and on which devices. */

import type { OpenedModel } from '../../services/controller/prepare.ts';
import { everything } from '../../services/core/planning/choose-blocks.ts';
import type { Draft, DraftBlock, DraftPart } from '../../services/core/planning/draft.ts';
import { wholeTile } from '../../services/core/planning/plan-document.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import { splitBlock } from '../../services/core/tiling/partition.ts';
import { shardBlock } from '../../services/core/tiling/shard.ts';
import { tileBlock } from '../../services/core/tiling/tile-block.ts';
import type { FusedBlock, Tile } from '../../services/core/tiling/types.ts';

export interface BlockWish {
  /** Operator of the last node, by its first occurrence in the block; absent: the rest of the graph. */
  readonly upTo?: string;
  readonly mode: DraftBlock['mode'];
  /** Of shards: shares of the channels; of tiles: rows, equally high. */
  readonly shares?: readonly number[];
  /** By part. */
  readonly devices?: readonly (readonly string[])[];
}

const PREDICTED: Draft['predicted'] = {
  latencyMs: 12.5,
  framesPerSecond: 80,
  bytesPerFrame: 1000,
  bottleneck: 'hub',
  memoryBytes: {},
};

/** A draft of consecutive blocks; its figures are made up. */
export function draftOf(
  { graph, analysis }: OpenedModel,
  wishes: readonly BlockWish[],
): Pick<Draft, 'blocks' | 'predicted'> {
  const cuts: number[] = [];
  for (const { upTo } of wishes.slice(0, -1)) {
    const from = cuts.at(-1) ?? 0;
    const at = graph.nodes.findIndex(({ op }, index) => index >= from && op === upTo);
    if (at < 0) throw new Error(`no ${upTo} after node ${from}`);
    cuts.push(at + 1);
  }
  const blocks = splitBlock(graph, everything(graph), cuts).map((block, id): DraftBlock => {
    const { mode, shares = [1], devices = [] } = wishes[id] as BlockWish;
    const parts = tiles(block, mode, shares).map(
      (tile, index): DraftPart => ({
        tile,
        devices: devices[index] ?? [],
        work: [],
        bytesIn: 0,
        bytesOut: 0,
        activationBytes: 1000,
        weightBytes: 24,
      }),
    );
    return { block, mode, parts };
  });
  return { blocks, predicted: PREDICTED };

  function tiles(block: FusedBlock, mode: DraftBlock['mode'], shares: readonly number[]): Tile[] {
    if (mode === 'shard') return shardBlock(graph, analysis, block, shares);
    if (mode === 'tile')
      return tileBlock(graph, analysis, { ...block, kind: 'tile' }, gridCover(shares.length, 1));
    return [wholeTile(graph, block, analysis.blockMacs(block))];
  }
}
