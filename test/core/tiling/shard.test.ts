/** Which blocks shard by channels, where the cuts lie, and what a shard has of the weights. */

import { describe, expect, test } from 'vitest';
import { partedConstant } from '../../../services/core/graph/constant.ts';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { Constant, Graph } from '../../../services/core/graph/types.ts';
import { everything } from '../../../services/core/planning/choose-blocks.ts';
import { analyse } from '../../../services/core/tiling/analyse.ts';
import { mostShards, shardBlock, shardPiece } from '../../../services/core/tiling/shard.ts';
import type { Tile } from '../../../services/core/tiling/types.ts';
import { difference, runModel } from '../../support/graph-reference.ts';
import { ModelBuilder } from '../../support/model-builder.ts';
import { shardRefusal } from '../../support/shard-refusal.ts';
import { problem } from '../../support/tensors.ts';
import { runSharded } from './shard-run.ts';

const MAP = [1, 4, 6, 6];
const pads = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };

/** A convolution to eight channels, and what `more` adds after its output "a". */
function afterConv(more: (builder: ModelBuilder) => ModelBuilder): ModelBuilder {
  const builder = new ModelBuilder().input('x', MAP).random('w', [8, 4, 3, 3]);
  return more(builder.node('Conv', ['x', 'w'], ['a'], pads));
}

function gemm(inner: number, columns: number): ModelBuilder {
  return new ModelBuilder()
    .input('x', [1, inner])
    .random('w', [inner, columns])
    .random('wt', [columns, inner])
    .random('b', [columns]);
}

async function tiles(graph: Graph, shares: readonly number[]): Promise<Tile[]> {
  return shardBlock(graph, analyse(graph), everything(graph), shares);
}

async function refusal(builder: ModelBuilder): Promise<string | undefined> {
  const graph = await readGraph(builder.encode());
  return shardRefusal(graph, analyse(graph), everything(graph));
}

const ranges = (parts: readonly Tile[], tensor: string, axis: number) =>
  parts.map(({ outputs }) => outputs.get(tensor)?.[axis]);

describe('channel ranges', () => {
  test('follow the shares, none of them empty', async () => {
    const graph = await readGraph(gemm(5, 10).node('Gemm', ['x', 'w', 'b'], ['y']).output('y').encode());
    const cuts = async (shares: number[]) => ranges(await tiles(graph, shares), 'y', 1);
    expect(await cuts([1, 1])).toEqual([
      [0, 5],
      [5, 10],
    ]);
    expect(await cuts([3, 1, 1])).toEqual([
      [0, 6],
      [6, 8],
      [8, 10],
    ]);
    expect(await cuts([1000, 1, 1])).toEqual([
      [0, 8],
      [8, 9],
      [9, 10],
    ]);
    expect(await cuts([1, 1, 1000])).toEqual([
      [0, 1],
      [1, 2],
      [2, 10],
    ]);
    await expect(cuts(new Array<number>(11).fill(1))).rejects.toEqual(
      problem('tiling-refused', '10 channels'),
    );
    for (const shares of [[], [1, 0], [1, Number.NaN]])
      await expect(cuts(shares)).rejects.toEqual(problem('usage', 'not all positive'));
  });

  test('keep groups whole, and read the channels of their own groups alone', async () => {
    const builder = new ModelBuilder()
      .input('x', [1, 6, 5, 5])
      .random('w', [9, 2, 3, 3])
      .node('Conv', ['x', 'w'], ['y'], { ...pads, group: 3 })
      .output('y');
    const graph = await readGraph(builder.encode());
    const parts = await tiles(graph, [1, 1]);
    expect(ranges(parts, 'y', 1)).toEqual([
      [0, 6],
      [6, 9],
    ]);
    expect(parts.map(({ inputs }) => inputs.get('x')?.[1])).toEqual([
      [0, 4],
      [4, 6],
    ]);
    expect(mostShards(graph, analyse(graph), everything(graph))).toBe(3);
  });

  test('go through a Flatten as runs of elements, and share the work', async () => {
    const graph = await readGraph(
      afterConv((b) => b.node('Flatten', ['a'], ['y']).output('a').output('y')).encode(),
    );
    const analysis = analyse(graph);
    const parts = await tiles(graph, [1, 3]);
    expect(ranges(parts, 'a', 1)).toEqual([
      [0, 2],
      [2, 8],
    ]);
    expect(ranges(parts, 'y', 1)).toEqual([
      [0, 72],
      [72, 288],
    ]);
    const all = analysis.blockMacs(everything(graph));
    expect(parts.map(({ macs }) => macs / all)).toEqual([0.25, 0.75]);
    expect(new Set(parts.map(({ pattern }) => pattern)).size).toBe(2);
  });
});

test('a skip is read by its own channels, what one shard has is views along the first axis', async () => {
  const model = afterConv((b) =>
    b.input('s', [1, 8, 6, 6]).node('Add', ['a', 's'], ['y']).output('y'),
  ).encode();
  const graph = await readGraph(model);
  const block = everything(graph);
  const [, last] = await tiles(graph, [1, 1]);
  expect([...(last?.inputs ?? [])].map(([name, region]) => [name, region[1]])).toEqual([
    ['x', [0, 4]],
    ['s', [4, 8]],
  ]);
  const piece = shardPiece(graph, analyse(graph), block, last as Tile);
  const weights = piece.graph.constants.get('w')?.bytes() as Uint8Array;
  const all = graph.constants.get('w')?.bytes() as Uint8Array;
  expect(weights.byteLength).toBe(all.byteLength / 2);
  expect(weights.buffer).toBe(all.buffer);
  expect(piece.graph.tensors.get('a')?.shape).toEqual([1, 4, 6, 6]);
});

test('weights in a file are read by the shard that needs them, and part by part', async () => {
  const graph = await readGraph(afterConv((b) => b.output('a')).encode());
  const { dtype, shape, byteLength, bytes } = graph.constants.get('w') as Constant;
  const reads: [number, number][] = [];
  const inFile = partedConstant('w', dtype, shape, (offset, length) => {
    reads.push([offset, length]);
    return bytes().subarray(offset, offset + length);
  });
  const filed = { ...graph, constants: new Map(graph.constants).set('w', inFile) };
  const [, last] = await tiles(graph, [1, 1]);
  const piece = shardPiece(filed, analyse(filed), everything(filed), last as Tile);
  const own = piece.graph.constants.get('w') as Constant;
  reads.length = 0;
  expect(own.part?.(8, 16)).toEqual(bytes().subarray(byteLength / 2 + 8, byteLength / 2 + 24));
  expect(own.bytes()).toEqual(bytes().subarray(byteLength / 2));
  expect(reads).toEqual([
    [byteLength / 2 + 8, 16],
    [byteLength / 2, byteLength / 2],
  ]);
});

test('what comes before the channels and only moves elements is done in every shard', async () => {
  const model = new ModelBuilder()
    .input('x', [1, 4, 3, 3])
    .ints('flat', [1, 36])
    .random('w', [36, 300])
    .node('Reshape', ['x', 'flat'], ['r'])
    .node('Gemm', ['r', 'w'], ['g'])
    .node('Relu', ['g'], ['y'])
    .output('y')
    .encode();
  const graph = await readGraph(model);
  const reference = await runModel(model, graph.inputs);
  const { outputs, weights } = await runSharded(graph, [2, 1]);
  expect(difference(outputs.get('y'), reference.get('y'))).toBeLessThanOrEqual(1e-6);
  expect(weights).toEqual([36 * 200 * 4, 36 * 100 * 4]);
});

describe('is refused', () => {
  test.each<[string, RegExp, () => ModelBuilder]>([
    [
      'for a second convolution',
      /"Conv_\d+": it reads all channels/,
      () => afterConv((b) => b.random('v', [8, 8, 1, 1]).node('Conv', ['a', 'v'], ['y']).output('y')),
    ],
    [
      'where channels meet',
      /Softmax/,
      () => afterConv((b) => b.node('Softmax', ['a'], ['y'], { axis: 1 }).output('y')),
    ],
    [
      'where a skip is the input itself',
      /reads some channels of "x"/,
      () =>
        new ModelBuilder()
          .input('x', MAP)
          .random('w', [4, 4, 3, 3])
          .node('Conv', ['x', 'w'], ['a'], pads)
          .node('Add', ['a', 'x'], ['y'])
          .output('y'),
    ],
    [
      'where nothing makes channels',
      /no Conv, ConvTranspose, Gemm or MatMul/,
      () => new ModelBuilder().input('x', MAP).node('Relu', ['x'], ['y']).output('y'),
    ],
    [
      'for a product of two inputs',
      /MatMul/,
      () =>
        new ModelBuilder()
          .input('x', [2, 3])
          .input('z', [3, 4])
          .node('MatMul', ['x', 'z'], ['y'])
          .output('y'),
    ],
    [
      'for a single channel',
      /cannot be parted/,
      () =>
        new ModelBuilder().input('x', [1, 3]).random('w', [3, 1]).node('Gemm', ['x', 'w'], ['y']).output('y'),
    ],
    [
      'where an output is made whole',
      /output "m" is not made channel by channel/,
      () => afterConv((b) => b.node('Relu', ['x'], ['m']).node('Tanh', ['a'], ['y']).output('m').output('y')),
    ],
    [
      'where two heads make channels',
      /it makes other channels/,
      () =>
        afterConv((b) => b.random('v', [5, 4, 1, 1]).node('Conv', ['x', 'v'], ['y']).output('a').output('y')),
    ],
    [
      'where pooling comes first',
      /every shard would repeat it/,
      () =>
        new ModelBuilder()
          .input('x', MAP)
          .random('w', [8, 4, 3, 3])
          .node('MaxPool', ['x'], ['p'], { kernel_shape: [2, 2] })
          .node('Conv', ['p', 'w'], ['y'], pads)
          .output('y'),
    ],
    [
      'where a batch mixes the order of channels',
      /mixes the order/,
      () =>
        new ModelBuilder()
          .input('x', [2, 4, 6, 6])
          .random('w', [8, 4, 3, 3])
          .node('Conv', ['x', 'w'], ['a'], pads)
          .node('Flatten', ['a'], ['y'], { axis: 2 })
          .output('y'),
    ],
  ])('%s', async (_, reason, builder) => {
    expect(await refusal(builder())).toMatch(reason);
  });

  test('with the block and the reason by shardBlock', async () => {
    const graph = await readGraph(
      afterConv((b) => b.node('Softmax', ['a'], ['y'], { axis: 1 }).output('y')).encode(),
    );
    await expect(tiles(graph, [1, 1])).rejects.toEqual(
      problem('tiling-refused', 'block 0 cannot be sharded'),
    );
  });
});
