/** Folding: the value is the executor's, chains over shapes end as constants, what rounds is left alone. */

import { describe, expect, it } from 'vitest';
import { elementCount, readElements } from '../../../services/core/graph/dtype.ts';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { DType } from '../../../services/core/graph/types.ts';
import { encodeGraph } from '../../support/encode-graph.ts';
import { compareTypes, difference, runModel } from '../../support/graph-reference.ts';
import { type AttributeInit, ModelBuilder } from '../../support/model-builder.ts';

interface Operand {
  readonly shape: readonly number[];
  readonly values: readonly number[];
  readonly dtype?: DType;
}

const ints = (...values: number[]): Operand => ({ shape: [values.length], values, dtype: 'int64' });
const floats = (...values: number[]): Operand => ({ shape: [values.length], values });
const bools = (...values: number[]): Operand => ({ shape: [values.length], values, dtype: 'bool' });
const scalar = (value: number, dtype: DType = 'int64'): Operand => ({ shape: [], values: [value], dtype });
const grid = (shape: readonly number[], dtype: DType = 'int64'): Operand => ({
  shape,
  values: Array.from({ length: elementCount(shape) }, (_, i) => i - 3),
  dtype,
});

type Case = [
  op: string,
  operands: readonly Operand[],
  attributes?: Record<string, AttributeInit>,
  opset?: number,
];

const CASES: readonly Case[] = [
  ['Add', [grid([2, 3]), ints(10, 20, 30)]],
  ['Sub', [floats(1.1, 2.2), floats(0.3, 7e9)]],
  ['Mul', [floats(1.1, 2.2, 1e30), floats(0.3, 7, 1e30)]],
  ['Div', [ints(7, -7, 7, -7), ints(2, 2, -2, -2)]],
  ['Div', [floats(1, 2, 1), floats(3, 7, 0)]],
  ['Mod', [ints(7, -7, 7, -7), ints(3, 3, -3, -3)]],
  ['Mod', [ints(7, -7, 7, -7), ints(3, 3, -3, -3)], { fmod: 1 }],
  ['Pow', [ints(2, -3, 4), ints(10, 3, 0)]],
  ['Neg', [ints(2, -3)]],
  ['Abs', [floats(2, -3.5)]],
  ['Sign', [floats(2, -3.5, 0)]],
  ['Sqrt', [floats(2, 3, 1e-20)]],
  ['Reciprocal', [floats(3, -7)]],
  ['Floor', [floats(2.5, -2.5)]],
  ['Ceil', [floats(2.5, -2.5)]],
  ['Round', [floats(2.5, 3.5, -2.5, -0.4, 1.6)]],
  ['Min', [ints(1, 5), ints(4), ints(3, 3)]],
  ['Max', [floats(1, 5), floats(4)]],
  ['Clip', [floats(-1, 0.5, 9), scalar(0, 'float32'), scalar(6, 'float32')]],
  ['Relu', [floats(-1, 2)]],
  ['Equal', [ints(1, 2, 3), ints(1, 0, 3)]],
  ['Greater', [ints(1, 2, 3), ints(2)]],
  ['GreaterOrEqual', [ints(1, 2, 3), ints(2)]],
  ['Less', [floats(1, 2, 3), floats(2)]],
  ['LessOrEqual', [floats(1, 2, 3), floats(2)]],
  ['And', [bools(1, 1, 0, 0), bools(1, 0, 1, 0)]],
  ['Or', [bools(1, 1, 0, 0), bools(1, 0, 1, 0)]],
  ['Xor', [bools(1, 1, 0, 0), bools(1, 0, 1, 0)]],
  ['Not', [bools(1, 0)]],
  ['Where', [bools(1, 0), grid([2, 2]), scalar(9)]],
  ['Cast', [floats(1.7, -1.7, 300)], { to: 7 }],
  ['Cast', [floats(1.7, -0, 0.3)], { to: 9 }],
  ['Cast', [floats(0.1, 65519, 1e-7)], { to: 10 }],
  ['Cast', [ints(2 ** 40, 3)], { to: 1 }],
  ['ReduceProd', [grid([2, 3])], { axes: [1] }, 13],
  ['ReduceSum', [grid([2, 3]), ints(0)], { keepdims: 0 }],
  ['ReduceMax', [grid([2, 3], 'float32')], {}, 13],
  ['ReduceMin', [grid([2, 3], 'float32')], { axes: [-1] }, 13],
  ['Gather', [grid([2, 3, 2]), ints(2, -3)], { axis: 1 }],
  ['Gather', [ints(5, 6, 7), scalar(-1)]],
  ['Concat', [grid([2, 2]), grid([2, 3])], { axis: -1 }],
  ['Slice', [grid([3, 4]), ints(-1, 0), ints(-(2 ** 63), 2 ** 63), ints(0, 1), ints(-2, 3)]],
  ['Transpose', [grid([2, 3, 4])], { perm: [2, 0, 1] }],
  ['Transpose', [grid([2, 3])]],
  ['Expand', [grid([3, 1]), ints(2, 1, 4)]],
  ['Tile', [grid([2, 3]), ints(2, 2)]],
  ['Range', [scalar(3), scalar(-4), scalar(-2)]],
  ['Range', [scalar(0, 'float32'), scalar(1, 'float32'), scalar(0.25, 'float32')]],
  [
    'ConstantOfShape',
    [ints(2, 3)],
    {
      value: {
        name: 'v',
        dtype: 'int32',
        shape: [1],
        byteLength: 4,
        bytes: () => new Uint8Array([7, 0, 0, 0]),
      },
    },
  ],
  ['NonZero', [{ shape: [2, 3], values: [1, 0, 2, 0, 0, 3] }]],
  ['Reshape', [grid([2, 3]), ints(3, -1)]],
  ['Flatten', [grid([2, 3, 2])], { axis: 2 }],
  ['Squeeze', [grid([1, 3, 1]), ints(0)]],
  ['Unsqueeze', [grid([3]), ints(0, 2)]],
];

describe('folded values are those of ONNX Runtime', () => {
  it.each(CASES)('%s %j %j', async (op, operands, attributes = {}, opset = 17) => {
    const builder = new ModelBuilder(opset).input('x', [1]);
    for (const [index, { shape, values, dtype }] of operands.entries())
      builder.constant(`c${index}`, shape, values, dtype);
    builder.node(
      op,
      operands.map((_, index) => `c${index}`),
      ['folded'],
      attributes,
    );
    // What makes an output of the graph is never folded, so that it shows its constant input.
    const bytes = builder.ints('flat', [-1]).node('Reshape', ['folded', 'flat'], ['y']).output('y').encode();
    const graph = await readGraph(bytes);
    expect(graph.nodes.map((node) => node.op)).toEqual(['Reshape']);
    const constant = graph.constants.get('folded');
    const made = (await runModel(bytes, graph.inputs, ['folded'])).get('folded');
    expect([constant?.dtype, constant?.shape]).toEqual([made?.dtype, made?.shape]);
    expect(Buffer.compare(constant?.bytes() ?? Buffer.of(), made?.bytes ?? Buffer.of())).toBe(0);
  });
});

describe('shape arithmetic', () => {
  const square = [1, 4, 6, 10];

  /** Types agree with ONNX Runtime, values survive, and only these operators are left. */
  async function leaves(
    builder: ModelBuilder,
    ops: readonly string[],
    shapes?: Map<string, number[]>,
  ): Promise<void> {
    const bytes = builder.encode();
    const graph = await readGraph(bytes, shapes ? { shapes } : {});
    expect(graph.nodes.map((node) => node.op)).toEqual(ops);
    const { wrong, made } = await compareTypes(bytes, graph);
    expect(wrong).toEqual([]);
    const written = await runModel(encodeGraph(graph), graph.inputs);
    for (const { name } of graph.outputs) expect(difference(written.get(name), made.get(name))).toBe(0);
  }

  it('a flattening by Shape, Gather, Unsqueeze and Concat becomes a Reshape by constants', () =>
    leaves(
      new ModelBuilder(11)
        .input('x', ['n', 4, 'h', 'w'])
        .node('Shape', ['x'], ['s'])
        .constant('zero', [], [0], 'int64')
        .node('Gather', ['s', 'zero'], ['n'])
        .node('Unsqueeze', ['n'], ['n1'], { axes: [0] })
        .ints('rest', [-1])
        .node('Concat', ['n1', 'rest'], ['shape'], { axis: 0 })
        .node('Reshape', ['x', 'shape'], ['y'])
        .output('y'),
      ['Reshape'],
      new Map([['x', [2, 4, 6, 10]]]),
    ));

  it('a Resize to twice the size by Shape, Slice, Cast, Mul and Concat', () =>
    leaves(
      new ModelBuilder(13)
        .input('x', square)
        .node('Shape', ['x'], ['s'])
        .ints('a0', [0])
        .ints('a2', [2])
        .ints('a4', [4])
        .node('Slice', ['s', 'a0', 'a2', 'a0'], ['front'])
        .node('Slice', ['s', 'a2', 'a4', 'a0'], ['size'])
        .node('Cast', ['size'], ['sizef'], { to: 1 })
        .constant('two', [1], [2])
        .node('Mul', ['sizef', 'two'], ['bigf'])
        .node('Floor', ['bigf'], ['floored'])
        .node('Cast', ['floored'], ['big'], { to: 7 })
        .node('Concat', ['front', 'big'], ['sizes'], { axis: 0 })
        .node('Resize', ['x', '', '', 'sizes'], ['y'])
        .output('y'),
      ['Resize'],
    ));

  it('Shape-15 with start and end, Size, and a Split along the channels', () =>
    leaves(
      new ModelBuilder(15)
        .input('x', square)
        .node('Shape', ['x'], ['s'], { start: 1, end: -1 })
        .ints('two', [2])
        .node('Div', ['s', 'two'], ['half'])
        .ints('zero', [0])
        .node('Gather', ['half', 'zero'], ['c'])
        .node('Concat', ['c', 'c'], ['parts'], { axis: 0 })
        .node('Split', ['x', 'parts'], ['a', 'b'], { axis: 1 })
        .node('Size', ['a'], ['size'])
        .node('Cast', ['size'], ['count'], { to: 1 })
        .node('Div', ['b', 'count'], ['y'])
        .output('y')
        .output('a'),
      ['Split', 'Div'],
    ));

  it('an Expand by Equal, Where and ConstantOfShape, as PyTorch writes it', () =>
    leaves(
      new ModelBuilder(13)
        .input('x', [1, 4, 1, 1])
        .ints('wanted', [-1, 4, 3, 5])
        .ints('rank', [4])
        .node('ConstantOfShape', ['rank'], ['ones'], {
          value: {
            name: 'v',
            dtype: 'int64',
            shape: [1],
            byteLength: 8,
            bytes: () => new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]),
          },
        })
        .ints('minus', [-1])
        .node('Mul', ['ones', 'minus'], ['marks'])
        .node('Equal', ['wanted', 'marks'], ['open'])
        .node('Where', ['open', 'ones', 'wanted'], ['shape'])
        .node('Expand', ['x', 'shape'], ['y'])
        .output('y'),
      ['Expand'],
    ));

  it('a Pad by ConstantOfShape and a reversed, transposed list, as PyTorch writes it', () =>
    leaves(
      new ModelBuilder(13)
        .input('x', square)
        .ints('given', [1, 2, 3, 4])
        .ints('four', [4])
        .node('ConstantOfShape', ['four'], ['zeros'], {
          value: { name: 'v', dtype: 'int64', shape: [1], byteLength: 8, bytes: () => new Uint8Array(8) },
        })
        .node('Concat', ['given', 'zeros'], ['all'], { axis: 0 })
        .ints('pairs', [-1, 2])
        .node('Reshape', ['all', 'pairs'], ['table'])
        .ints('m1', [-1])
        .ints('low', [-(2 ** 63)])
        .ints('z', [0])
        .node('Slice', ['table', 'm1', 'low', 'z', 'm1'], ['reversed'])
        .node('Transpose', ['reversed'], ['columns'], { perm: [1, 0] })
        .node('Reshape', ['columns', 'm1'], ['flat'])
        .node('Cast', ['flat'], ['pads'], { to: 7 })
        .node('Pad', ['x', 'pads'], ['y'])
        .output('y'),
      ['Pad'],
    ));
});

describe('what is left alone', () => {
  it('numbers beyond what a double holds', async () => {
    const value = {
      name: 'v',
      dtype: 'int64',
      shape: [1],
      byteLength: 8,
      bytes: () => new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0x40]),
    } as const;
    const model = new ModelBuilder()
      .input('x', [1], 'int64')
      .node('Constant', [], ['big'], { value })
      .ints('one', [1])
      .node('Add', ['big', 'one'], ['sum'])
      .node('Add', ['x', 'sum'], ['y'])
      .output('y')
      .encode();
    const graph = await readGraph(model);
    expect(graph.nodes.map((node) => node.op)).toEqual(['Add', 'Add']);
    expect(graph.constants.get('big')?.bytes()[0]).toBe(1);
  });

  it('operators that round differently elsewhere', async () => {
    const model = new ModelBuilder()
      .input('x', [2])
      .constant('c', [2], [1, 2])
      .node('Exp', ['c'], ['e'])
      .node('Add', ['x', 'e'], ['y'])
      .output('y')
      .encode();
    expect((await readGraph(model)).nodes.map((node) => node.op)).toEqual(['Exp', 'Add']);
  });
});

describe('large constants', () => {
  it('are folded without being made', async () => {
    const side = 3000;
    const model = new ModelBuilder()
      .input('x', [side, side])
      .ints('shape', [side, side])
      .node('ConstantOfShape', ['shape'], ['zeros'])
      .constant('half', [1], [0.5])
      .node('Add', ['zeros', 'half'], ['halves'])
      .ints('swapped', [1, side * side])
      .node('Reshape', ['halves', 'swapped'], ['row'])
      .ints('back', [side, side])
      .node('Reshape', ['row', 'back'], ['w'])
      .node('MatMul', ['x', 'w'], ['y'])
      .output('y')
      .encode();
    const graph = await readGraph(model);
    expect(graph.nodes.map((node) => node.op)).toEqual(['MatMul']);
    const w = graph.constants.get('w');
    expect(w).toMatchObject({ shape: [side, side], byteLength: 4 * side * side });
    const values = readElements('float32', w?.bytes() ?? Buffer.of());
    expect([values.length, values[0], values.at(-1)]).toEqual([side * side, 0.5, 0.5]);
  });
});

describe('seeded weights', () => {
  const model = new ModelBuilder(9)
    .input('x', [1, 3, 8, 8])
    .ints('shape', [4, 3, 3, 3])
    .ints('four', [4])
    .node('ConstantOfShape', ['shape'], ['w'])
    .node('ConstantOfShape', ['four'], ['bias'])
    .node('Conv', ['x', 'w', 'bias'], ['c'])
    .node('ConstantOfShape', ['four'], ['variance'])
    .node('BatchNormalization', ['c', 'bias', 'bias', 'bias', 'variance'], ['b'])
    .ints('front', [1, 2, 6, 6])
    .node('ConstantOfShape', ['front'], ['zeros'])
    .node('Concat', ['b', 'zeros'], ['y'], { axis: 1 })
    .output('y')
    .encode();
  const weights = async (name: string, fillSeed?: number) => {
    const graph = await readGraph(model, fillSeed === undefined ? {} : { fillSeed });
    return [...readElements('float32', graph.constants.get(name)?.bytes() ?? Buffer.of())];
  };

  it('are constant without a seed', async () => {
    expect(new Set(await weights('w'))).toEqual(new Set([0]));
  });

  it('depend on the seed and the name alone', async () => {
    expect(await weights('w', 1)).toEqual(await weights('w', 1));
    expect(await weights('w', 1)).not.toEqual(await weights('w', 2));
    expect(new Set(await weights('w', 1)).size).toBe(108);
  });

  it('fit their use: weights by fan-in, variances positive, what is no parameter left constant', async () => {
    const bound = Math.sqrt(6 / 27);
    const w = await weights('w', 3);
    expect(Math.max(...w.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...w)).toBeGreaterThan(bound / 2);
    expect(Math.min(...w)).toBeLessThan(-bound / 2);
    expect(Math.min(...(await weights('variance', 3)))).toBeGreaterThan(0.5);
    expect(new Set(await weights('zeros', 3))).toEqual(new Set([0]));
  });
});
