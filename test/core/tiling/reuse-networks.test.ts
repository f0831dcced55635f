/** Networks nobody here wrote, in strips of rows that reuse: skips, concatenations, up-sampling, half floats. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import { analyse } from '../../../services/core/tiling/analyse.ts';
import { gridCover } from '../../../services/core/tiling/cover.ts';
import { partition } from '../../../services/core/tiling/partition.ts';
import { reuseTiles } from '../../../services/core/tiling/reuse.ts';
import { tileBlock } from '../../../services/core/tiling/tile-block.ts';
import type { Tile } from '../../../services/core/tiling/types.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { difference, inputFor, runModel } from '../../support/graph-reference.ts';
import { haveModels, shared } from '../../support/ort.ts';
import { runReusing } from './reuse-run.ts';

interface Network {
  readonly file: string;
  readonly tolerance: number;
}

const NETWORKS: readonly Network[] = [
  { file: 'SqueezeNet_fp16', tolerance: 1e-3 },
  { file: 'unet_sed', tolerance: 1e-4 },
  { file: 'version-RFB-320', tolerance: 1e-4 },
  { file: 'yolox_nano', tolerance: 1e-4 },
];

const macsOf = (tiles: readonly Tile[]): number => tiles.reduce((sum, { macs }) => sum + macs, 0);

describe.skipIf(!haveModels)('networks nobody here wrote, reusing', () => {
  for (const { file, tolerance } of NETWORKS) {
    it(file, async () => {
      const model = new Uint8Array(readFileSync(shared(`models/${file}.onnx`)));
      const graph = await readGraph(model);
      const analysis = analyse(graph);
      const blocks = partition(graph, analysis).filter(({ kind }) => kind === 'tile');
      const cut = new Set(blocks.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]));
      const names = [...cut].filter((name) => graph.producers.has(name));
      const reference: ReadonlyMap<string, TensorData> = new Map([
        ...graph.inputs.map((input) => [input.name, inputFor(input)] as const),
        ...(await runModel(model, graph.inputs, names)),
      ]);
      let [reused, recomputed, uncut, worst] = [0, 0, 0, 0];
      for (const block of blocks) {
        const tiles = reuseTiles(graph, analysis, block, gridCover(3, 1));
        reused += macsOf(tiles);
        recomputed += macsOf(tileBlock(graph, analysis, block, gridCover(3, 1)));
        uncut += analysis.blockMacs(block);
        const given = new Map(block.inputs.map((name) => [name, reference.get(name) as TensorData]));
        const outputs = await runReusing(graph, analysis, block, tiles, given);
        for (const name of block.outputs)
          worst = Math.max(worst, difference(outputs.get(name), reference.get(name)));
      }
      const over = (macs: number): string => `${((100 * macs) / uncut - 100).toFixed(1)} %`;
      process.stdout.write(
        `${file}: ${over(reused)} more work than uncut, ${over(recomputed)} without reuse; ${worst.toExponential(1)}\n`,
      );
      expect(worst).toBeLessThanOrEqual(tolerance);
      expect(reused - uncut).toBeLessThan((recomputed - uncut) / 2);
    }, 60_000);
  }
});
