/** Operators that make or read shapes; most are folded away when a model is read. */

import { numberAttribute, numbersAttribute, tensorAttribute } from '../attributes.ts';
import { dtypeOf } from '../dtype.ts';
import { constantNode } from '../load/constant-node.ts';
import { type InferContext, type OperatorRow, operator, required, type TensorType } from './row.ts';

type Types = readonly TensorType[] | undefined;

/** Axes `start` to `end` of a shape, as Shape-15 counts them. */
export function shapeSpan(context: Pick<InferContext, 'node'>, rank: number): readonly [number, number] {
  const clamp = (axis: number) => Math.min(Math.max(axis < 0 ? axis + rank : axis, 0), rank);
  const start = clamp(numberAttribute(context.node, 'start', 0));
  return [start, Math.max(start, clamp(numberAttribute(context.node, 'end', rank)))];
}

function shapeType(context: InferContext): Types {
  const [start, end] = shapeSpan(context, required(context, 0).shape.length);
  return [{ dtype: 'int64', shape: [end - start] }];
}

function constantOfShapeType(context: InferContext): Types {
  const shape = context.values(0);
  return shape && [{ dtype: tensorAttribute(context.node, 'value')?.dtype ?? 'float32', shape }];
}

function rangeType(context: InferContext): Types {
  const [start, limit, delta] = [0, 1, 2].map((position) => context.values(position)?.[0]);
  if (start === undefined || limit === undefined || delta === undefined) return undefined;
  return [{ dtype: required(context, 0).dtype, shape: [Math.max(0, Math.ceil((limit - start) / delta))] }];
}

function eyeLikeType(context: InferContext): Types {
  const x = required(context, 0);
  const dtype = dtypeOf(numberAttribute(context.node, 'dtype', 0)) ?? x.dtype;
  return [{ dtype, shape: x.shape }];
}

/** Random numbers have a shape of their own, or that of their input. */
function randomType(context: InferContext): Types {
  const x = context.inputs[0];
  const shape = numbersAttribute(context.node, 'shape') ?? x?.shape ?? [];
  return [{ dtype: dtypeOf(numberAttribute(context.node, 'dtype', 0)) ?? x?.dtype ?? 'float32', shape }];
}

export const shape: readonly OperatorRow[] = [
  operator('Shape', 'shape', 'Extents of a tensor; folded.', shapeType),
  operator('Size', 'shape', 'Number of elements; folded.', () => [{ dtype: 'int64', shape: [] }]),
  operator('ConstantOfShape', 'shape', 'A tensor of one number; folded.', constantOfShapeType),
  operator('Range', 'shape', 'Numbers at equal steps; folded.', rangeType),
  operator('Constant', 'shape', 'A constant; folded.', ({ node }) => [constantNode(node)]),
  operator('EyeLike', 'shape', 'Ones on a diagonal.', eyeLikeType),
  operator('RandomNormal', 'shape', 'Random numbers.', randomType),
  operator('RandomNormalLike', 'shape', 'Random numbers.', randomType),
  operator('RandomUniform', 'shape', 'Random numbers.', randomType),
  operator('RandomUniformLike', 'shape', 'Random numbers.', randomType),
];
