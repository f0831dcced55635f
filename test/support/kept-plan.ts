/** Halo exchange by hand: a plan in which every tile of a cover stays on its worker. */

import { type OpenedModel, prepareKept } from '../../services/controller/prepare.ts';
import { haloBlocks } from '../../services/core/planning/halo-blocks.ts';
import type { BlobCache } from '../../services/core/runtime/blobs.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { coverSize } from '../../services/core/tiling/cover.ts';
import { partition, splitBlock } from '../../services/core/tiling/partition.ts';
import type { Cover } from '../../services/core/tiling/types.ts';

export interface KeptPlanOptions {
  readonly blobs: BlobCache;
  /** Where each stretch that is tiled is cut, as shares of its nodes. */
  readonly cuts: readonly number[];
  /** One for each tile; absent: `w0` and so on. */
  readonly devices?: readonly string[];
}

export async function keptPlan(model: OpenedModel, cover: Cover, options: KeptPlanOptions): Promise<Plan> {
  const { graph, analysis } = model;
  const { blobs, cuts, devices = Array.from({ length: coverSize(cover) }, (_, at) => `w${at}`) } = options;
  const blocks = partition(graph, analysis).flatMap((block) => {
    const inside = [...new Set(cuts.map((cut) => Math.floor(cut * block.nodes.length)))]
      .filter((at) => at > 0 && at < block.nodes.length)
      .sort((a, b) => a - b);
    return block.kind === 'tile' ? splitBlock(graph, block, inside) : [block];
  });
  const kept = haloBlocks(graph, analysis, blocks, cover, devices);
  return (await prepareKept(model, 'test', kept, blobs)).plan;
}
