/** Networks nobody here wrote: the merged tiles are the uncut model's output. */

import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { prepareKept } from '../../../services/controller/prepare.ts';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { Graph } from '../../../services/core/graph/types.ts';
import { withOutputs } from '../../../services/core/graph/write.ts';
import { haloBlocks } from '../../../services/core/planning/halo-blocks.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { type Analysis, analyse } from '../../../services/core/tiling/analyse.ts';
import { bandCover, coverSize, gridCover } from '../../../services/core/tiling/cover.ts';
import { cutCandidates, partition, splitBlock } from '../../../services/core/tiling/partition.ts';
import type { Cover, FusedBlock } from '../../../services/core/tiling/types.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { temporaryFolder } from '../../support/cluster.ts';
import { encodeGraph } from '../../support/encode-graph.ts';
import { difference, inputFor, runModel } from '../../support/graph-reference.ts';
import { haveModels, shared } from '../../support/ort.ts';
import { runPlan } from '../../support/run-plan.ts';
import { runTiled } from '../../support/tiled.ts';

interface Network {
  readonly file: string;
  readonly shape?: readonly [string, readonly number[]];
  /** Least share of the multiply-accumulates that must be tileable. */
  readonly share: number;
  readonly tolerance?: number;
  readonly fillSeed?: number;
  /** Too large for more than one geometry, and for its classifier: only the first stretch runs. */
  readonly heavy?: boolean;
}

const NETWORKS: readonly Network[] = [
  { file: 'SqueezeNet_fp16', share: 0.95, tolerance: 1e-3 },
  { file: 'bodypix_mbv1_050_s16', shape: ['input', [1, 161, 241, 3]], share: 0.99 },
  { file: 'ch_PP-OCRv3_det_infer', shape: ['x', [1, 3, 160, 192]], share: 0.9 },
  { file: 'light_inception_v2', share: 0.95, fillSeed: 1 },
  { file: 'light_resnet50', share: 0.95, fillSeed: 1, heavy: true },
  { file: 'light_vgg19', share: 0.99, fillSeed: 1, heavy: true },
  { file: 'nanodet_m_416', share: 0.95 },
  { file: 'squeezenet1.0_fp32_derived', share: 0.95 },
  { file: 'unet_sed', share: 0.99 },
  { file: 'version-RFB-320', share: 0.95 },
  { file: 'waifu2x_upconv7_scale2x', share: 0.99 },
  { file: 'yolox_nano', share: 0.95 },
];

const UNEQUAL = bandCover([
  { share: 3, columns: [1, 2] },
  { share: 2, columns: [1] },
]);

/** Stretches cut once more where the least bytes are alive, so that blocks of one stretch meet. */
function halved(graph: Graph, analysis: Analysis): FusedBlock[] {
  return partition(graph, analysis).flatMap((block) => {
    const middle = cutCandidates(graph, block).filter(
      ({ position }) => Math.abs(position / block.nodes.length - 0.5) < 0.25,
    );
    const narrow = middle.sort((a, b) => a.bytes - b.bytes)[0];
    return block.kind === 'tile' && narrow ? splitBlock(graph, block, [narrow.position]) : [block];
  });
}

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** By a plan whose tiles stay on their workers; outputs of the graph, by name. */
async function runKept(graph: Graph, cover: Cover): Promise<Map<string, TensorData>> {
  const analysis = analyse(graph);
  const devices = Array.from({ length: coverSize(cover) }, (_, at) => `worker-${at}`);
  const kept = haloBlocks(graph, analysis, halved(graph, analysis), cover, devices);
  const blobs = new BlobCache({ folder: folder.path });
  const model = { name: 'model', digest: '0'.repeat(64), graph, analysis };
  const { plan } = await prepareKept(model, 'test', kept, blobs);
  expect(plan.tasks.some(({ gather }) => gather === 'worker')).toBe(true);
  const made = await runPlan(plan, blobs, graph.inputs.map(inputFor));
  return new Map(made.map((tensor) => [tensor.name, tensor]));
}

describe.skipIf(!haveModels)('networks nobody here wrote', () => {
  for (const { file, shape, share, tolerance = 1e-4, fillSeed, heavy } of NETWORKS) {
    it(file, async () => {
      const bytes = new Uint8Array(readFileSync(shared(`models/${file}.onnx`)));
      const graph = await readGraph(bytes, {
        shapes: new Map(shape ? [shape] : []),
        ...(fillSeed === undefined ? {} : { fillSeed }),
      });
      const analysis = analyse(graph);
      const blocks = partition(graph, analysis);
      const tiled = blocks
        .filter(({ kind }) => kind === 'tile')
        .reduce((sum, block) => sum + analysis.blockMacs(block), 0);
      expect(tiled / analysis.blockMacs(graph)).toBeGreaterThanOrEqual(share);

      // Where Softmax ends a network, its inputs tell more than its few large outputs: cut tensors are compared too.
      const inner = blocks.filter(({ kind }) => kind === 'tile').flatMap(({ outputs }) => outputs);
      const first = heavy ? blocks.slice(0, 1) : blocks;
      const names = heavy
        ? (first[0] as FusedBlock).outputs
        : [...inner, ...graph.outputs.map(({ name }) => name)];
      const model = fillSeed === undefined ? bytes : encodeGraph(graph);
      const shown = inner.filter((name) => !graph.outputs.some((output) => output.name === name));
      const reference = heavy
        ? (await runTiled(graph, analysis, gridCover(1, 1), graph.inputs.map(inputFor), whole(first))).tensors
        : await runModel(model, graph.inputs, shown);

      const runs: [string, Cover, readonly FusedBlock[]][] = [['2x2', gridCover(2, 2), first]];
      if (!heavy) {
        runs.push(['3x1', gridCover(3, 1), halved(graph, analysis)]);
      }
      const figures: string[] = [];
      for (const [name, cover, cut] of runs) {
        const run = await runTiled(graph, analysis, cover, graph.inputs.map(inputFor), cut);
        expect(run.refusals).toEqual([]);
        const worst = Math.max(
          ...names.map((tensor) => difference(run.tensors.get(tensor), reference.get(tensor))),
        );
        figures.push(`${name} ${run.tiles} tiles of ${run.patterns} patterns, ${worst.toExponential(1)}`);
        expect.soft(worst, `${file} ${name}`).toBeLessThanOrEqual(tolerance);
      }
      if (!heavy) {
        const wide = await readGraph(withOutputs(model, shown), { shapes: new Map(shape ? [shape] : []) });
        const kept = await runKept(wide, UNEQUAL);
        const worst = Math.max(...names.map((name) => difference(kept.get(name), reference.get(name))));
        figures.push(`unequal, kept ${worst.toExponential(1)}`);
        expect.soft(worst, `${file} kept`).toBeLessThanOrEqual(tolerance);
      }
      const sizes = blocks.map(({ kind, nodes }) => `${kind} ${nodes.length}`).join(', ');
      process.stdout.write(
        `${file}: ${((100 * tiled) / analysis.blockMacs(graph)).toFixed(1)} % tileable (nodes: ${sizes}); ${figures.join('; ')}\n`,
      );
    });
  }
});

function whole(blocks: readonly FusedBlock[]): FusedBlock[] {
  return blocks.map((block) => ({ ...block, kind: 'whole' }));
}
