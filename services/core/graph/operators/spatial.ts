/** Operators that read a window of rows and columns. */

import { numberAttribute } from '../attributes.ts';
import type { DType } from '../types.ts';
import { type AxisWindow, convWindows, deconvWindows, poolWindows } from '../window.ts';
import {
  contradiction,
  type InferContext,
  type MacContext,
  type OperatorRow,
  operator,
  required,
  type TensorType,
} from './row.ts';

const product = (list: readonly number[]) => list.reduce((a, b) => a * b, 1);
const outputs = (windows: readonly AxisWindow[]) => windows.map((window) => window.output);

function convType(context: InferContext, x: TensorType, w: TensorType, dtype: DType): readonly TensorType[] {
  const { node } = context;
  const [batch, channels, ...spatial] = x.shape as [number, number, ...number[]];
  const [filters, perGroup, ...kernel] = w.shape as [number, number, ...number[]];
  const groups = numberAttribute(node, 'group', 1);
  if (
    spatial.length < 1 ||
    kernel.length !== spatial.length ||
    perGroup * groups !== channels ||
    filters % groups !== 0
  ) {
    throw contradiction(
      node,
      `input [${x.shape.join(', ')}], weights [${w.shape.join(', ')}] and group ${groups} do not fit`,
    );
  }
  return [{ dtype, shape: [batch, filters, ...outputs(convWindows(node, spatial, kernel))] }];
}

function deconvType(context: InferContext): readonly TensorType[] {
  const { node } = context;
  const x = required(context, 0);
  const w = required(context, 1);
  const [batch, channels, ...spatial] = x.shape as [number, number, ...number[]];
  const [inputs, perGroup, ...kernel] = w.shape as [number, number, ...number[]];
  const groups = numberAttribute(node, 'group', 1);
  if (
    spatial.length < 1 ||
    kernel.length !== spatial.length ||
    inputs !== channels ||
    channels % groups !== 0
  ) {
    throw contradiction(
      node,
      `input [${x.shape.join(', ')}], weights [${w.shape.join(', ')}] and group ${groups} do not fit`,
    );
  }
  return [
    { dtype: x.dtype, shape: [batch, perGroup * groups, ...outputs(deconvWindows(node, spatial, kernel))] },
  ];
}

/** Each output element reads one filter: its weights are the shape behind the first axis. */
const convMacs = (position: number) => (context: MacContext) =>
  product((context.outputs[0] as TensorType).shape) * product(required(context, position).shape.slice(1));

/** Each input element is spread over one filter. */
const deconvMacs = (context: MacContext) =>
  product(required(context, 0).shape) * product(required(context, 1).shape.slice(1));

function poolType(context: InferContext): readonly TensorType[] {
  const { node } = context;
  const x = required(context, 0);
  if (x.shape.length < 3) throw contradiction(node, `input [${x.shape.join(', ')}] has no rows`);
  const shape = [...x.shape.slice(0, 2), ...outputs(poolWindows(node, x.shape.slice(2)))];
  return [
    { dtype: x.dtype, shape },
    { dtype: 'int64', shape },
  ];
}

export const spatial: readonly OperatorRow[] = [
  operator(
    'Conv',
    'spatial',
    'Convolution: strides, dilations, groups, asymmetric pads, every auto_pad.',
    (context) => convType(context, required(context, 0), required(context, 1), required(context, 0).dtype),
    { macs: convMacs(1) },
  ),
  operator(
    'FusedConv',
    'spatial',
    'Convolution with an activation, as ONNX Runtime saves it.',
    (context) => convType(context, required(context, 0), required(context, 1), required(context, 0).dtype),
    { domain: 'com.microsoft', macs: convMacs(1) },
  ),
  operator(
    'ConvInteger',
    'spatial',
    'Convolution of 8-bit integers into 32 bits.',
    (context) => convType(context, required(context, 0), required(context, 1), 'int32'),
    { macs: convMacs(1) },
  ),
  operator(
    'QLinearConv',
    'spatial',
    'Quantised convolution.',
    (context) => convType(context, required(context, 0), required(context, 3), required(context, 7).dtype),
    { macs: convMacs(3) },
  ),
  operator(
    'ConvTranspose',
    'spatial',
    'Transposed convolution: output_padding, output_shape, every auto_pad.',
    deconvType,
    {
      macs: deconvMacs,
    },
  ),
  operator('MaxPool', 'spatial', 'Maximum over a window.', poolType),
  operator('AveragePool', 'spatial', 'Mean over a window.', poolType),
  operator('LpPool', 'spatial', 'Norm over a window.', poolType),
];
