/** From blocks and their parts to a plan that can run: writes the sub-models and their weights into the model store. */

import type { Constant, Graph } from '../core/graph/types.ts';
import type {
  PartPlacement,
  PlannedBlock,
  PlannedPart,
  SubModelFile,
} from '../core/planning/plan-document.ts';
import type { BlobCache } from '../core/runtime/blobs.ts';
import { slices } from '../core/runtime/slices.ts';
import type { Analysis } from '../core/tiling/analyse.ts';
import { partialPiece } from '../core/tiling/partial-piece.ts';
import { shardPiece } from '../core/tiling/shard.ts';
import { subModel, wholeModel } from '../core/tiling/sub-model.ts';
import type { FusedBlock, Tile } from '../core/tiling/types.ts';
import { layoutWeights, type WeightsLayout } from '../core/tiling/weights.ts';
import { WrittenModels } from './written-models.ts';

/** A block to be written; its kind says how it runs. */
export interface PlacedBlock {
  readonly block: FusedBlock;
  readonly parts: readonly PartPlacement[];
  /** Why it runs in one piece. */
  readonly reason?: string;
}

export interface WrittenPlan {
  readonly blocks: readonly PlannedBlock[];
  readonly files: readonly SubModelFile[];
}

interface WeightsFile {
  readonly digest: string;
  readonly bytes: number;
}

/**
 * Writes one sub-model per pad pattern, and the weights once per block; of a block in shards, each shard's own part,
 * so that a worker loads no more than it runs. `progress` hears of each block. Throws `tiling-refused` where a block
 * cannot run as its kind says.
 */
export async function writeSubModels(
  graph: Graph,
  analysis: Analysis,
  placed: readonly PlacedBlock[],
  blobs: BlobCache,
  progress: (done: number, total: number) => void,
): Promise<WrittenPlan> {
  const written = new WrittenModels(graph, blobs);
  const files = new Map<string, SubModelFile>();
  const blocks: PlannedBlock[] = [];
  for (const [done, { block, parts, reason }] of placed.entries()) {
    progress(done, placed.length);
    let write: Awaited<ReturnType<typeof blockWriter>> | undefined;
    const planned: PlannedPart[] = [];
    const models = new Map<string, string>();
    for (const part of parts) {
      let model = models.get(part.tile.pattern);
      if (model === undefined) {
        let file = written.find(block, part.tile.pattern);
        if (file === undefined) {
          write ??= await blockWriter(graph, analysis, block, blobs);
          file = await write(part.tile);
          written.add(block, part.tile.pattern, file);
        }
        files.set(file.digest, file);
        model = file.digest;
        models.set(part.tile.pattern, model);
      }
      planned.push({ ...part, shape: block.kind, model });
    }
    blocks.push({
      block,
      parts: planned,
      macs: analysis.blockMacs(block),
      weightBytes: layoutWeights(graph, block).byteLength,
      ...(reason === undefined ? {} : { reason }),
    });
  }
  return { blocks, files: [...files.values()] };
}

/** What writes the sub-model of a part of a block, with its weights. */
async function blockWriter(
  graph: Graph,
  analysis: Analysis,
  block: FusedBlock,
  blobs: BlobCache,
): Promise<(tile: Tile) => Promise<SubModelFile>> {
  if (block.kind === 'shard' || block.kind === 'partial') {
    return async (tile) => {
      const piece =
        block.kind === 'shard' ? shardPiece(graph, analysis, block, tile) : partialPiece(graph, block, tile);
      const layout = layoutWeights(piece.graph, piece.block);
      const weights = await writeConstants(piece.graph, layout, blobs);
      const location = weights?.digest ?? '';
      return writeModel(wholeModel(piece.graph, piece.block, layout, location, tile), weights, blobs);
    };
  }
  const layout = layoutWeights(graph, block);
  const weights = await writeConstants(graph, layout, blobs);
  const location = weights?.digest ?? '';
  return (tile) => {
    const bytes =
      block.kind === 'whole'
        ? wholeModel(graph, block, layout, location, tile)
        : subModel(graph, analysis, block, tile, layout, location);
    return writeModel(bytes, weights, blobs);
  };
}

/** Writes the weights file of a layout; undefined where it has none. */
export async function writeConstants(
  graph: Graph,
  layout: WeightsLayout,
  blobs: BlobCache,
): Promise<WeightsFile | undefined> {
  return layout.byteLength === 0 ? undefined : blobs.putChunks(chunks(graph, layout));
}

async function writeModel(
  bytes: Uint8Array,
  weights: WeightsFile | undefined,
  blobs: BlobCache,
): Promise<SubModelFile> {
  const { digest } = await blobs.putBytes(bytes);
  return { digest, bytes: bytes.byteLength, weights: weights === undefined ? [] : [weights] };
}

function* parts({ byteLength, part, bytes }: Constant): Generator<Uint8Array> {
  if (part === undefined) yield bytes();
  else for (const [begin, end] of slices(byteLength)) yield part(begin, end - begin);
}

/** Constants in their order in the weights file, with the gaps that align them. */
function* chunks(graph: Graph, layout: WeightsLayout): Generator<Uint8Array> {
  let at = 0;
  for (const { name, offset, length } of layout.entries) {
    if (offset > at) yield new Uint8Array(offset - at);
    const constant = graph.constants.get(name);
    if (constant !== undefined) yield* parts(constant);
    at = offset + length;
  }
}
