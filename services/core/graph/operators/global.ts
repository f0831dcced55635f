/** Operators that need a whole tensor, or a whole axis of it. */

import { numberAttribute, numbersAttribute, stringAttribute } from '../attributes.ts';
import { dtypeOf } from '../dtype.ts';
import { einsumShape } from '../einsum-shape.ts';
import {
  broadcast,
  contradiction,
  type InferContext,
  type MacContext,
  normalAxis,
  type OperatorRow,
  operator,
  required,
  sameAsFirst,
  type TensorType,
} from './row.ts';

type Types = readonly TensorType[] | undefined;

const product = (list: readonly number[]) => list.reduce((a, b) => a * b, 1);

function globalPoolType(context: InferContext): Types {
  const x = required(context, 0);
  return [{ dtype: x.dtype, shape: x.shape.map((extent, axis) => (axis < 2 ? extent : 1)) }];
}

/** Mean and inverse deviation, the optional outputs, have extent 1 from `axis` on. */
function layerNormType(context: InferContext): Types {
  const x = required(context, 0);
  const axis = normalAxis(context.node, numberAttribute(context.node, 'axis', -1), x.shape.length);
  const stash = dtypeOf(numberAttribute(context.node, 'stash_type', 1)) ?? 'float32';
  const reduced = { dtype: stash, shape: x.shape.map((extent, at) => (at < axis ? extent : 1)) };
  return [x, reduced, reduced];
}

/** numpy's matmul: vectors gain an axis and lose it again, leading axes broadcast. Throws `model-shape`. */
function matMulShape(context: InferContext, a: readonly number[], b: readonly number[]): number[] {
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const inner = left.at(-1);
  if (left.length < 2 || right.length < 2 || inner !== right.at(-2)) {
    throw contradiction(context.node, `[${a.join(', ')}] and [${b.join(', ')}] do not multiply`);
  }
  const shape = broadcast(context.node, [left.slice(0, -2), right.slice(0, -2)]);
  if (a.length > 1) shape.push(left.at(-2) as number);
  if (b.length > 1) shape.push(right.at(-1) as number);
  return shape;
}

function matMulType(context: InferContext): Types {
  const a = required(context, 0);
  return [{ dtype: a.dtype, shape: matMulShape(context, a.shape, required(context, 1).shape) }];
}

/** Each output element sums over the last axis of the first input. */
const matMulMacs = (context: MacContext) =>
  product((context.outputs[0] as TensorType).shape) * (required(context, 0).shape.at(-1) ?? 0);

function gemmType(context: InferContext): Types {
  const { node } = context;
  const a = required(context, 0);
  const b = required(context, 1);
  const [a0, a1] = numberAttribute(node, 'transA', 0) ? [...a.shape].reverse() : a.shape;
  const [b0, b1] = numberAttribute(node, 'transB', 0) ? [...b.shape].reverse() : b.shape;
  if (a.shape.length !== 2 || b.shape.length !== 2 || a1 !== b0) {
    throw contradiction(node, `[${a.shape.join(', ')}] and [${b.shape.join(', ')}] do not multiply`);
  }
  return [{ dtype: a.dtype, shape: [a0 as number, b1 as number] }];
}

const gemmMacs = (context: MacContext) => {
  const a = required(context, 0).shape;
  const inner = numberAttribute(context.node, 'transA', 0) ? a[0] : a[1];
  return product((context.outputs[0] as TensorType).shape) * (inner ?? 0);
};

/** Axes as an attribute or as input 1 (ReduceSum from opset 13, the others from 18). */
function reduceType(context: InferContext): Types {
  const { node } = context;
  const x = required(context, 0);
  const axes = numbersAttribute(node, 'axes') ?? (context.inputs[1] === undefined ? [] : context.values(1));
  if (axes === undefined) return undefined;
  if (axes.length === 0 && numberAttribute(node, 'noop_with_empty_axes', 0) !== 0) return [x];
  const gone = new Set(
    axes.length === 0 ? x.shape.keys() : axes.map((axis) => normalAxis(node, axis, x.shape.length)),
  );
  return [{ dtype: x.dtype, shape: withoutAxes(x.shape, gone, numberAttribute(node, 'keepdims', 1) !== 0) }];
}

function withoutAxes(shape: readonly number[], gone: ReadonlySet<number>, keep: boolean): number[] {
  return shape.flatMap((extent, axis) => (gone.has(axis) ? (keep ? [1] : []) : [extent]));
}

function argType(context: InferContext): Types {
  const { node } = context;
  const x = required(context, 0);
  const axis = normalAxis(node, numberAttribute(node, 'axis', 0), x.shape.length);
  const keep = numberAttribute(node, 'keepdims', 1) !== 0;
  return [{ dtype: 'int64', shape: withoutAxes(x.shape, new Set([axis]), keep) }];
}

function topKType(context: InferContext): Types {
  const { node } = context;
  const x = required(context, 0);
  const k = numberAttribute(node, 'k') ?? context.values(1)?.[0];
  if (k === undefined) return undefined;
  const axis = normalAxis(node, numberAttribute(node, 'axis', -1), x.shape.length);
  const shape = x.shape.map((extent, at) => (at === axis ? k : extent));
  return [
    { dtype: x.dtype, shape },
    { dtype: 'int64', shape },
  ];
}

function oneHotType(context: InferContext): Types {
  const indices = required(context, 0).shape;
  const depth = context.values(1)?.[0];
  if (depth === undefined) return undefined;
  const axis = normalAxis(context.node, numberAttribute(context.node, 'axis', -1), indices.length + 1);
  return [
    { dtype: required(context, 2).dtype, shape: [...indices.slice(0, axis), depth, ...indices.slice(axis)] },
  ];
}

function einsumType(context: InferContext): Types {
  const inputs = context.inputs.map((_, position) => required(context, position));
  const equation = stringAttribute(context.node, 'equation', '');
  return [
    {
      dtype: required(context, 0).dtype,
      shape: einsumShape(
        context.node,
        equation,
        inputs.map((input) => input.shape),
      ),
    },
  ];
}

/** LSTM, GRU and RNN: [steps, directions, batch, hidden], and the last states. */
function recurrentType(context: InferContext): Types {
  const { node } = context;
  const x = required(context, 0);
  const recurrence = required(context, 2);
  const [directions, hidden] = [recurrence.shape[0] ?? 1, recurrence.shape[2] ?? 0];
  const batchFirst = numberAttribute(node, 'layout', 0) !== 0;
  const [steps, batch] = (batchFirst ? [x.shape[1], x.shape[0]] : [x.shape[0], x.shape[1]]) as [
    number,
    number,
  ];
  const all = batchFirst ? [batch, steps, directions, hidden] : [steps, directions, batch, hidden];
  const last = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
  return [all, last, last].map((shape) => ({ dtype: x.dtype, shape }));
}

const dynamicQuantize = (context: InferContext): Types => [
  { dtype: 'uint8', shape: required(context, 0).shape },
  { dtype: 'float32', shape: [] },
  { dtype: 'uint8', shape: [] },
];

const reduce = (op: string, summary: string) => operator(op, 'global', summary, reduceType);
const dataDependent = () => undefined;

function nonZeroType(context: InferContext): Types {
  const count = context.values(0)?.filter((value) => value !== 0).length;
  return count === undefined
    ? undefined
    : [{ dtype: 'int64', shape: [required(context, 0).shape.length, count] }];
}

export const global: readonly OperatorRow[] = [
  operator('GlobalAveragePool', 'global', 'Mean of each channel.', globalPoolType),
  operator('GlobalMaxPool', 'global', 'Maximum of each channel.', globalPoolType),
  operator('GlobalLpPool', 'global', 'Norm of each channel.', globalPoolType),
  operator(
    'InstanceNormalization',
    'global',
    'Normalisation of each channel over all positions.',
    sameAsFirst,
  ),
  operator(
    'GroupNormalization',
    'global',
    'Normalisation of groups of channels over all positions.',
    sameAsFirst,
  ),
  operator('LayerNormalization', 'global', 'Normalisation over the last axes.', layerNormType),
  operator('RMSNormalization', 'global', 'Division by the root mean square over the last axes.', sameAsFirst),
  operator('MeanVarianceNormalization', 'global', 'Normalisation over given axes.', sameAsFirst),
  operator('MatMul', 'global', 'Matrix product.', matMulType, { macs: matMulMacs }),
  operator(
    'MatMulInteger',
    'global',
    'Matrix product of 8-bit integers into 32 bits.',
    (context) => [
      { dtype: 'int32', shape: matMulShape(context, required(context, 0).shape, required(context, 1).shape) },
    ],
    { macs: matMulMacs },
  ),
  operator(
    'QLinearMatMul',
    'global',
    'Quantised matrix product.',
    (context) => [
      {
        dtype: required(context, 7).dtype,
        shape: matMulShape(context, required(context, 0).shape, required(context, 3).shape),
      },
    ],
    { macs: matMulMacs },
  ),
  operator('Gemm', 'global', 'Matrix product with a bias.', gemmType, { macs: gemmMacs }),
  operator('Einsum', 'global', 'Sum of products by an equation.', einsumType),
  reduce('ReduceMax', 'Maximum along axes.'),
  reduce('ReduceMin', 'Minimum along axes.'),
  reduce('ReduceMean', 'Mean along axes.'),
  reduce('ReduceSum', 'Sum along axes.'),
  reduce('ReduceProd', 'Product along axes.'),
  reduce('ReduceL1', 'Sum of magnitudes along axes.'),
  reduce('ReduceL2', 'Euclidean norm along axes.'),
  reduce('ReduceSumSquare', 'Sum of squares along axes.'),
  reduce('ReduceLogSum', 'Logarithm of the sum along axes.'),
  reduce('ReduceLogSumExp', 'Logarithm of the sum of exponentials along axes.'),
  operator('ArgMax', 'global', 'Index of the greatest along an axis.', argType),
  operator('ArgMin', 'global', 'Index of the least along an axis.', argType),
  operator('TopK', 'global', 'The greatest along an axis, with their indices.', topKType),
  operator('CumSum', 'global', 'Running sums along an axis.', sameAsFirst),
  operator('CumProd', 'global', 'Running products along an axis.', sameAsFirst),
  operator('OneHot', 'global', 'A one where an index says.', oneHotType),
  operator('DynamicQuantizeLinear', 'global', 'To 8 bits by the range of the whole tensor.', dynamicQuantize),
  operator('LSTM', 'global', 'Recurrent layer.', recurrentType),
  operator('GRU', 'global', 'Recurrent layer.', recurrentType),
  operator('RNN', 'global', 'Recurrent layer.', recurrentType),
  operator('NonMaxSuppression', 'global', 'Chosen boxes; their number depends on the data.', dataDependent),
  operator('NonZero', 'global', 'Places that are not 0; their number depends on the data.', nonZeroType),
  operator('Compress', 'global', 'Chosen slices; their number depends on the data.', dataDependent),
  operator('Unique', 'global', 'Distinct elements; their number depends on the data.', dataDependent),
  operator('If', 'global', 'One of two bodies.', dataDependent),
  operator('Loop', 'global', 'A body, repeated.', dataDependent),
];
