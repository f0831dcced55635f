/** From chosen blocks to a plan that can run: writes the sub-models and their weights into the model store. */

import type { Graph } from '../core/graph/types.ts';
import type { ChosenBlock } from '../core/planning/choose-blocks.ts';
import type { PlannedBlock, PlannedPart, SubModelFile } from '../core/planning/plan-document.ts';
import type { BlobCache } from '../core/runtime/blobs.ts';
import type { Analysis } from '../core/tiling/analyse.ts';
import { subModel, wholeModel } from '../core/tiling/sub-model.ts';
import type { Tile } from '../core/tiling/types.ts';
import { layoutWeights, type WeightsLayout } from '../core/tiling/weights.ts';

export interface WrittenPlan {
  readonly blocks: readonly PlannedBlock[];
  readonly files: readonly SubModelFile[];
}

/** Writes every block's weights once and one sub-model per pad pattern; `progress` hears of each block. */
export async function writeSubModels(
  graph: Graph,
  analysis: Analysis,
  chosen: readonly ChosenBlock[],
  blobs: BlobCache,
  progress: (done: number, total: number) => void,
): Promise<WrittenPlan> {
  const files = new Map<string, SubModelFile>();
  const blocks: PlannedBlock[] = [];
  for (const [done, entry] of chosen.entries()) {
    progress(done, chosen.length);
    const layout = layoutWeights(graph, entry.block);
    const weights = await writeConstants(graph, layout, blobs);
    const parts: PlannedPart[] = [];
    const models = new Map<string, string>();
    for (const tile of entry.parts) {
      let digest = models.get(tile.pattern);
      if (digest === undefined) {
        const file = await writeOne(graph, analysis, entry, tile, layout, weights, blobs);
        files.set(file.digest, file);
        digest = file.digest;
        models.set(tile.pattern, digest);
      }
      parts.push({ shape: entry.block.kind, tile, model: digest });
    }
    blocks.push({
      block: entry.block,
      parts,
      macs: analysis.blockMacs(entry.block),
      weightBytes: layout.byteLength,
      ...(entry.reason === undefined ? {} : { reason: entry.reason }),
    });
  }
  return { blocks, files: [...files.values()] };
}

/** Writes the weights file of a block; undefined where it has none. */
export async function writeConstants(
  graph: Graph,
  layout: WeightsLayout,
  blobs: BlobCache,
): Promise<{ digest: string; bytes: number } | undefined> {
  return layout.byteLength === 0 ? undefined : blobs.putChunks(chunks(graph, layout));
}

async function writeOne(
  graph: Graph,
  analysis: Analysis,
  { block }: ChosenBlock,
  tile: Tile,
  layout: WeightsLayout,
  weights: { digest: string; bytes: number } | undefined,
  blobs: BlobCache,
): Promise<SubModelFile> {
  const location = weights?.digest ?? '';
  const bytes =
    block.kind === 'whole'
      ? wholeModel(graph, block, layout, location)
      : subModel(graph, analysis, block, tile, layout, location);
  const { digest } = await blobs.putBytes(bytes);
  return { digest, bytes: bytes.byteLength, weights: weights === undefined ? [] : [weights] };
}

/** A block's constants in their order in the weights file, with the gaps that align them. */
function* chunks(graph: Graph, layout: WeightsLayout): Generator<Uint8Array> {
  let at = 0;
  for (const { name, offset, length } of layout.entries) {
    if (offset > at) yield new Uint8Array(offset - at);
    const constant = graph.constants.get(name);
    if (constant !== undefined) yield constant.bytes();
    at = offset + length;
  }
}
