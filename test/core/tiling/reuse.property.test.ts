/** Random blocks in tiles that reuse their neighbours' work: merged, they are the uncut output, for no more work. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { Graph } from '../../../services/core/graph/types.ts';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import { type Analysis, analyse } from '../../../services/core/tiling/analyse.ts';
import { bandCover } from '../../../services/core/tiling/cover.ts';
import { partition } from '../../../services/core/tiling/partition.ts';
import { type ReuseOptions, reuseTiles } from '../../../services/core/tiling/reuse.ts';
import { tileBlock } from '../../../services/core/tiling/tile-block.ts';
import type { Cover, FusedBlock, Tile } from '../../../services/core/tiling/types.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { difference, inputFor, runModel } from '../../support/graph-reference.ts';
import { encodeNetwork, randomNetwork } from './random/network.ts';
import { runReusing } from './reuse-run.ts';
import { encodeStack, windowStack } from './reuse-stacks.ts';

/** Of each of two properties: together they try as many networks as the runs asked for at most. */
const RUNS = Math.min(1000, Number(process.env.TILEPIPE_PROPERTY_RUNS ?? 200));
/** Milliseconds a case may take before something is wrong. */
const SLOWEST = 300;
const TOLERANCE = 1e-4;

const macsOf = (tiles: readonly Tile[]): number => tiles.reduce((sum, { macs }) => sum + macs, 0);

function coverOf(shares: readonly number[], along: 'rows' | 'columns'): Cover {
  return bandCover(
    along === 'rows' ? shares.map((share) => ({ share, columns: [1] })) : [{ share: 1, columns: shares }],
  );
}

const counts = { blocks: 0, strips: 0, refused: 0, recomputed: 0, reused: 0, uncut: 0, worst: 0 };

function report(): string {
  const { blocks, strips, refused, recomputed, reused, uncut, worst } = counts;
  const more = (macs: number): string => `${((100 * macs) / uncut - 100).toFixed(1)} %`;
  return (
    `so far ${blocks} blocks, ${strips} with strips, ${refused} too small for their cover; ` +
    `${more(reused)} more work than uncut, ${more(recomputed)} without reuse; worst difference ${worst.toExponential(1)}\n`
  );
}

/** Cuts every block that can be and holds it against the tensors of the uncut run. */
async function check(
  graph: Graph,
  analysis: Analysis,
  blocks: readonly FusedBlock[],
  cover: Cover,
  options: ReuseOptions,
  reference: ReadonlyMap<string, TensorData>,
): Promise<void> {
  for (const block of blocks) {
    if (block.kind !== 'tile') continue;
    let tiles: Tile[];
    try {
      tiles = reuseTiles(graph, analysis, block, cover, options);
    } catch (error) {
      if (!(error instanceof TilepipeError) || error.code !== 'tiling-refused') throw error;
      counts.refused += 1;
      continue;
    }
    const recomputing = tileBlock(graph, analysis, block, cover);
    for (const [index, tile] of tiles.entries())
      expect(tile.macs).toBeLessThanOrEqual((recomputing[index] as Tile).macs);
    counts.blocks += 1;
    counts.strips += tiles.some(({ strips }) => strips !== undefined) ? 1 : 0;
    counts.reused += macsOf(tiles);
    counts.recomputed += macsOf(recomputing);
    counts.uncut += analysis.blockMacs(block);
    const given = new Map(block.inputs.map((name) => [name, reference.get(name) as TensorData]));
    const outputs = await runReusing(graph, analysis, block, tiles, given);
    for (const name of block.outputs) {
      const gap = difference(outputs.get(name), reference.get(name));
      counts.worst = Math.max(counts.worst, gap);
      expect(gap, name).toBeLessThanOrEqual(TOLERANCE);
    }
  }
}

async function referenceOf(model: Uint8Array, graph: Graph): Promise<Map<string, TensorData>> {
  const made = await runModel(model, graph.inputs, [...graph.producers.keys()]);
  return new Map([...graph.inputs.map((input) => [input.name, inputFor(input)] as const), ...made]);
}

describe('tiles that reuse', () => {
  it(
    `merge to the uncut output for ${RUNS} random stacks of windows`,
    async () => {
      await fc.assert(
        fc.asyncProperty(windowStack, async (stack) => {
          const model = encodeStack(stack);
          const graph = await readGraph(model);
          const analysis = analyse(graph);
          const reference = await referenceOf(model, graph);
          const sends = (tensor: string): boolean =>
            ((stack.sends >> Number(tensor.replace(/\D/g, ''))) & 1) === 1;
          const cover = coverOf(stack.shares, stack.along);
          await check(
            graph,
            analysis,
            partition(graph, analysis),
            cover,
            { order: stack.order, sends },
            reference,
          );
        }),
        { numRuns: RUNS, endOnFailure: false },
      );
      process.stdout.write(report());
      expect(counts.strips / counts.blocks).toBeGreaterThan(0.6);
      expect(counts.reused - counts.uncut).toBeLessThan((counts.recomputed - counts.uncut) / 2);
    },
    RUNS * SLOWEST + 60_000,
  );

  it(
    `merge to the uncut output for ${RUNS} random networks of all operators`,
    async () => {
      const tiling = fc.record({
        shares: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 4 }),
        along: fc.constantFrom('rows' as const, 'columns' as const),
        order: fc.constantFrom('alternate' as const, 'chain' as const),
      });
      await fc.assert(
        fc.asyncProperty(randomNetwork, tiling, async (network, { shares, along, order }) => {
          const model = encodeNetwork(network);
          const graph = await readGraph(model);
          const analysis = analyse(graph);
          const reference = await referenceOf(model, graph);
          await check(
            graph,
            analysis,
            partition(graph, analysis),
            coverOf(shares, along),
            { order },
            reference,
          );
        }),
        { numRuns: RUNS, endOnFailure: false },
      );
      process.stdout.write(report());
    },
    RUNS * SLOWEST + 60_000,
  );
});
