/** What can be tiled, where rows and columns are, and why the rest cannot. */

import { describe, expect, it } from 'vitest';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { Graph } from '../../../services/core/graph/types.ts';
import { type Analysis, analyse } from '../../../services/core/tiling/analyse.ts';
import { ModelBuilder } from '../../support/model-builder.ts';

async function analysed(builder: ModelBuilder): Promise<{ graph: Graph; analysis: Analysis }> {
  const graph = await readGraph(builder.encode());
  return { graph, analysis: analyse(graph) };
}

const image = (opset = 17) => new ModelBuilder(opset).input('x', [1, 4, 11, 13]);
/** Put behind a node so that rows and columns are known: a Conv fixes them. */
const behindConv = (opset = 17) => image(opset).random('w', [4, 4, 1, 1]).node('Conv', ['x', 'w'], ['c']);

async function reasonOf(builder: ModelBuilder, op: string): Promise<string> {
  const { analysis } = await analysed(builder);
  const found = [...analysis.refusals.values()].filter((refusal) => refusal.op === op);
  expect(found.length, `${op} is refused`).toBeGreaterThan(0);
  return found[0]?.reason ?? '';
}

describe('refusals', () => {
  it.each<[string, string, RegExp, () => ModelBuilder]>([
    [
      'global pooling',
      'GlobalAveragePool',
      /pools over all rows and columns/,
      () => image().node('GlobalAveragePool', ['x'], ['y']).output('y'),
    ],
    [
      'instance normalisation',
      'InstanceNormalization',
      /normalises over all rows and columns/,
      () =>
        image()
          .random('s', [4])
          .random('b', [4])
          .node('InstanceNormalization', ['x', 's', 'b'], ['y'])
          .output('y'),
    ],
    [
      'Flatten',
      'Flatten',
      /merges rows and columns/,
      () => behindConv().node('Flatten', ['c'], ['y']).output('y'),
    ],
    [
      'Reshape of rows and columns into one',
      'Reshape',
      /do not stay axes/,
      () => behindConv().ints('s', [1, 4, -1]).node('Reshape', ['c', 's'], ['y']).output('y'),
    ],
    [
      'Gemm',
      'Gemm',
      /reads the whole input/,
      () =>
        new ModelBuilder().input('x', [2, 4]).random('w', [4, 5]).node('Gemm', ['x', 'w'], ['y']).output('y'),
    ],
    [
      'attention',
      'MatMul',
      /two tensors of the frame/,
      () =>
        behindConv()
          .node('Transpose', ['c'], ['t'], { perm: [0, 1, 3, 2] })
          .node('MatMul', ['c', 't'], ['y'])
          .output('y'),
    ],
    [
      'Softmax over columns',
      'Softmax',
      /along rows or columns/,
      () => behindConv().node('Softmax', ['c'], ['y'], { axis: 3 }).output('y'),
    ],
    [
      'Softmax that flattens before opset 13',
      'Softmax',
      /before opset 13 .* from 1 on/,
      () => behindConv(11).node('Softmax', ['c'], ['y'], { axis: 1 }).output('y'),
    ],
    [
      'Concat of rows',
      'Concat',
      /along rows or columns/,
      () => behindConv().node('Concat', ['c', 'c'], ['y'], { axis: 2 }).output('y'),
    ],
    [
      'Split of columns',
      'Split',
      /along rows or columns/,
      () =>
        behindConv()
          .ints('p', [6, 7])
          .node('Split', ['c', 'p'], ['y', 'z'], { axis: 3 })
          .output('y')
          .output('z'),
    ],
    [
      'a mean over columns',
      'ReduceMean',
      /over rows or columns/,
      () =>
        behindConv()
          .node('ReduceMean', ['c'], ['y'], { axes: [3], keepdims: 1 })
          .output('y'),
    ],
    [
      'a mean over columns that drops them',
      'ReduceMean',
      /over rows or columns/,
      () =>
        behindConv()
          .node('ReduceMean', ['c'], ['y'], { axes: [3], keepdims: 0 })
          .output('y'),
    ],
    [
      'a mean over everything',
      'ReduceMean',
      /over rows/,
      () => behindConv().node('ReduceMean', ['c'], ['y']).output('y'),
    ],
    [
      'LayerNormalization over rows',
      'LayerNormalization',
      /rows or columns among them/,
      () => behindConv().random('s', [13]).node('LayerNormalization', ['c', 's'], ['y']).output('y'),
    ],
    [
      'Pad that wraps',
      'Pad',
      /joins opposite borders/,
      () =>
        image(19)
          .random('w', [4, 4, 1, 1])
          .node('Conv', ['x', 'w'], ['c'])
          .ints('p', [0, 0, 1, 1, 0, 0, 1, 1])
          .node('Pad', ['c', 'p'], ['y'], { mode: 'wrap' })
          .output('y'),
    ],
    [
      'Slice backwards over rows',
      'Slice',
      /backwards/,
      () =>
        behindConv()
          .ints('s', [-1])
          .ints('e', [-(2 ** 63)])
          .ints('a', [2])
          .ints('t', [-1])
          .node('Slice', ['c', 's', 'e', 'a', 't'], ['y'])
          .output('y'),
    ],
    [
      'antialiased Resize',
      'Resize',
      /antialias/,
      () =>
        image(18)
          .random('w', [4, 4, 1, 1])
          .node('Conv', ['x', 'w'], ['c'])
          .constant('s', [4], [1, 1, 0.5, 0.5])
          .node('Resize', ['c', '', 's'], ['y'], { mode: 'linear', antialias: 1 })
          .output('y'),
    ],
    [
      'linear Resize of whole numbers',
      'Resize',
      /rounds to uint8/,
      () =>
        new ModelBuilder()
          .input('x', [1, 3, 8, 8], 'uint8')
          .constant('s', [4], [1, 1, 1.5, 2])
          .node('Resize', ['x', '', 's'], ['y'], { mode: 'linear' })
          .output('y', 'uint8'),
    ],
    [
      'Resize of channels',
      'Resize',
      /neither rows nor columns/,
      () =>
        behindConv()
          .constant('s', [4], [1, 2, 1, 1])
          .node('Resize', ['c', '', 's'], ['y'], { mode: 'nearest' })
          .output('y'),
    ],
    [
      'Conv of one axis',
      'Conv',
      /1 spatial axes/,
      () =>
        new ModelBuilder()
          .input('x', [1, 4, 16])
          .random('w', [4, 4, 3])
          .node('Conv', ['x', 'w'], ['y'])
          .output('y'),
    ],
    [
      'Conv of three axes',
      'Conv',
      /3 spatial axes/,
      () =>
        new ModelBuilder()
          .input('x', [1, 2, 4, 5, 6])
          .random('w', [2, 2, 1, 1, 1])
          .node('Conv', ['x', 'w'], ['y'])
          .output('y'),
    ],
    [
      'dynamic quantisation',
      'DynamicQuantizeLinear',
      /range over the whole tensor/,
      () =>
        image()
          .node('DynamicQuantizeLinear', ['x'], ['y', 's', 'z'])
          .output('y', 'uint8')
          .output('s')
          .output('z', 'uint8'),
    ],
    [
      'MaxPool whose indices are used',
      'MaxPool',
      /more than its first output/,
      () =>
        image()
          .node('MaxPool', ['x'], ['y', 'i'], { kernel_shape: [2, 2] })
          .output('y')
          .output('i', 'int64'),
    ],
    [
      'a map of one position',
      'Conv',
      /single row and column/,
      () => image().random('w', [2, 4, 11, 13]).node('Conv', ['x', 'w'], ['y']).output('y'),
    ],
    [
      'GridSample',
      'GridSample',
      /depend on the data/,
      () => image().input('g', [1, 5, 5, 2]).node('GridSample', ['x', 'g'], ['y']).output('y'),
    ],
    [
      'what depends on no input',
      'RandomNormal',
      /no region rule|does not depend/,
      () =>
        behindConv()
          .node('RandomNormal', [], ['r'], { shape: [1, 4, 1, 1] })
          .node('Add', ['c', 'r'], ['y'])
          .output('y'),
    ],
  ])('%s', async (_, op, reason, build) => {
    expect(await reasonOf(build(), op)).toMatch(reason);
  });

  it('a quantised graph runs whole between its quantisations, and a note says so', async () => {
    const { graph, analysis } = await analysed(
      behindConv()
        .constant('scale', [], [0.01])
        .constant('zero', [], [3], 'uint8')
        .node('QuantizeLinear', ['c', 'scale', 'zero'], ['q'])
        .node('DequantizeLinear', ['q', 'scale', 'zero'], ['d'])
        .node('Conv', ['d', 'w'], ['e'])
        .node('Relu', ['e'], ['y'])
        .output('y'),
    );
    expect(graph.nodes.filter(({ index }) => analysis.refusals.has(index)).map(({ op }) => op)).toEqual([
      'Conv',
      'QuantizeLinear',
      'DequantizeLinear',
      'Conv',
    ]);
    expect(analysis.notes.join()).toMatch(/quantised/);
  });

  it('weights that are dequantised once are constants', async () => {
    const { analysis } = await analysed(
      image()
        .constant('scale', [], [0.01])
        .random('q', [4, 4, 3, 3], 'int8')
        .node('DequantizeLinear', ['q', 'scale'], ['w'])
        .node('Conv', ['x', 'w'], ['y'])
        .output('y'),
    );
    expect([...analysis.refusals.values()]).toEqual([]);
    expect(analysis.notes).toEqual([]);
  });
});

describe('axes', () => {
  it('reach back through Transpose to a graph with its channels last', async () => {
    const { analysis } = await analysed(
      new ModelBuilder()
        .input('x', [1, 11, 13, 4])
        .random('s', [4])
        .random('w', [4, 4, 3, 3])
        .node('Mul', ['x', 's'], ['m'])
        .node('Transpose', ['m'], ['t'], { perm: [0, 3, 1, 2] })
        .node('Conv', ['t', 'w'], ['c'])
        .node('Transpose', ['c'], ['y'], { perm: [0, 2, 3, 1] })
        .output('y'),
    );
    expect(analysis.axes.get('x')).toEqual({ row: 1, column: 2 });
    expect(analysis.axes.get('t')).toEqual({ row: 2, column: 3 });
    expect(analysis.axes.get('y')).toEqual({ row: 1, column: 2 });
    expect(analysis.refusals.size).toBe(0);
  });

  it('follow what tiles more where no operator fixes them', async () => {
    const { analysis } = await analysed(
      new ModelBuilder()
        .input('x', [1, 11, 13, 4])
        .random('m', [4, 6])
        .node('MatMul', ['x', 'm'], ['y'])
        .node('Softmax', ['y'], ['z'], { axis: 3 })
        .output('z'),
    );
    expect(analysis.axes.get('x')).toEqual({ row: 1, column: 2 });
    expect(analysis.refusals.size).toBe(0);
  });

  it('of squeeze-and-excite do not spread from its single position', async () => {
    const { analysis } = await analysed(
      new ModelBuilder()
        .input('x', [1, 11, 13, 4])
        .input('s', [1, 1, 1, 4])
        .random('w', [4, 1, 1, 1])
        .node('Conv', ['s', 'w'], ['e'])
        .node('ReduceMax', ['e'], ['r'], { axes: [1, 2, 3] })
        .node('Mul', ['x', 'r'], ['m'])
        .random('k', [4, 3])
        .node('MatMul', ['m', 'k'], ['y'])
        .output('y'),
    );
    expect(analysis.axes.get('y')).toEqual({ row: 1, column: 2 });
  });

  it('split off by a reshape of channels stay', async () => {
    const { analysis } = await analysed(
      behindConv()
        .ints('a', [1, 2, 2, 11, 13])
        .ints('p', [1, 2, 2, 143])
        .node('Reshape', ['c', 'a'], ['r'])
        .node('Reshape', ['r', 'p'], ['y'])
        .output('y'),
    );
    expect(analysis.axes.get('r')).toEqual({ row: 3, column: 4 });
    expect(analysis.axes.has('y')).toBe(false);
  });
});
