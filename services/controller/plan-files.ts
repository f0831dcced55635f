/** From blocks and their parts to a plan that can run: writes the sub-models and their weights into the model store. */

import type { Constant, Graph } from '../core/graph/types.ts';
import type { PlacedBlock, PlannedBlock, PlannedPart, SubModelFile } from '../core/planning/plan-document.ts';
import type { BlobCache } from '../core/runtime/blobs.ts';
import { slices } from '../core/runtime/slices.ts';
import type { Analysis } from '../core/tiling/analyse.ts';
import { partialPiece } from '../core/tiling/partial-piece.ts';
import { type BlockPiece, shardPiece } from '../core/tiling/shard.ts';
import { subModel, wholeModel } from '../core/tiling/sub-model.ts';
import type { FusedBlock, Tile } from '../core/tiling/types.ts';
import { layoutWeights, type WeightsLayout } from '../core/tiling/weights.ts';
import { WrittenModels } from './written-models.ts';

export interface WrittenPlan {
  readonly blocks: readonly PlannedBlock[];
  readonly files: readonly SubModelFile[];
}

interface WeightsFile {
  readonly digest: string;
  readonly bytes: number;
}

/**
 * Writes one sub-model per pad pattern, and the weights once per block; shards and parts of a sum each have their own,
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
  if (block.kind !== 'tile')
    return (tile) => {
      const piece = pieceOf(graph, analysis, block, tile);
      return writeWhole(piece.graph, piece.block, blobs, tile);
    };
  const layout = layoutWeights(graph, block);
  const weights = await writeConstants(graph, layout, blobs);
  const location = weights?.digest ?? '';
  return (tile) => writeModel(subModel(graph, analysis, block, tile, layout, location), weights, blobs);
}

/** What a part of a block runs, as a block in one piece. */
function pieceOf(graph: Graph, analysis: Analysis, block: FusedBlock, tile: Tile): BlockPiece {
  if (block.kind === 'shard') return shardPiece(graph, analysis, block, tile);
  if (block.kind === 'partial') return partialPiece(graph, block, tile);
  return { graph, block };
}

/** Writes a block in one piece, with its weights; `tile` says which of its inputs come as partial sums. */
export async function writeWhole(
  graph: Graph,
  block: FusedBlock,
  blobs: BlobCache,
  tile?: Pick<Tile, 'inputs' | 'sums'>,
): Promise<SubModelFile> {
  const layout = layoutWeights(graph, block);
  const weights = await writeConstants(graph, layout, blobs);
  return writeModel(wholeModel(graph, block, layout, weights?.digest ?? '', tile), weights, blobs);
}

/** Writes the weights file of a layout; undefined where it has none. */
async function writeConstants(
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
