/** Random networks with coded cuts: what tiles make of a block is what the block makes whole. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { codecRefusal, type ValueRange, withCutCodecs } from '../../../services/core/graph/cut-codecs.ts';
import { readElements } from '../../../services/core/graph/dtype.ts';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { Graph } from '../../../services/core/graph/types.ts';
import { codedBlock } from '../../../services/core/planning/coded-blocks.ts';
import type { CutCodec } from '../../../services/core/planning/draft.ts';
import { analyse } from '../../../services/core/tiling/analyse.ts';
import { bandCover } from '../../../services/core/tiling/cover.ts';
import { partition, splitBlock } from '../../../services/core/tiling/partition.ts';
import type { FusedBlock } from '../../../services/core/tiling/types.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { inputFor, runModel } from '../../support/graph-reference.ts';
import { runTiled } from '../../support/tiled.ts';
import { encodeNetwork, type RandomTiling, randomNetwork, randomTiling } from './random/network.ts';

const RUNS = Math.min(100, Number(process.env.TILEPIPE_PROPERTY_RUNS ?? 40));
/** Milliseconds a case may take before something is wrong. */
const SLOWEST = 600;
/** As for tiling without codecs. */
const TOLERANCE = 1e-4;
/** Tensors that are noise around zero have steps as small as the noise. */
const LEAST_RANGE = 1e-2;

/** Where stretches are cut, as shares of their length. */
const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 4 });

/** Stretches cut at shares of their length. */
function blocksOf(graph: Graph, { cuts }: RandomTiling): FusedBlock[] {
  return partition(graph, analyse(graph)).flatMap((block) => {
    if (block.kind === 'whole') return [block];
    const positions = new Set(cuts.map((cut) => Math.floor(cut * block.nodes.length)));
    const inside = [...positions].filter((at) => at > 0 && at < block.nodes.length).sort((a, b) => a - b);
    return splitBlock(graph, block, inside);
  });
}

/** Cut tensors that may be coded. One its own block reads as well is left out: a step there may grow to anything. */
function cutsOf(graph: Graph, blocks: readonly FusedBlock[]): string[] {
  return blocks.flatMap(({ nodes, outputs }) => {
    const read = new Set(nodes.flatMap(({ inputs }) => inputs));
    return outputs.filter((name) => !read.has(name) && codecRefusal(graph, name, 'uint8') === undefined);
  });
}

const valuesOf = ({ dtype, bytes }: TensorData): number[] => Array.from(readElements(dtype, bytes), Number);

function rangeOf(tensor: TensorData): ValueRange {
  const values = valuesOf(tensor);
  return { min: Math.min(0, ...values), max: Math.max(0, ...values) };
}

/** Where sums differ in their last bits a short form may differ by one step, and by no more. */
function expectSame(name: string, actual: TensorData | undefined, expected: TensorData): void {
  const [a, b] = [valuesOf(actual as TensorData), valuesOf(expected)];
  const largest = Math.max(LEAST_RANGE, ...b.map(Math.abs));
  const allowed = (value: number): number => {
    if (expected.dtype === 'uint8') return 1;
    const rounding = expected.dtype === 'float16' ? 2 ** -10 * Math.abs(value) + 2 ** -24 : 0;
    return TOLERANCE * largest + rounding;
  };
  expect(a.length).toBe(b.length);
  const wrong = b.findIndex((value, i) => !(Math.abs((a[i] as number) - value) <= allowed(value)));
  expect(wrong, `${name}: ${a[wrong]} instead of ${b[wrong]}`).toBe(-1);
}

it(
  `tiles of ${RUNS} random networks with coded cuts`,
  async () => {
    let [coded, tiles] = [0, 0];
    await fc.assert(
      fc.asyncProperty(
        randomNetwork,
        fc.tuple(randomTiling, places).map(([tiling, cuts]) => ({ ...tiling, cuts })),
        fc.infiniteStream(fc.constantFrom<CutCodec>('uint8', 'fp16')),
        async (network, tiling, kinds) => {
          const bytes = encodeNetwork(network);
          const graph = await readGraph(bytes);
          const blocks = blocksOf(graph, tiling);
          const cuts = cutsOf(graph, blocks);
          fc.pre(cuts.length > 0);
          const reference = await runModel(bytes, graph.inputs, cuts);
          const ranges: Record<string, ValueRange> = {};
          const codecs: Record<string, CutCodec> = {};
          for (const name of cuts) {
            const range = rangeOf(reference.get(name) as TensorData);
            if (range.max - range.min < LEAST_RANGE) continue;
            ranges[name] = range;
            codecs[name] = kinds.next().value;
          }
          const made = withCutCodecs(graph, codecs, ranges);
          const analysis = analyse(made.graph);
          const rewritten = blocks.map((block) => codedBlock(made, block));
          const cover = bandCover(tiling.bands);
          const run = await runTiled(made.graph, analysis, cover, graph.inputs.map(inputFor), rewritten);
          for (const refusal of run.refusals) expect(refusal).toMatch(/rows and columns/);
          coded += made.cuts.size;
          tiles += run.tiles;
          for (const block of rewritten) {
            const inputs = block.inputs.map((name) => run.tensors.get(name) as TensorData);
            const whole = await runTiled(made.graph, analysis, cover, inputs, [{ ...block, kind: 'whole' }]);
            for (const name of block.outputs)
              expectSame(name, run.tensors.get(name), whole.tensors.get(name) as TensorData);
          }
        },
      ),
      { numRuns: RUNS, endOnFailure: false },
    );
    expect(coded).toBeGreaterThan(RUNS / 4);
    expect(tiles).toBeGreaterThan(RUNS / 4);
  },
  RUNS * SLOWEST + 60_000,
);
