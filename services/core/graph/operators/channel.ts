/** Operators that read all channels of one position, or treat each channel by numbers of its own. */

import { numberAttribute } from '../attributes.ts';
import { dtypeOf } from '../dtype.ts';
import {
  type InferContext,
  type OperatorRow,
  operator,
  required,
  sameAsFirst,
  type TensorType,
} from './row.ts';

/** Training forms have further outputs, one number per channel. */
function batchNormType(context: InferContext): readonly TensorType[] {
  const x = required(context, 0);
  const scale = required(context, 1);
  return [x, scale, scale, scale, scale];
}

function quantizeType(context: InferContext): readonly TensorType[] {
  const asked = dtypeOf(numberAttribute(context.node, 'output_dtype', 0));
  return [{ dtype: context.inputs[2]?.dtype ?? asked ?? 'uint8', shape: required(context, 0).shape }];
}

function dequantizeType(context: InferContext): readonly TensorType[] {
  const asked = dtypeOf(numberAttribute(context.node, 'output_dtype', 0));
  return [{ dtype: asked ?? required(context, 1).dtype, shape: required(context, 0).shape }];
}

export const channel: readonly OperatorRow[] = [
  operator('BatchNormalization', 'channel', 'Scale and shift by channel.', batchNormType),
  operator('LRN', 'channel', 'Normalisation over neighbouring channels.', sameAsFirst),
  operator(
    'Softmax',
    'channel',
    'Softmax along an axis (before opset 13: over all axes from it on).',
    sameAsFirst,
  ),
  operator('LogSoftmax', 'channel', 'Logarithm of Softmax.', sameAsFirst),
  operator('Hardmax', 'channel', 'One at the greatest, else 0.', sameAsFirst),
  operator('LpNormalization', 'channel', 'Division by the norm along an axis.', sameAsFirst),
  operator('QuantizeLinear', 'channel', 'To 8-bit integers, by tensor or by channel.', quantizeType),
  operator('DequantizeLinear', 'channel', 'From 8-bit integers, by tensor or by channel.', dequantizeType),
];
