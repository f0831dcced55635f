/** Operators that lay a new grid over rows and columns. */

import { numberAttribute, numbersAttribute } from '../attributes.ts';
import { resizedShape } from '../resized-shape.ts';
import {
  contradiction,
  type InferContext,
  normalAxis,
  type OperatorRow,
  operator,
  required,
  type TensorType,
} from './row.ts';

function resizeType(context: InferContext): readonly TensorType[] | undefined {
  const x = required(context, 0);
  const shape = resizedShape(context.node, context.opset, x.shape, (position) => context.values(position));
  return shape && [{ dtype: x.dtype, shape }];
}

/** Amounts before and behind each axis: pads and axes are attributes or inputs, by opset. */
function padType(context: InferContext): readonly TensorType[] | undefined {
  const { node } = context;
  const x = required(context, 0);
  const rank = x.shape.length;
  const pads = numbersAttribute(node, 'pads') ?? numbersAttribute(node, 'paddings') ?? context.values(1);
  const axes = context.inputs[3] === undefined ? x.shape.map((_, axis) => axis) : context.values(3);
  if (pads === undefined || axes === undefined) return undefined;
  if (pads.length !== 2 * axes.length)
    throw contradiction(node, `${pads.length} pads do not fit ${axes.length} axes`);
  const shape = [...x.shape];
  for (const [index, given] of axes.entries()) {
    const axis = normalAxis(node, given, rank);
    shape[axis] = (shape[axis] as number) + (pads[index] as number) + (pads[index + axes.length] as number);
  }
  return [{ dtype: x.dtype, shape }];
}

function gridSampleType(context: InferContext): readonly TensorType[] {
  const x = required(context, 0);
  const grid = required(context, 1);
  return [{ dtype: x.dtype, shape: [...x.shape.slice(0, 2), ...grid.shape.slice(1, -1)] }];
}

function roiAlignType(context: InferContext): readonly TensorType[] {
  const { node } = context;
  const x = required(context, 0);
  const rois = required(context, 1);
  const [height, width] = [
    numberAttribute(node, 'output_height', 1),
    numberAttribute(node, 'output_width', 1),
  ];
  return [{ dtype: x.dtype, shape: [rois.shape[0] ?? 0, x.shape[1] ?? 0, height, width] }];
}

function maxRoiPoolType(context: InferContext): readonly TensorType[] {
  const x = required(context, 0);
  const pooled = numbersAttribute(context.node, 'pooled_shape') ?? [];
  return [{ dtype: x.dtype, shape: [required(context, 1).shape[0] ?? 0, x.shape[1] ?? 0, ...pooled] }];
}

function maxUnpoolType(context: InferContext): readonly TensorType[] | undefined {
  const { node } = context;
  const x = required(context, 0);
  if (context.inputs[2] !== undefined) {
    const shape = context.values(2);
    return shape && [{ dtype: x.dtype, shape }];
  }
  const kernel = numbersAttribute(node, 'kernel_shape') ?? [];
  const strides = numbersAttribute(node, 'strides') ?? kernel.map(() => 1);
  const pads = numbersAttribute(node, 'pads') ?? [...kernel, ...kernel].map(() => 0);
  const spatial = x.shape.slice(2).map((extent, axis) => {
    const padding = (pads[axis] ?? 0) + (pads[axis + kernel.length] ?? 0);
    return (extent - 1) * (strides[axis] ?? 1) - padding + (kernel[axis] ?? 1);
  });
  return [{ dtype: x.dtype, shape: [...x.shape.slice(0, 2), ...spatial] }];
}

function centerCropPadType(context: InferContext): readonly TensorType[] | undefined {
  const { node } = context;
  const x = required(context, 0);
  const wanted = context.values(1);
  if (wanted === undefined) return undefined;
  const axes = numbersAttribute(node, 'axes') ?? x.shape.map((_, axis) => axis);
  if (axes.length !== wanted.length)
    throw contradiction(node, `${wanted.length} extents do not fit ${axes.length} axes`);
  const shape = [...x.shape];
  for (const [index, axis] of axes.entries())
    shape[normalAxis(node, axis, shape.length)] = wanted[index] as number;
  return [{ dtype: x.dtype, shape }];
}

function deformConvType(context: InferContext): readonly TensorType[] {
  const x = required(context, 0);
  const weights = required(context, 1);
  // The offsets have one position for each output element.
  const offset = required(context, 2);
  return [{ dtype: x.dtype, shape: [x.shape[0] ?? 0, weights.shape[0] ?? 0, ...offset.shape.slice(2)] }];
}

function col2ImType(context: InferContext): readonly TensorType[] | undefined {
  const x = required(context, 0);
  const image = context.values(1);
  const block = context.values(2);
  if (image === undefined || block === undefined) return undefined;
  const channels = (x.shape[1] ?? 0) / block.reduce((a, b) => a * b, 1);
  return [{ dtype: x.dtype, shape: [x.shape[0] ?? 0, channels, ...image] }];
}

function affineGridType(context: InferContext): readonly TensorType[] | undefined {
  const theta = required(context, 0);
  const size = context.values(1);
  if (size === undefined) return undefined;
  return [{ dtype: theta.dtype, shape: [size[0] as number, ...size.slice(2), size.length - 2] }];
}

export const resample: readonly OperatorRow[] = [
  operator('Resize', 'spatial', 'Nearest, linear or cubic resampling, each coordinate mode.', resizeType),
  operator('Upsample', 'spatial', 'Nearest or linear enlargement (deprecated in opset 10).', resizeType),
  operator(
    'Pad',
    'spatial',
    'Constant, reflected, repeated or wrapped border; negative amounts crop.',
    padType,
  ),
  operator('GridSample', 'global', 'Samples at computed positions.', gridSampleType),
  operator('AffineGrid', 'global', 'Positions of an affine map.', affineGridType),
  operator('RoiAlign', 'global', 'Averages over regions of interest.', roiAlignType),
  operator('MaxRoiPool', 'global', 'Maxima over regions of interest.', maxRoiPoolType),
  operator('MaxUnpool', 'global', 'Puts maxima back where they were.', maxUnpoolType),
  operator('CenterCropPad', 'spatial', 'Crops or pads about the centre.', centerCropPadType),
  operator('DeformConv', 'global', 'Convolution at computed offsets.', deformConvType, {
    macs: (context) =>
      (context.outputs[0] as TensorType).shape.reduce((a, b) => a * b, 1) *
      required(context, 1)
        .shape.slice(1)
        .reduce((a, b) => a * b, 1),
  }),
  operator('Col2Im', 'global', 'Adds columns of blocks back into an image.', col2ImType),
];
