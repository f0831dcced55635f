/** Blocks: exact ends, runnable order, and cuts. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TensorType } from '../../../services/core/graph/operators/row.ts';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { Graph } from '../../../services/core/graph/types.ts';
import { analyse } from '../../../services/core/tiling/analyse.ts';
import { readsOf } from '../../../services/core/tiling/constant-nodes.ts';
import { cutCandidates, partition, splitBlock } from '../../../services/core/tiling/partition.ts';
import type { FusedBlock } from '../../../services/core/tiling/types.ts';
import { ModelBuilder } from '../../support/model-builder.ts';
import { squeezeNetwork } from '../../support/networks.ts';
import { encodeNetwork, randomNetwork } from './random/network.ts';

/** Every node in one block, every block runnable after those before it, and only what is read elsewhere leaves. */
function expectSound(graph: Graph, blocks: readonly FusedBlock[], constant: ReadonlySet<number>): void {
  const seen = new Set<number>();
  const ready = new Set(graph.inputs.map(({ name }) => name));
  const results = new Set(graph.outputs.map(({ name }) => name));
  for (const block of blocks) {
    for (const name of block.inputs)
      expect(ready.has(name), `${name} is there for block ${block.id}`).toBe(true);
    const made = new Set<string>();
    const read = new Set<string>();
    for (const node of block.nodes) {
      expect(seen.has(node.index)).toBe(false);
      seen.add(node.index);
      for (const name of readsOf(node)) {
        const maker = graph.producers.get(name);
        if (!graph.tensors.has(name) || (maker && constant.has(maker.index)) || made.has(name)) continue;
        read.add(name);
      }
      for (const name of node.outputs) made.add(name);
    }
    expect([...read].sort()).toEqual([...block.inputs].sort());
    const inside = new Set(block.nodes.map(({ index }) => index));
    const leaving = [...made].filter(
      (name) =>
        results.has(name) || (graph.consumers.get(name) ?? []).some(({ index }) => !inside.has(index)),
    );
    expect(leaving.sort()).toEqual([...block.outputs].sort());
    for (const name of block.outputs) ready.add(name);
  }
  expect(seen.size + constant.size).toBe(graph.nodes.length);
}

/** What an executor would show of a zero input. */
const PROBED: Readonly<Record<string, TensorType>> = {
  n: { dtype: 'int64', shape: [4, 0] },
  f: { dtype: 'float32', shape: [4, 0] },
  m: { dtype: 'float32', shape: [4, 0] },
  y: { dtype: 'float32', shape: [] },
};

describe('partition', () => {
  it('alternates stretches, with squeeze-and-excite whole', async () => {
    const graph = await readGraph(squeezeNetwork());
    const blocks = partition(graph, analyse(graph));
    expect(blocks.map(({ kind, nodes }) => `${kind}: ${nodes.map(({ op }) => op).join(' ')}`)).toEqual([
      'tile: Conv Relu',
      'whole: GlobalAveragePool Conv Sigmoid Mul MaxPool GlobalAveragePool Flatten Gemm',
    ]);
    expect(blocks[0]?.outputs).toEqual(['b']);
  });

  it('keeps a stretch that multiplies between two that run whole', async () => {
    const graph = await readGraph(
      new ModelBuilder()
        .input('x', [1, 4, 8, 8])
        .random('w', [4, 4, 3, 3])
        .node('Conv', ['x', 'w'], ['a'], { pads: [1, 1, 1, 1] })
        .node('GlobalAveragePool', ['a'], ['g'])
        .node('Mul', ['a', 'g'], ['m'])
        .node('Conv', ['m', 'w'], ['b'], { pads: [1, 1, 1, 1] })
        .node('Add', ['a', 'b'], ['y'])
        .output('y')
        .encode(),
    );
    const analysis = analyse(graph);
    const blocks = partition(graph, analysis);
    expect(blocks.map(({ kind }) => kind)).toEqual(['tile', 'whole', 'tile']);
    expect(blocks[0]?.outputs).toEqual(['a']);
    expect([...(blocks[2]?.inputs ?? [])].sort()).toEqual(['a', 'g']);
    expectSound(graph, blocks, analysis.constantNodes);
  });

  it('keeps tensors whose extents depend on the data inside one block', async () => {
    const graph = await readGraph(
      new ModelBuilder()
        .input('x', [1, 4, 8, 8])
        .random('w', [4, 4, 3, 3])
        .node('NonZero', ['x'], ['n'])
        .node('Conv', ['x', 'w'], ['c'])
        .node('ReduceMax', ['c'], ['r'], { keepdims: 0 })
        .node('Cast', ['n'], ['f'], { to: 1 })
        .node('Mul', ['f', 'r'], ['m'])
        .node('ReduceSum', ['m'], ['y'], { keepdims: 0 })
        .output('y')
        .encode(),
      { probe: async ({ tensors }) => new Map(tensors.map((name) => [name, PROBED[name] as TensorType])) },
    );
    expect([...graph.tensors.values()].filter(({ dynamic }) => dynamic).length).toBeGreaterThan(0);
    for (const { inputs } of partition(graph, analyse(graph))) {
      for (const name of inputs) expect(graph.tensors.get(name)?.dynamic, name).not.toBe(true);
    }
  });

  it('is sound for random networks, and stays so however they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        randomNetwork,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
        async (network, cuts) => {
          const graph = await readGraph(encodeNetwork(network));
          const analysis = analyse(graph);
          const blocks = partition(graph, analysis);
          expectSound(graph, blocks, analysis.constantNodes);
          const split = blocks.flatMap((block) => {
            const positions = [...new Set(cuts.map((cut) => Math.floor(cut * block.nodes.length)))];
            return splitBlock(
              graph,
              block,
              positions.filter((at) => at > 0 && at < block.nodes.length).sort((a, b) => a - b),
            );
          });
          expectSound(graph, split, analysis.constantNodes);
          for (const block of blocks) {
            for (const { position, bytes, tensors } of cutCandidates(graph, block)) {
              const [before, after] = splitBlock(graph, block, [position]) as [FusedBlock, FusedBlock];
              expect([...tensors].sort()).toEqual(
                before.outputs.filter((name) => after.inputs.includes(name)).sort(),
              );
              expect(bytes).toBe(
                tensors.reduce(
                  (sum, name) => sum + 4 * (graph.tensors.get(name)?.shape ?? []).reduce((a, b) => a * b, 1),
                  0,
                ),
              );
            }
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
