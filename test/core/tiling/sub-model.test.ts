/** Tiles and their sub-models: patterns that serve several sizes, shared weights, several outputs, refusals. */

import { describe, expect, it } from 'vitest';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { Graph } from '../../../services/core/graph/types.ts';
import { type Analysis, analyse } from '../../../services/core/tiling/analyse.ts';
import { bandCover, gridCover } from '../../../services/core/tiling/cover.ts';
import { partition } from '../../../services/core/tiling/partition.ts';
import { subModel } from '../../../services/core/tiling/sub-model.ts';
import { tileBlock, tileCost } from '../../../services/core/tiling/tile-block.ts';
import type { FusedBlock } from '../../../services/core/tiling/types.ts';
import { layoutWeights } from '../../../services/core/tiling/weights.ts';
import { difference, inputFor, runModel } from '../../support/graph-reference.ts';
import { ModelBuilder } from '../../support/model-builder.ts';
import { problem } from '../../support/tensors.ts';
import { runTiled } from '../../support/tiled.ts';

interface Opened {
  readonly bytes: Uint8Array;
  readonly graph: Graph;
  readonly analysis: Analysis;
  readonly block: FusedBlock;
}

async function opened(builder: ModelBuilder): Promise<Opened> {
  const bytes = builder.encode();
  const graph = await readGraph(bytes);
  const analysis = analyse(graph);
  return { bytes, graph, analysis, block: partition(graph, analysis)[0] as FusedBlock };
}

/** Three 3x3 convolutions, a pool between. */
const stack = (rows: number, columns: number) =>
  new ModelBuilder()
    .input('x', [1, 8, rows, columns])
    .random('w', [8, 8, 3, 3])
    .node('Conv', ['x', 'w'], ['a'], { pads: [1, 1, 1, 1] })
    .node('Conv', ['a', 'w'], ['b'], { pads: [1, 1, 1, 1] })
    .node('MaxPool', ['b'], ['c'], { kernel_shape: [2, 2], strides: [2, 2] })
    .node('Conv', ['c', 'w'], ['y'], { pads: [1, 1, 1, 1] })
    .output('y');

/** Two maps out of one block, as the neck of a detector has them. */
const pyramid = () =>
  new ModelBuilder()
    .input('x', [1, 3, 24, 24])
    .random('w', [3, 3, 3, 3])
    .node('Conv', ['x', 'w'], ['large'], { pads: [1, 1, 1, 1] })
    .node('Conv', ['large', 'w'], ['middle'], { pads: [1, 1, 1, 1], strides: [3, 3] })
    .node('Conv', ['middle', 'w'], ['small'], { pads: [1, 1, 1, 1], strides: [4, 4] })
    .output('large')
    .output('middle')
    .output('small');

describe('patterns', () => {
  it.each([
    [5, 1, 3],
    [1, 7, 3],
    [5, 5, 9],
    [3, 3, 9],
  ])('%i x %i tiles larger than the halo have %i', async (rows, columns, patterns) => {
    const { graph, analysis, block } = await opened(stack(80, 112));
    const tiles = tileBlock(graph, analysis, block, gridCover(rows, columns));
    expect(new Set(tiles.map(({ pattern }) => pattern)).size).toBe(patterns);
  });

  it('do not depend on sizes: unequal tiles of one pattern have one sub-model', async () => {
    const { graph, analysis, block } = await opened(stack(80, 112));
    const cover = bandCover([5, 2, 3, 1, 4].map((share) => ({ share, columns: [3, 1, 2] })));
    const tiles = tileBlock(graph, analysis, block, cover);
    const layout = layoutWeights(graph, block);
    const models = new Map<string, Uint8Array>();
    for (const tile of tiles) {
      const model = subModel(graph, analysis, block, tile, layout, 'weights');
      expect(model).toEqual(models.get(tile.pattern) ?? model);
      models.set(tile.pattern, model);
    }
    expect(models.size).toBe(9);
  });

  it('differ where a constant is cut', async () => {
    const { graph, analysis, block } = await opened(
      new ModelBuilder()
        .input('x', [1, 2, 8, 8])
        .random('g', [1, 1, 8, 8])
        .random('w', [2, 2, 1, 1])
        .node('Conv', ['x', 'w'], ['c'])
        .node('Add', ['c', 'g'], ['y'])
        .output('y'),
    );
    const tiles = tileBlock(graph, analysis, block, gridCover(2, 2));
    expect(new Set(tiles.map(({ pattern }) => pattern)).size).toBe(4);
  });
});

describe('weights', () => {
  it('lie in one file for every pattern, and not in the sub-models', async () => {
    const { graph, analysis, block, bytes } = await opened(stack(40, 40));
    const layout = layoutWeights(graph, block);
    expect(layout.entries.map(({ name, offset, length }) => [name, offset, length])).toEqual([
      ['w', 0, 8 * 8 * 9 * 4],
    ]);
    for (const tile of tileBlock(graph, analysis, block, gridCover(2, 2))) {
      expect(subModel(graph, analysis, block, tile, layout, 'f'.repeat(64)).byteLength).toBeLessThan(1500);
    }
    const run = await runTiled(graph, analysis, gridCover(2, 2), graph.inputs.map(inputFor));
    const reference = await runModel(bytes, graph.inputs);
    expect(difference(run.outputs.get('y'), reference.get('y'))).toBeLessThanOrEqual(1e-4);
  });

  it('made by nodes that read no input are made in every block', async () => {
    const { graph, analysis, bytes } = await opened(
      new ModelBuilder()
        .input('x', [1, 4, 9, 9])
        .constant('scale', [], [0.01])
        .random('q', [4, 4, 3, 3], 'int8')
        .node('DequantizeLinear', ['q', 'scale'], ['w'])
        .node('Conv', ['x', 'w'], ['a'], { pads: [1, 1, 1, 1] })
        .node('InstanceNormalization', ['a', 'one', 'one'], ['n'])
        .random('one', [4])
        .node('Conv', ['n', 'w'], ['y'], { pads: [1, 1, 1, 1] })
        .output('y'),
    );
    expect(graph.nodes.length).toBe(4);
    expect(partition(graph, analysis).map(({ kind, nodes }) => `${kind} ${nodes.length}`)).toEqual([
      'tile 1',
      'whole 1',
      'tile 1',
    ]);
    const run = await runTiled(graph, analysis, gridCover(2, 3), graph.inputs.map(inputFor));
    const reference = await runModel(bytes, graph.inputs);
    expect(difference(run.outputs.get('y'), reference.get('y'))).toBeLessThanOrEqual(1e-4);
  });
});

describe('tiles', () => {
  it('of a map too small for all are made by some', async () => {
    const { graph, analysis, block, bytes } = await opened(pyramid());
    const tiles = tileBlock(graph, analysis, block, gridCover(3, 3));
    expect(tiles.every(({ outputs }) => outputs.has('large') && outputs.has('middle'))).toBe(true);
    expect(tiles.filter(({ outputs }) => outputs.has('small')).length).toBe(4);
    const run = await runTiled(graph, analysis, gridCover(3, 3), graph.inputs.map(inputFor));
    const reference = await runModel(bytes, graph.inputs);
    for (const { name } of graph.outputs) {
      expect(difference(run.outputs.get(name), reference.get(name)), name).toBeLessThanOrEqual(1e-4);
    }
  });

  it('are refused where no map gives every tile a part', async () => {
    const { graph, analysis, block } = await opened(stack(8, 8));
    expect(() => tileBlock(graph, analysis, block, gridCover(5, 1))).toThrow(
      problem('tiling-refused', '4 x 4 rows and columns'),
    );
    expect(() => tileBlock(graph, analysis, block, gridCover(4, 4))).not.toThrow();
  });

  it('are refused where a node has no rule', async () => {
    const { graph, analysis } = await opened(stack(8, 8).node('GlobalAveragePool', ['y'], ['g']).output('g'));
    const everything: FusedBlock = { id: 0, kind: 'tile', nodes: graph.nodes, inputs: ['x'], outputs: ['g'] };
    expect(() => tileBlock(graph, analysis, everything, gridCover(2, 2))).toThrow(
      problem('tiling-refused', 'pools over all rows and columns'),
    );
  });

  it('need their halo and no more, and cost what they compute', async () => {
    const { graph, analysis, block } = await opened(stack(80, 80));
    const [first, , , last] = tileBlock(graph, analysis, block, gridCover(2, 2));
    // Rows 0 to 20 of the output need 0 to 21 behind the pool, 0 to 42 before it, and two convolutions more: 0 to 44.
    expect(first?.inputs.get('x')).toEqual([
      [0, 1],
      [0, 8],
      [0, 44],
      [0, 44],
    ]);
    expect(last?.inputs.get('x')).toEqual([
      [0, 1],
      [0, 8],
      [36, 80],
      [36, 80],
    ]);
    const perOutput = 8 * 8 * 9;
    expect(first?.macs).toBe(perOutput * (43 * 43 + 42 * 42 + 20 * 20));
    expect(tileCost(graph, first as never)).toEqual({
      macs: first?.macs,
      bytesIn: 4 * 8 * 44 * 44,
      bytesOut: 4 * 8 * 20 * 20,
    });
    const [whole] = tileBlock(graph, analysis, block, gridCover(1, 1));
    expect(whole?.macs).toBe(analysis.blockMacs(block));
  });
});
