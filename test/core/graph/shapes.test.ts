/** Awkward operators, one small model each: types and values must be those of ONNX Runtime. */

import { describe, expect, it } from 'vitest';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import { encodeGraph } from '../../support/encode-graph.ts';
import { compareTypes, difference, runModel } from '../../support/graph-reference.ts';
import { type AttributeInit, float, ModelBuilder } from '../../support/model-builder.ts';
import { problem } from '../../support/tensors.ts';

/** Types as ONNX Runtime makes them, and the same values from the graph written back. */
async function agrees(model: Uint8Array): Promise<void> {
  const graph = await readGraph(model);
  const { wrong, made } = await compareTypes(model, graph);
  expect(wrong).toEqual([]);
  const written = await runModel(encodeGraph(graph), graph.inputs);
  for (const { name } of graph.outputs) {
    expect(difference(written.get(name), made.get(name))).toBeLessThanOrEqual(1e-5);
  }
}

interface OneNode {
  readonly opset?: number;
  readonly x?: readonly number[];
  readonly attributes?: Readonly<Record<string, AttributeInit>>;
  /** Inputs behind the first: '' for one left out, numbers for int64 constants, a shape for random weights. */
  readonly more?: readonly (
    | ''
    | { ints: readonly number[] }
    | { floats: readonly number[] }
    | { weights: readonly number[] }
  )[];
  readonly outputs?: number;
  readonly domain?: string;
}

function oneNode(
  op: string,
  { opset = 17, x = [1, 4, 9, 11], attributes = {}, more = [], outputs = 1, domain = '' }: OneNode,
) {
  const builder = new ModelBuilder(opset).input('x', x);
  if (domain !== '') builder.opset(domain, 1);
  const names = more.map((item, index) => {
    if (item === '') return '';
    if ('ints' in item) builder.ints(`i${index}`, item.ints);
    else if ('floats' in item) builder.constant(`i${index}`, [item.floats.length], item.floats);
    else builder.random(`i${index}`, item.weights);
    return `i${index}`;
  });
  const made = Array.from({ length: outputs }, (_, index) => `y${index}`);
  builder.node(op, ['x', ...names], made, attributes, domain);
  for (const name of made) builder.output(name);
  return builder.encode();
}

function cases(op: string, list: readonly OneNode[]): void {
  describe(op, () => {
    for (const one of list) {
      it(JSON.stringify(one), () => agrees(oneNode(op, one)));
    }
  });
}

const AUTO = ['SAME_UPPER', 'SAME_LOWER', 'VALID'] as const;
const filters = { weights: [6, 4, 3, 2] };

cases('Conv', [
  { more: [filters] },
  {
    more: [filters, { weights: [6] }],
    attributes: { strides: [2, 3], pads: [1, 0, 2, 1], dilations: [2, 1] },
  },
  { more: [{ weights: [4, 1, 3, 3] }], attributes: { group: 4, kernel_shape: [3, 3] } },
  { more: [{ weights: [2, 4, 5] }], x: [2, 4, 9], attributes: { pads: [2, 2] } },
  { more: [{ weights: [2, 4, 2, 2, 2] }], x: [1, 4, 5, 6, 7] },
  ...AUTO.flatMap((autoPad) =>
    [
      [1, 1],
      [2, 3],
      [4, 4],
      [5, 2],
    ].map((strides) => ({ more: [filters], attributes: { auto_pad: autoPad, strides } })),
  ),
  ...[7, 8, 10].map((extent) => ({
    x: [1, 4, extent, extent],
    more: [{ weights: [2, 4, 1, 1] }],
    attributes: { auto_pad: 'SAME_LOWER', strides: [3, 4] },
  })),
  {
    more: [{ weights: [2, 4, 1, 1] }],
    x: [1, 4, 7, 7],
    attributes: { auto_pad: 'SAME_UPPER', strides: [4, 4] },
  },
]);

cases('ConvTranspose', [
  { more: [{ weights: [4, 3, 3, 2] }] },
  {
    more: [{ weights: [4, 3, 3, 2] }],
    attributes: { strides: [2, 3], pads: [1, 0, 0, 1], output_padding: [1, 2] },
  },
  { more: [{ weights: [4, 2, 3, 3] }], attributes: { group: 2, dilations: [2, 1] } },
  ...AUTO.map((autoPad) => ({
    more: [{ weights: [4, 3, 4, 3] }],
    attributes: { auto_pad: autoPad, strides: [2, 2] },
  })),
  ...['NOTSET', 'SAME_UPPER', 'SAME_LOWER'].flatMap((autoPad) =>
    [
      [18, 22],
      [17, 20],
      [20, 25],
    ].map((outputShape) => ({
      more: [{ weights: [4, 3, 3, 4] }],
      attributes: { auto_pad: autoPad, strides: [2, 2], output_shape: outputShape },
    })),
  ),
]);

for (const op of ['MaxPool', 'AveragePool']) {
  cases(op, [
    { attributes: { kernel_shape: [3, 2] } },
    { attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 1, 1, 0] } },
    ...[0, 1].flatMap((ceilMode) =>
      [
        [2, 2],
        [3, 4],
        [5, 3],
      ].map((strides) => ({
        attributes: { kernel_shape: [3, 3], strides, ceil_mode: ceilMode, pads: [1, 1, 1, 1] },
      })),
    ),
    ...AUTO.flatMap((autoPad) =>
      [
        [1, 1],
        [2, 3],
        [4, 2],
      ].map((strides) => ({ attributes: { kernel_shape: [3, 2], strides, auto_pad: autoPad } })),
    ),
    ...AUTO.map((autoPad) => ({
      attributes: { kernel_shape: [2, 2], strides: [2, 2], auto_pad: autoPad, ceil_mode: 1 },
    })),
  ]);
}
cases('AveragePool', [
  {
    attributes: {
      kernel_shape: [3, 3],
      strides: [2, 2],
      ceil_mode: 1,
      count_include_pad: 1,
      pads: [1, 1, 1, 1],
    },
  },
  { opset: 19, attributes: { kernel_shape: [2, 2], dilations: [2, 3], ceil_mode: 1, strides: [2, 2] } },
]);
cases('MaxPool', [
  { attributes: { kernel_shape: [3, 3], dilations: [2, 1] }, outputs: 2 },
  { attributes: { kernel_shape: [3, 3], dilations: [2, 2], auto_pad: 'SAME_UPPER' } },
]);
cases('LpPool', [{ opset: 18, attributes: { kernel_shape: [2, 2], strides: [2, 2], p: 2, ceil_mode: 1 } }]);

cases('Slice', [
  { opset: 9, attributes: { starts: [1, -4], ends: [-1, 1000], axes: [2, 3] } },
  { opset: 9, attributes: { starts: [0, 1], ends: [1, 3] } },
  { more: [{ ints: [1] }, { ints: [2 ** 63] }, { ints: [-2] }, { ints: [2] }] },
  { more: [{ ints: [-1, 8] }, { ints: [-(2 ** 63), 1] }, { ints: [3, 2] }, { ints: [-1, -2] }] },
  { more: [{ ints: [0, 1] }, { ints: [1, 3] }] },
]);
cases('Split', [
  { opset: 11, outputs: 2, attributes: { axis: 1 } },
  { opset: 11, outputs: 2, attributes: { axis: 1, split: [1, 3] } },
  { opset: 13, outputs: 2, attributes: { axis: -1 }, more: [{ ints: [5, 6] }] },
  { opset: 18, outputs: 3, attributes: { axis: 3, num_outputs: 3 } },
]);
cases('Pad', [
  { opset: 9, attributes: { pads: [0, 0, 1, 2, 0, 0, 3, -1] } },
  { opset: 9, attributes: { pads: [0, 0, 1, 2, 0, 0, 3, 4], mode: 'reflect' } },
  { opset: 9, attributes: { pads: [0, 0, 1, 2, 0, 0, 3, 4], value: float(2) } },
  { opset: 11, more: [{ ints: [0, 0, 1, 2, 0, 0, 3, 4] }, { floats: [1.5] }] },
  { opset: 18, attributes: { mode: 'edge' }, more: [{ ints: [1, 2, 3, 4] }, '', { ints: [-1, 2] }] },
  { opset: 19, attributes: { mode: 'wrap' }, more: [{ ints: [0, 0, 1, 2, 0, 0, 3, 4] }] },
]);
cases('Upsample', [
  { opset: 7, attributes: { scales: float([1, 1, 2, 2]) } },
  { opset: 9, more: [{ floats: [1, 1, 1.5, 2] }], attributes: { mode: 'linear' } },
]);
cases('Resize', [
  { opset: 10, more: [{ floats: [1, 1, 2, 0.6] }] },
  { opset: 11, more: [{ floats: [] }, { floats: [1, 1, 1.1, 2.3] }] },
  {
    opset: 11,
    more: [{ floats: [] }, { floats: [] }, { ints: [1, 4, 20, 7] }],
    attributes: { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
  },
  { opset: 13, more: ['', { floats: [1, 1, 1.7, 1.7] }], attributes: { mode: 'cubic' } },
  {
    opset: 13,
    more: [{ floats: [0, 0, 0.2, 0.1, 1, 1, 0.9, 0.7] }, { floats: [1, 1, 2, 3] }],
    attributes: { mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize' },
  },
  { opset: 18, more: ['', '', { ints: [20, 7] }], attributes: { axes: [2, 3] } },
  {
    opset: 18,
    more: ['', '', { ints: [20, 7] }],
    attributes: { axes: [3, 2], keep_aspect_ratio_policy: 'not_larger' },
  },
  {
    opset: 18,
    more: ['', '', { ints: [21, 7] }],
    attributes: { axes: [2, 3], keep_aspect_ratio_policy: 'not_smaller' },
  },
  { opset: 19, more: ['', { floats: [0.5, 2] }], attributes: { axes: [2, 3], antialias: 1, mode: 'linear' } },
]);

cases('Resize', [
  { opset: 18, more: ['', '', { ints: [21, 7] }], attributes: { axes: [-2, -1] } },
  { opset: 18, more: ['', { floats: [2, 3] }], attributes: { axes: [-2, -1] } },
]);
cases('Squeeze', [
  { opset: 11, x: [1, 4, 1, 3], attributes: { axes: [0, -2] } },
  { opset: 13, x: [1, 4, 1, 3], more: [{ ints: [2] }] },
  { opset: 13, x: [1, 4, 1, 3] },
]);
cases('Unsqueeze', [
  { opset: 11, attributes: { axes: [0, 5] } },
  { opset: 13, more: [{ ints: [-1, 1] }] },
]);
cases('Reshape', [{ more: [{ ints: [0, -1, 11] }] }, { more: [{ ints: [-1] }] }]);
cases('Flatten', [
  {},
  { attributes: { axis: 0 } },
  { attributes: { axis: -1 } },
  { attributes: { axis: 4 } },
]);
cases('Transpose', [{}, { attributes: { perm: [0, 2, 3, 1] } }]);
cases('Expand', [
  { x: [1, 4, 1, 3], more: [{ ints: [2, 1, 5, 1] }] },
  { x: [4, 1], more: [{ ints: [2, 4, 3] }] },
]);
cases('Tile', [{ more: [{ ints: [1, 2, 1, 3] }] }]);
cases('DepthToSpace', [{ attributes: { blocksize: 2 } }, { attributes: { blocksize: 2, mode: 'CRD' } }]);
cases('SpaceToDepth', [{ x: [1, 4, 6, 9], attributes: { blocksize: 3 } }]);
cases('Gather', [
  { more: [{ ints: [0, 2, -1] }], attributes: { axis: 2 } },
  { more: [{ ints: [3] }], attributes: { axis: -1 } },
]);
cases('CenterCropPad', [{ opset: 18, more: [{ ints: [12, 5] }], attributes: { axes: [2, 3] } }]);

cases('Gemm', [
  { x: [3, 4], more: [{ weights: [4, 5] }, { weights: [5] }] },
  { x: [4, 3], more: [{ weights: [5, 4] }], attributes: { transA: 1, transB: 1 } },
]);
cases('MatMul', [
  { x: [2, 1, 3, 4], more: [{ weights: [5, 4, 6] }] },
  { x: [4], more: [{ weights: [4, 6] }] },
  { x: [2, 3, 4], more: [{ weights: [4] }] },
  { x: [4], more: [{ weights: [4] }] },
]);
cases('Einsum', [
  { x: [2, 3, 4], more: [{ weights: [2, 4, 5] }], attributes: { equation: 'bij,bjk->bik' } },
  { x: [2, 3, 4], more: [{ weights: [2, 3, 4] }], attributes: { equation: '...ij,...ij->...i' } },
  { x: [3, 4], more: [{ weights: [4, 5] }], attributes: { equation: 'ij,jk' } },
]);
cases('ReduceMean', [
  { opset: 11, attributes: { axes: [2, -1], keepdims: 0 } },
  { opset: 18, more: [{ ints: [1] }] },
  { opset: 18 },
  { opset: 18, attributes: { noop_with_empty_axes: 1 } },
]);
cases('ReduceSum', [{ opset: 13, more: [{ ints: [1, 2] }], attributes: { keepdims: 0 } }]);
cases('ReduceL2', [{ opset: 11, attributes: { axes: [1] } }]);
cases('ArgMax', [{ attributes: { axis: -1, keepdims: 0 } }, { attributes: { axis: 1 } }]);
cases('TopK', [
  { opset: 9, outputs: 2, attributes: { axis: 1, k: 3 } },
  { outputs: 2, more: [{ ints: [4] }] },
]);
cases('BatchNormalization', [
  {
    x: [1, 2, 3, 3],
    more: [{ floats: [1, 2] }, { floats: [0, 1] }, { floats: [0.5, 0] }, { floats: [1, 4] }],
  },
]);
cases('InstanceNormalization', [{ more: [{ weights: [4] }, { weights: [4] }] }]);
cases('LayerNormalization', [
  { more: [{ weights: [11] }], outputs: 3 },
  { more: [{ weights: [9, 11] }], attributes: { axis: 2 } },
]);
cases('GroupNormalization', [
  { opset: 21, more: [{ weights: [4] }, { weights: [4] }], attributes: { num_groups: 2 } },
]);
cases('LRN', [{ attributes: { size: 3 } }]);
for (const op of ['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool']) cases(op, [{}]);
for (const op of ['Softmax', 'LogSoftmax', 'Hardmax'])
  cases(op, [{ opset: 11 }, { attributes: { axis: 1 } }]);
cases('PRelu', [{ more: [{ weights: [4, 1, 1] }] }]);
cases('Clip', [{ opset: 6, attributes: { min: float(0), max: float(6) } }]);
cases('DynamicQuantizeLinear', [{ outputs: 3 }]);
for (const op of [
  'Relu',
  'LeakyRelu',
  'Elu',
  'Selu',
  'Sigmoid',
  'HardSigmoid',
  'Softplus',
  'Softsign',
  'Erf',
  'Tanh',
  'Exp',
  'Sqrt',
  'Abs',
  'Neg',
  'Floor',
  'Ceil',
  'Round',
  'Sign',
  'Reciprocal',
  'Celu',
  'ThresholdedRelu',
  'HardSwish',
  'Mish',
  'IsNaN',
]) {
  cases(op, [{ opset: 18 }]);
}
cases('Gelu', [{ opset: 20 }, { domain: 'com.microsoft' }]);
cases('Add', [{ x: [4, 1, 11], more: [{ weights: [2, 1, 5, 1] }] }]);
cases('Greater', [{ x: [4, 1], more: [{ weights: [3] }] }]);
cases('Max', [{ x: [4, 1], more: [{ weights: [3] }, { weights: [2, 1, 1] }] }]);
cases('Cast', [{ attributes: { to: 7 } }, { attributes: { to: 10 } }, { attributes: { to: 9 } }]);
cases('LSTM', [
  {
    x: [5, 2, 3],
    outputs: 3,
    more: [{ weights: [2, 16, 3] }, { weights: [2, 16, 4] }],
    attributes: { hidden_size: 4, direction: 'bidirectional' },
  },
]);

it('refuses a keep_aspect_ratio_policy along negative axes', async () => {
  const attributes = { axes: [-2, -1], keep_aspect_ratio_policy: 'not_smaller' };
  const model = oneNode('Resize', { opset: 18, more: ['', '', { ints: [21, 7] }], attributes });
  await expect(readGraph(model)).rejects.toEqual(problem('model-unsupported', 'negative axes'));
});
