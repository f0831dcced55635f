/** Runs a graph cut into tiles, sub-model by sub-model, and merges what they make by copying regions. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Graph } from '../../services/core/graph/types.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { type Region, whole } from '../../services/core/tensor/region.ts';
import type { Analysis } from '../../services/core/tiling/analyse.ts';
import { partition } from '../../services/core/tiling/partition.ts';
import { subModel, wholeModel } from '../../services/core/tiling/sub-model.ts';
import { tileBlock } from '../../services/core/tiling/tile-block.ts';
import type { Cover, FusedBlock, Tile } from '../../services/core/tiling/types.ts';
import { layoutWeights, type WeightsLayout } from '../../services/core/tiling/weights.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { Merged, weightsFile } from './merged.ts';
import { wholeModel as openModel, type WholeModel } from './ort.ts';

export interface TiledRun {
  /** Outputs of the graph; absent where not all blocks ran. */
  readonly outputs: ReadonlyMap<string, TensorData>;
  /** Every tensor that was merged. */
  readonly tensors: ReadonlyMap<string, TensorData>;
  /** Tiles of all tiled blocks. */
  readonly tiles: number;
  /** Different sub-models among them. */
  readonly patterns: number;
  /** Nodes that ran in tiles. */
  readonly tiledNodes: number;
  /** Why blocks that could be tiled ran whole. */
  readonly refusals: readonly string[];
}

/** Name of the weights file in the models: its folder is where they are opened. */
const WEIGHTS = 'weights.bin';

/** Runs every block of `blocks` (the partition unless given), tileable ones cut by `cover`. */
export async function runTiled(
  graph: Graph,
  analysis: Analysis,
  cover: Cover,
  inputs: readonly TensorData[],
  blocks: readonly FusedBlock[] = partition(graph, analysis),
): Promise<TiledRun> {
  const folder = mkdtempSync(join(tmpdir(), 'tilepipe-tiled-'));
  const run = new Run(graph, folder, inputs);
  const refusals: string[] = [];
  let [tiles, patterns, tiledNodes] = [0, 0, 0];
  try {
    for (const block of blocks) {
      const layout = run.writeWeights(block);
      const parts = block.kind === 'tile' ? partsOf(graph, analysis, block, cover, refusals) : undefined;
      if (parts === undefined) {
        await run.part(
          await run.open(wholeModel(graph, block, layout, WEIGHTS), layout),
          wholePart(graph, block),
        );
        continue;
      }
      const sessions = new Map<string, WholeModel>();
      for (const tile of parts) {
        const session =
          sessions.get(tile.pattern) ??
          (await run.open(subModel(graph, analysis, block, tile, layout, WEIGHTS), layout));
        sessions.set(tile.pattern, session);
        await run.part(session, tile);
      }
      tiles += parts.length;
      patterns += sessions.size;
      tiledNodes += block.nodes.length;
    }
    const tensors = run.results();
    const outputs = new Map(
      graph.outputs.flatMap(({ name }) =>
        tensors.has(name) ? [[name, tensors.get(name) as TensorData]] : [],
      ),
    );
    return { outputs, tensors, tiles, patterns, tiledNodes, refusals };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function partsOf(
  graph: Graph,
  analysis: Analysis,
  block: FusedBlock,
  cover: Cover,
  refusals: string[],
): Tile[] | undefined {
  try {
    return tileBlock(graph, analysis, block, cover);
  } catch (error) {
    if (!(error instanceof TilepipeError) || error.code !== 'tiling-refused') throw error;
    refusals.push(error.message);
    return undefined;
  }
}

type Part = Pick<Tile, 'inputs' | 'outputs'>;

function wholePart(graph: Graph, block: FusedBlock): Part {
  const regions = (names: readonly string[]) =>
    new Map(names.map((name): [string, Region] => [name, whole(graph.tensors.get(name)?.shape ?? [])]));
  return { inputs: regions(block.inputs), outputs: regions(block.outputs) };
}

class Run {
  readonly #graph: Graph;
  readonly #folder: string;
  readonly #merged: Merged;
  #files = 0;

  constructor(graph: Graph, folder: string, inputs: readonly TensorData[]) {
    this.#graph = graph;
    this.#folder = folder;
    this.#merged = new Merged(graph, inputs);
  }

  writeWeights(block: FusedBlock): WeightsLayout {
    const layout = layoutWeights(this.#graph, block);
    if (layout.byteLength > 0) writeFileSync(join(this.#folder, WEIGHTS), weightsFile(this.#graph, layout));
    return layout;
  }

  open(model: Uint8Array, layout: WeightsLayout): Promise<WholeModel> {
    if (layout.byteLength === 0) return openModel(model);
    this.#files += 1;
    const path = join(this.#folder, `${this.#files}.onnx`);
    writeFileSync(path, model);
    return openModel(path);
  }

  async part(session: WholeModel, { inputs, outputs }: Part): Promise<void> {
    const results = await session.run([...inputs].map(([name, region]) => this.#merged.read(name, region)));
    for (const result of results) this.#merged.write(result, outputs.get(result.name) as Region);
  }

  results(): Map<string, TensorData> {
    return this.#merged.results();
  }
}
