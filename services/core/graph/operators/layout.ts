/** Operators that move elements without computing with them. */

import { numberAttribute, numbersAttribute } from '../attributes.ts';
import { elementCount } from '../dtype.ts';
import { sliceRanges } from '../slice-ranges.ts';
import {
  broadcast,
  contradiction,
  type InferContext,
  normalAxis,
  type OperatorRow,
  operator,
  required,
  sameAsFirst,
  type TensorType,
} from './row.ts';

type Types = readonly TensorType[] | undefined;

function concatType(context: InferContext): Types {
  const { node } = context;
  const inputs = context.inputs.filter((input) => input !== undefined);
  const first = required(context, 0);
  const axis = normalAxis(node, numberAttribute(node, 'axis', 1), first.shape.length);
  for (const { shape } of inputs) {
    if (
      shape.length !== first.shape.length ||
      shape.some((extent, at) => at !== axis && extent !== first.shape[at])
    ) {
      throw contradiction(
        node,
        `[${shape.join(', ')}] does not join [${first.shape.join(', ')}] along axis ${axis}`,
      );
    }
  }
  const total = inputs.reduce((sum, { shape }) => sum + (shape[axis] as number), 0);
  return [{ dtype: first.dtype, shape: first.shape.map((extent, at) => (at === axis ? total : extent)) }];
}

/** Extents of the parts: an attribute, an input, or equal shares (opset 18: the last one smaller). */
function splitType(context: InferContext): Types {
  const { node } = context;
  const x = required(context, 0);
  const axis = normalAxis(node, numberAttribute(node, 'axis', 0), x.shape.length);
  const extent = x.shape[axis] as number;
  const count = node.outputs.length;
  let parts = numbersAttribute(node, 'split');
  if (parts === undefined && context.inputs[1] !== undefined) {
    parts = context.values(1);
    if (parts === undefined) return undefined;
  }
  if (parts === undefined) {
    const share = Math.ceil(extent / count);
    parts = Array.from({ length: count }, (_, index) => Math.min(share, extent - index * share));
  }
  if (
    parts.length !== count ||
    parts.some((part) => part < 0) ||
    parts.reduce((a, b) => a + b, 0) !== extent
  ) {
    throw contradiction(node, `parts [${parts.join(', ')}] are not ${count} shares of ${extent}`);
  }
  return parts.map((part) => ({
    dtype: x.dtype,
    shape: x.shape.map((old, at) => (at === axis ? part : old)),
  }));
}

function sliceType(context: InferContext): Types {
  const x = required(context, 0);
  const ranges = sliceRanges(context.node, context.opset, x.shape, (position) => context.values(position));
  return ranges && [{ dtype: x.dtype, shape: ranges.map((range) => range.count) }];
}

function gatherType(context: InferContext): Types {
  const x = required(context, 0);
  const indices = required(context, 1);
  const axis = normalAxis(context.node, numberAttribute(context.node, 'axis', 0), x.shape.length);
  return [
    { dtype: x.dtype, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] },
  ];
}

function gatherNdType(context: InferContext): Types {
  const x = required(context, 0);
  const indices = required(context, 1);
  const batch = numberAttribute(context.node, 'batch_dims', 0);
  const depth = indices.shape.at(-1) ?? 0;
  return [{ dtype: x.dtype, shape: [...indices.shape.slice(0, -1), ...x.shape.slice(batch + depth)] }];
}

function blockSize(context: InferContext): number {
  const size = numberAttribute(context.node, 'blocksize', 0);
  if (Number.isSafeInteger(size) && size >= 1 && required(context, 0).shape.length === 4) return size;
  throw contradiction(
    context.node,
    `blocksize ${size} does not fit an input of rank ${required(context, 0).shape.length}`,
  );
}

function whole(context: InferContext, shape: readonly number[]): Types {
  if (shape.every(Number.isInteger)) return [{ dtype: required(context, 0).dtype, shape }];
  throw contradiction(context.node, `its blocks do not divide [${required(context, 0).shape.join(', ')}]`);
}

function depthToSpaceType(context: InferContext): Types {
  const size = blockSize(context);
  const [batch, channels, rows, columns] = required(context, 0).shape as [number, number, number, number];
  return whole(context, [batch, channels / (size * size), rows * size, columns * size]);
}

function spaceToDepthType(context: InferContext): Types {
  const size = blockSize(context);
  const [batch, channels, rows, columns] = required(context, 0).shape as [number, number, number, number];
  return whole(context, [batch, channels * size * size, rows / size, columns / size]);
}

/** 0 copies an extent unless allowzero; one -1 takes what is left. */
function reshapeType(context: InferContext): Types {
  const { node } = context;
  const x = required(context, 0);
  const wanted = numbersAttribute(node, 'shape') ?? context.values(1);
  if (wanted === undefined) return undefined;
  const copies = numberAttribute(node, 'allowzero', 0) === 0;
  const shape = wanted.map((extent, axis) => (extent === 0 && copies ? (x.shape[axis] ?? -2) : extent));
  const open = shape.indexOf(-1);
  const total = elementCount(x.shape);
  if (open >= 0) {
    const rest = shape.reduce((product, extent, axis) => (axis === open ? product : product * extent), 1);
    shape[open] = rest === 0 ? 0 : total / rest;
  }
  if (shape.some((extent) => !Number.isInteger(extent) || extent < 0) || elementCount(shape) !== total) {
    throw contradiction(node, `[${x.shape.join(', ')}] cannot become [${wanted.join(', ')}]`);
  }
  return [{ dtype: x.dtype, shape }];
}

function flattenType(context: InferContext): Types {
  const x = required(context, 0);
  const given = numberAttribute(context.node, 'axis', 1);
  const axis = given < 0 ? given + x.shape.length : given;
  if (!(axis >= 0 && axis <= x.shape.length))
    throw contradiction(context.node, `axis ${given} is outside rank ${x.shape.length}`);
  return [
    { dtype: x.dtype, shape: [elementCount(x.shape.slice(0, axis)), elementCount(x.shape.slice(axis))] },
  ];
}

/** The permutation of a Transpose; without `perm` the axes are reversed. */
function transposeType(context: InferContext): Types {
  const x = required(context, 0);
  const rank = x.shape.length;
  const order = numbersAttribute(context.node, 'perm') ?? x.shape.map((_, axis) => rank - 1 - axis);
  if (
    order.length !== rank ||
    new Set(order).size !== rank ||
    order.some((axis) => x.shape[axis] === undefined)
  ) {
    throw contradiction(context.node, `perm [${order.join(', ')}] does not fit rank ${rank}`);
  }
  return [{ dtype: x.dtype, shape: order.map((axis) => x.shape[axis] as number) }];
}

/** Axes as an attribute, or from opset 13 as input 1; 'absent' where neither is given. */
function axesOf(context: InferContext): readonly number[] | 'absent' | undefined {
  const listed = numbersAttribute(context.node, 'axes');
  if (listed !== undefined) return listed;
  return context.inputs[1] === undefined ? 'absent' : context.values(1);
}

function squeezeType(context: InferContext): Types {
  const { node } = context;
  const x = required(context, 0);
  const axes = axesOf(context);
  if (axes === undefined) return undefined;
  const gone = new Set(
    axes === 'absent'
      ? x.shape.flatMap((extent, axis) => (extent === 1 ? [axis] : []))
      : axes.map((axis) => normalAxis(node, axis, x.shape.length)),
  );
  for (const axis of gone) {
    if (x.shape[axis] !== 1) throw contradiction(node, `axis ${axis} of [${x.shape.join(', ')}] is not 1`);
  }
  return [{ dtype: x.dtype, shape: x.shape.filter((_, axis) => !gone.has(axis)) }];
}

function unsqueezeType(context: InferContext): Types {
  const { node } = context;
  const x = required(context, 0);
  const axes = axesOf(context);
  if (axes === undefined) return undefined;
  if (axes === 'absent') throw contradiction(node, 'it names no axes');
  const rank = x.shape.length + axes.length;
  const added = new Set(axes.map((axis) => normalAxis(node, axis, rank)));
  if (added.size !== axes.length) throw contradiction(node, `axes [${axes.join(', ')}] repeat`);
  const rest = x.shape.values();
  const shape = Array.from({ length: rank }, (_, axis) =>
    added.has(axis) ? 1 : (rest.next().value as number),
  );
  return [{ dtype: x.dtype, shape }];
}

function expandType(context: InferContext): Types {
  const x = required(context, 0);
  const wanted = context.values(1);
  return wanted && [{ dtype: x.dtype, shape: broadcast(context.node, [x.shape, wanted]) }];
}

function tileType(context: InferContext): Types {
  const x = required(context, 0);
  const repeats = context.values(1);
  if (repeats === undefined) return undefined;
  if (repeats.length !== x.shape.length)
    throw contradiction(context.node, `${repeats.length} repeats for rank ${x.shape.length}`);
  return [{ dtype: x.dtype, shape: x.shape.map((extent, axis) => extent * (repeats[axis] as number)) }];
}

export const layout: readonly OperatorRow[] = [
  operator('Concat', 'layout', 'Joins tensors along an axis.', concatType),
  operator('Split', 'layout', 'Parts along an axis.', splitType),
  operator(
    'Slice',
    'layout',
    'A box, with steps; reads every other row and column in a Focus layer.',
    sliceType,
  ),
  operator('Gather', 'layout', 'Chosen slices along an axis.', gatherType),
  operator('GatherND', 'layout', 'Chosen slices by several indices.', gatherNdType),
  operator('GatherElements', 'layout', 'Chosen elements along an axis.', (context) => [
    { dtype: required(context, 0).dtype, shape: required(context, 1).shape },
  ]),
  operator('Scatter', 'layout', 'Writes elements along an axis (deprecated in opset 11).', sameAsFirst),
  operator('ScatterElements', 'layout', 'Writes elements along an axis.', sameAsFirst),
  operator('ScatterND', 'layout', 'Writes slices by several indices.', sameAsFirst),
  operator('DepthToSpace', 'layout', 'Channels become rows and columns.', depthToSpaceType),
  operator('SpaceToDepth', 'layout', 'Rows and columns become channels.', spaceToDepthType),
  operator('Reshape', 'layout', 'Another shape for the same elements.', reshapeType),
  operator('Flatten', 'layout', 'Two axes for the same elements.', flattenType),
  operator('Transpose', 'layout', 'Axes in another order.', transposeType),
  operator('Squeeze', 'layout', 'Removes axes of extent 1.', squeezeType),
  operator('Unsqueeze', 'layout', 'Adds axes of extent 1.', unsqueezeType),
  operator('Expand', 'layout', 'Repeats along axes of extent 1.', expandType),
  operator('Tile', 'layout', 'Repeats the whole.', tileType),
  operator('ReverseSequence', 'layout', 'Reverses the first elements of each sequence.', sameAsFirst),
  operator('Trilu', 'layout', 'Upper or lower triangle.', sameAsFirst),
];
