/** Runs a block in channel shards, each from its own weights file, and merges what they make. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Graph } from '../../../services/core/graph/types.ts';
import { everything } from '../../../services/core/planning/choose-blocks.ts';
import type { Region } from '../../../services/core/tensor/region.ts';
import { analyse } from '../../../services/core/tiling/analyse.ts';
import { shardBlock, shardPiece } from '../../../services/core/tiling/shard.ts';
import { wholeModel } from '../../../services/core/tiling/sub-model.ts';
import { layoutWeights } from '../../../services/core/tiling/weights.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { inputFor } from '../../support/graph-reference.ts';
import { Merged, weightsFile } from '../../support/merged.ts';
import { wholeModel as openModel } from '../../support/ort.ts';

export interface ShardedRun {
  /** Inputs too. */
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
    const merged = new Merged(graph, graph.inputs.map(inputFor));
    const weights: number[] = [];
    for (const tile of shardBlock(graph, analysis, block, shares)) {
      const piece = shardPiece(graph, analysis, block, tile);
      const layout = layoutWeights(piece.graph, piece.block);
      weights.push(layout.byteLength);
      writeFileSync(join(folder, `${tile.index}.bin`), weightsFile(piece.graph, layout));
      const path = join(folder, `${tile.index}.onnx`);
      writeFileSync(path, wholeModel(piece.graph, piece.block, layout, `${tile.index}.bin`));
      const session = await openModel(path);
      const made = await session.run([...tile.inputs].map(([name, region]) => merged.read(name, region)));
      for (const result of made) merged.write(result, tile.outputs.get(result.name) as Region);
    }
    return { outputs: merged.results(), weights };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
