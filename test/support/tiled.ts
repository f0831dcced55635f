/** Runs a graph cut into tiles, sub-model by sub-model, and merges what they make by copying regions. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DType, Graph } from '../../services/core/graph/types.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { copyRegion } from '../../services/core/tensor/copy.ts';
import { elementBytes, tensorBytes } from '../../services/core/tensor/dtype.ts';
import { extents, type Region, volume, whole } from '../../services/core/tensor/region.ts';
import type { Analysis } from '../../services/core/tiling/analyse.ts';
import { partition } from '../../services/core/tiling/partition.ts';
import { subModel, wholeModel } from '../../services/core/tiling/sub-model.ts';
import { tileBlock } from '../../services/core/tiling/tile-block.ts';
import type { Cover, FusedBlock, Tile } from '../../services/core/tiling/types.ts';
import { layoutWeights, type WeightsLayout } from '../../services/core/tiling/weights.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
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

interface Merged {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
  /** Elements written so far: an exact cover writes each once. */
  filled: number;
}

class Run {
  readonly #graph: Graph;
  readonly #folder: string;
  readonly #tensors = new Map<string, Merged>();
  #files = 0;

  constructor(graph: Graph, folder: string, inputs: readonly TensorData[]) {
    this.#graph = graph;
    this.#folder = folder;
    for (const { name, dtype, shape, bytes } of inputs) {
      this.#tensors.set(name, { dtype, shape, bytes, filled: volume(whole(shape)) });
    }
  }

  writeWeights(block: FusedBlock): WeightsLayout {
    const layout = layoutWeights(this.#graph, block);
    const file = new Uint8Array(layout.byteLength);
    for (const { name, offset } of layout.entries) {
      file.set(this.#graph.constants.get(name)?.bytes() ?? new Uint8Array(0), offset);
    }
    if (layout.byteLength > 0) writeFileSync(join(this.#folder, WEIGHTS), file);
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
    const results = await session.run([...inputs].map(([name, region]) => this.#read(name, region)));
    for (const result of results) this.#write(result, outputs.get(result.name) as Region);
  }

  #read(name: string, region: Region): TensorData {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new Error(`${name} is read before it is made`);
    if (tensor.filled !== volume(whole(tensor.shape)))
      throw new Error(`${name} is read before it is complete`);
    const bytes = new Uint8Array(volume(region) * elementBytes(tensor.dtype));
    copyRegion(tensor.bytes, whole(tensor.shape), bytes, region, region, elementBytes(tensor.dtype));
    return { name, dtype: tensor.dtype, shape: extents(region), bytes };
  }

  #write(result: TensorData, region: Region): void {
    const { dtype, shape } = this.#graph.tensors.get(result.name) ?? result;
    if (extents(region).join() !== result.shape.join()) {
      throw new Error(`${result.name} has shape [${result.shape}] where its region has [${extents(region)}]`);
    }
    const tensor = this.#tensors.get(result.name) ?? {
      dtype,
      shape,
      bytes: new Uint8Array(tensorBytes(dtype, shape)),
      filled: 0,
    };
    copyRegion(result.bytes, region, tensor.bytes, whole(shape), region, elementBytes(dtype));
    tensor.filled += volume(region);
    this.#tensors.set(result.name, tensor);
  }

  results(): Map<string, TensorData> {
    return new Map(
      [...this.#tensors].map(([name, { dtype, shape, bytes, filled }]) => {
        if (filled !== volume(whole(shape))) throw new Error(`${name} is not covered exactly`);
        return [name, { name, dtype, shape, bytes }];
      }),
    );
  }
}
