/** Runs a graph of one block in tiles that exchange strips, each when its inputs are there, and merges what they make. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Graph } from '../../../services/core/graph/types.ts';
import { copyRegion } from '../../../services/core/tensor/copy.ts';
import { elementBytes, tensorBytes } from '../../../services/core/tensor/dtype.ts';
import {
  extents,
  intersect,
  type Region,
  sameRegion,
  volume,
  whole,
} from '../../../services/core/tensor/region.ts';
import type { Analysis } from '../../../services/core/tiling/analyse.ts';
import { subModel } from '../../../services/core/tiling/sub-model.ts';
import type { FusedBlock, Tile } from '../../../services/core/tiling/types.ts';
import { layoutWeights } from '../../../services/core/tiling/weights.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { wholeModel as openModel, type WholeModel } from '../../support/ort.ts';

const WEIGHTS = 'weights.bin';

/** Outputs of the block by name, given its inputs whole; fails where the tiles wait for each other or leave a hole. */
export async function runReusing(
  graph: Graph,
  analysis: Analysis,
  block: FusedBlock,
  tiles: readonly Tile[],
  given: ReadonlyMap<string, TensorData>,
): Promise<Map<string, TensorData>> {
  const folder = mkdtempSync(join(tmpdir(), 'tilepipe-reuse-'));
  const layout = layoutWeights(graph, block);
  const weights = new Uint8Array(layout.byteLength);
  for (const { name, offset } of layout.entries)
    weights.set(graph.constants.get(name)?.bytes() ?? new Uint8Array(0), offset);
  if (weights.byteLength > 0) writeFileSync(join(folder, WEIGHTS), weights);
  const sessions = new Map<string, WholeModel>();
  const open = async (tile: Tile): Promise<WholeModel> => {
    const model = subModel(graph, analysis, block, tile, layout, WEIGHTS);
    const path = join(folder, `${sessions.size}.onnx`);
    writeFileSync(path, model);
    return openModel(weights.byteLength > 0 ? path : model);
  };
  const strips: { name: string; region: Region; data: TensorData }[] = [];
  const outputs = new Map<string, TensorData & { filled: number }>();
  try {
    let waiting = [...tiles];
    while (waiting.length > 0) {
      const ready = waiting.filter(({ inputs, strips: names }) =>
        [...inputs].every(([name, region]) => !names?.has(name) || find(strips, name, region) !== undefined),
      );
      if (ready.length === 0) throw new Error('the tiles wait for each other');
      waiting = waiting.filter((tile) => !ready.includes(tile));
      for (const tile of ready) {
        const session = sessions.get(tile.pattern) ?? (await open(tile));
        sessions.set(tile.pattern, session);
        const inputs = [...tile.inputs].map(([name, region]) =>
          tile.strips?.has(name)
            ? { ...(find(strips, name, region) as TensorData), name }
            : cut(given.get(name) as TensorData, region),
        );
        for (const data of await session.run(inputs)) {
          const region = tile.outputs.get(data.name) as Region;
          if (extents(region).join() !== data.shape.join())
            throw new Error(
              `${data.name} has shape [${data.shape}] where its region has [${extents(region)}]`,
            );
          if (!tile.strips?.has(data.name)) place(graph, outputs, data, region);
          else {
            const clash = strips.some((strip) => strip.name === data.name && intersect(strip.region, region));
            if (clash) throw new Error(`two tiles give the same part of ${data.name}`);
            strips.push({ name: data.name, region, data });
          }
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  for (const { name, shape, filled } of outputs.values())
    if (filled !== volume(whole(shape))) throw new Error(`${name} is not covered exactly`);
  return outputs;
}

function find(
  strips: readonly { name: string; region: Region; data: TensorData }[],
  name: string,
  region: Region,
): TensorData | undefined {
  return strips.find((strip) => strip.name === name && sameRegion(strip.region, region))?.data;
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
