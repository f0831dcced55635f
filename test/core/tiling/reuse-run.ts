/** Runs a graph of one block in tiles that exchange strips, each when its inputs are there, and merges what they make. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Graph } from '../../../services/core/graph/types.ts';
import { intersect, type Region, sameRegion } from '../../../services/core/tensor/region.ts';
import type { Analysis } from '../../../services/core/tiling/analyse.ts';
import { subModel } from '../../../services/core/tiling/sub-model.ts';
import type { FusedBlock, Tile } from '../../../services/core/tiling/types.ts';
import { layoutWeights } from '../../../services/core/tiling/weights.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { checkShape, Merged, weightsFile } from '../../support/merged.ts';
import { wholeModel as openModel, type WholeModel } from '../../support/ort.ts';

const WEIGHTS = 'weights.bin';

/** Inputs and outputs of the block by name, given its inputs whole; fails where the tiles wait for each other or leave a hole. */
export async function runReusing(
  graph: Graph,
  analysis: Analysis,
  block: FusedBlock,
  tiles: readonly Tile[],
  given: ReadonlyMap<string, TensorData>,
): Promise<Map<string, TensorData>> {
  const folder = mkdtempSync(join(tmpdir(), 'tilepipe-reuse-'));
  const layout = layoutWeights(graph, block);
  const weights = weightsFile(graph, layout);
  if (weights.byteLength > 0) writeFileSync(join(folder, WEIGHTS), weights);
  const sessions = new Map<string, WholeModel>();
  const open = async (tile: Tile): Promise<WholeModel> => {
    const model = subModel(graph, analysis, block, tile, layout, WEIGHTS);
    const path = join(folder, `${sessions.size}.onnx`);
    writeFileSync(path, model);
    return openModel(weights.byteLength > 0 ? path : model);
  };
  const strips: { name: string; region: Region; data: TensorData }[] = [];
  const merged = new Merged(graph, given.values());
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
            : merged.read(name, region),
        );
        for (const data of await session.run(inputs)) {
          const region = tile.outputs.get(data.name) as Region;
          if (!tile.strips?.has(data.name)) merged.write(data, region);
          else {
            checkShape(data, region);
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
  return merged.results();
}

function find(
  strips: readonly { name: string; region: Region; data: TensorData }[],
  name: string,
  region: Region,
): TensorData | undefined {
  return strips.find((strip) => strip.name === name && sameRegion(strip.region, region))?.data;
}
