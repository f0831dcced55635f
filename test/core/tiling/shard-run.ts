/** Runs a block in channel shards, each from its own weights file, and merges what they make. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Graph } from '../../../services/core/graph/types.ts';
import { everything } from '../../../services/core/planning/choose-blocks.ts';
import { copyRegion } from '../../../services/core/tensor/copy.ts';
import { elementBytes, tensorBytes } from '../../../services/core/tensor/dtype.ts';
import { extents, type Region, volume, whole } from '../../../services/core/tensor/region.ts';
import { analyse } from '../../../services/core/tiling/analyse.ts';
import { shardBlock, shardPiece } from '../../../services/core/tiling/shard.ts';
import { wholeModel } from '../../../services/core/tiling/sub-model.ts';
import { layoutWeights } from '../../../services/core/tiling/weights.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { inputFor } from '../../support/graph-reference.ts';
import { wholeModel as openModel } from '../../support/ort.ts';

export interface ShardedRun {
  readonly outputs: ReadonlyMap<string, TensorData>;
  /** Bytes of each shard's weights file. */
  readonly weights: readonly number[];
}

/** The whole graph as one block, cut by shares of its channels; fails where the shards do not cover the outputs. */
export async function runSharded(graph: Graph, shares: readonly number[]): Promise<ShardedRun> {
  const folder = mkdtempSync(join(tmpdir(), 'tilepipe-shard-'));
  try {
    const analysis = analyse(graph);
    const block = everything(graph);
    const given = new Map(graph.inputs.map((input) => [input.name, inputFor(input)]));
    const outputs = new Map<string, TensorData & { filled: number }>();
    const weights: number[] = [];
    for (const tile of shardBlock(graph, analysis, block, shares)) {
      const piece = shardPiece(graph, analysis, block, tile);
      const layout = layoutWeights(piece.graph, piece.block);
      const file = new Uint8Array(layout.byteLength);
      for (const { name, offset } of layout.entries)
        file.set(piece.graph.constants.get(name)?.bytes() ?? new Uint8Array(0), offset);
      weights.push(layout.byteLength);
      writeFileSync(join(folder, `${tile.index}.bin`), file);
      const path = join(folder, `${tile.index}.onnx`);
      writeFileSync(path, wholeModel(piece.graph, piece.block, layout, `${tile.index}.bin`));
      const session = await openModel(path);
      const made = await session.run(
        [...tile.inputs].map(([name, region]) => cut(given.get(name) as TensorData, region)),
      );
      for (const result of made) place(graph, outputs, result, tile.outputs.get(result.name) as Region);
    }
    for (const { name, shape, filled } of outputs.values())
      if (filled !== volume(whole(shape))) throw new Error(`${name} is not covered exactly`);
    return { outputs, weights };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function cut({ name, dtype, shape, bytes }: TensorData, region: Region): TensorData {
  const part = new Uint8Array(tensorBytes(dtype, extents(region)));
  copyRegion(bytes, whole(shape), part, region, region, elementBytes(dtype));
  return { name, dtype, shape: extents(region), bytes: part };
}

function place(
  graph: Graph,
  outputs: Map<string, TensorData & { filled: number }>,
  made: TensorData,
  region: Region,
): void {
  const { name, dtype, shape } = graph.tensors.get(made.name) ?? made;
  if (extents(region).join() !== made.shape.join())
    throw new Error(`${name} has shape [${made.shape}] where its region has [${extents(region)}]`);
  const tensor = outputs.get(name) ?? {
    name,
    dtype,
    shape,
    bytes: new Uint8Array(tensorBytes(dtype, shape)),
    filled: 0,
  };
  copyRegion(made.bytes, region, tensor.bytes, whole(shape), region, elementBytes(dtype));
  tensor.filled += volume(region);
  outputs.set(name, tensor);
}
