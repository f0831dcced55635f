/** What plans are never told, for they only ask how many shards there can be. */

import type { Graph } from '../../services/core/graph/types.ts';
import type { Analysis } from '../../services/core/tiling/analyse.ts';
import { splitChannels } from '../../services/core/tiling/shard-split.ts';
import type { FusedBlock } from '../../services/core/tiling/types.ts';

/** Why a block cannot be sharded by output channels; undefined where it can. */
export function shardRefusal(graph: Graph, analysis: Analysis, block: FusedBlock): string | undefined {
  const split = splitChannels(graph, analysis, block);
  return typeof split === 'string' ? split : undefined;
}
