/** Random networks, cut at random: the merged tiles are the uncut model's output. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { Graph } from '../../../services/core/graph/types.ts';
import { type Analysis, analyse } from '../../../services/core/tiling/analyse.ts';
import { bandCover, coverSize } from '../../../services/core/tiling/cover.ts';
import { partition, splitBlock } from '../../../services/core/tiling/partition.ts';
import type { FusedBlock } from '../../../services/core/tiling/types.ts';
import { difference, inputFor, runModel } from '../../support/graph-reference.ts';
import { runTiled } from '../../support/tiled.ts';
import { encodeNetwork, type RandomTiling, randomNetwork, randomTiling } from './random/network.ts';

const RUNS = Number(process.env.TILEPIPE_PROPERTY_RUNS ?? 200);
/** Milliseconds a case may take before something is wrong. */
const SLOWEST = 300;
const TOLERANCE = 1e-4;

const counts = {
  cases: 0,
  refused: 0,
  tiles: 0,
  patterns: 0,
  tiledNodes: 0,
  nodes: 0,
  one: 0,
  fullyTiled: 0,
  someTiled: 0,
  worst: 0,
};

/** Stretches cut at shares of their length. */
function blocksOf(graph: Graph, analysis: Analysis, { cuts }: RandomTiling): FusedBlock[] {
  return partition(graph, analysis).flatMap((block) => {
    if (block.kind === 'whole') return [block];
    const positions = new Set(cuts.map((cut) => Math.floor(cut * block.nodes.length)));
    const inside = [...positions].filter((at) => at > 0 && at < block.nodes.length).sort((a, b) => a - b);
    return splitBlock(graph, block, inside);
  });
}

describe('tiling', () => {
  it(
    `merges to the uncut output for ${RUNS} random networks`,
    async () => {
      await fc.assert(
        fc.asyncProperty(randomNetwork, randomTiling, async (network, tiling) => {
          const bytes = encodeNetwork(network);
          const graph = await readGraph(bytes);
          const reference = await runModel(bytes, graph.inputs);
          const analysis = analyse(graph);
          const blocks = blocksOf(graph, analysis, tiling);
          const run = await runTiled(
            graph,
            analysis,
            bandCover(tiling.bands),
            graph.inputs.map(inputFor),
            blocks,
          );
          counts.cases += 1;
          counts.refused += run.refusals.length > 0 ? 1 : 0;
          counts.tiles += run.tiles;
          counts.patterns += run.patterns;
          counts.nodes += graph.nodes.length;
          counts.tiledNodes += run.tiledNodes;
          const pieces = coverSize(bandCover(tiling.bands));
          counts.one += pieces === 1 ? 1 : 0;
          counts.someTiled += pieces > 1 && run.tiles > 0 ? 1 : 0;
          counts.fullyTiled += pieces > 1 && run.tiledNodes === graph.nodes.length ? 1 : 0;
          for (const { node, op, reason } of analysis.refusals.values()) {
            expect(reason.length).toBeGreaterThan(10);
            expect(graph.nodes.some((item) => item.name === node && item.op === op)).toBe(true);
          }
          for (const refusal of run.refusals) expect(refusal).toMatch(/rows and columns/);
          for (const { name } of graph.outputs) {
            const gap = difference(run.outputs.get(name), reference.get(name));
            counts.worst = Math.max(counts.worst, gap);
            expect(gap, name).toBeLessThanOrEqual(TOLERANCE);
          }
        }),
        {
          numRuns: RUNS,
          endOnFailure: false,
          ...(process.env.TILEPIPE_PROPERTY_SEED ? { seed: Number(process.env.TILEPIPE_PROPERTY_SEED) } : {}),
        },
      );
      const many = counts.cases - counts.one;
      const share = (part: number, all: number) => `${((100 * part) / all).toFixed(1)} %`;
      process.stdout.write(
        `${counts.cases} networks: of the ${many} cut in several tiles ${share(counts.someTiled, many)} ran so at least in part, ${share(counts.fullyTiled, many)} entirely; ` +
          `${share(counts.tiledNodes, counts.nodes)} of ${counts.nodes} nodes; ${counts.tiles} tiles of ${counts.patterns} patterns; ` +
          `${share(counts.refused, counts.cases)} had a block too small for its cover; worst difference ${counts.worst.toExponential(1)}\n`,
      );
      expect(counts.someTiled / many).toBeGreaterThan(0.6);
      expect(counts.tiledNodes / counts.nodes).toBeGreaterThan(0.5);
    },
    RUNS * SLOWEST + 60_000,
  );
});
