/** Frames that arrive as tensors instead of pictures. */

import type { TensorInfo } from '../graph/types.ts';
import { TilepipeError } from '../runtime/errors.ts';
import { tensorBytes, typedView } from '../tensor/dtype.ts';
import type { TensorData } from '../wire/message.ts';

/**
 * The tensors of a raw frame in the order of the model's inputs, checked: every input once, its type, shape and
 * length, every element finite. A single tensor for a model with a single input may have any name.
 * Throws `tensor-invalid`. The bytes are not copied.
 */
export function readTensorFrame(tensors: readonly TensorData[], inputs: readonly TensorInfo[]): TensorData[] {
  const refuse = (problem: string): never => {
    throw new TilepipeError('tensor-invalid', problem);
  };
  if (tensors.length !== inputs.length) {
    refuse(`the frame has ${tensors.length} tensors, the model wants ${inputs.map(describe).join(', ')}`);
  }
  return inputs.map((input) => {
    const tensor =
      tensors.find(({ name }) => name === input.name) ?? (inputs.length === 1 ? tensors[0] : undefined);
    if (tensor === undefined) return refuse(`the frame lacks ${describe(input)}`);
    const same =
      tensor.shape.length === input.shape.length && tensor.shape.every((n, axis) => n === input.shape[axis]);
    if (tensor.dtype !== input.dtype || !same) {
      refuse(`the frame has ${describe(tensor)}, the model wants ${describe(input)}`);
    }
    const expected = tensorBytes(input.dtype, input.shape);
    if (tensor.bytes.byteLength !== expected) {
      refuse(`${describe(tensor)} has ${tensor.bytes.byteLength} bytes instead of ${expected}`);
    }
    const bad = firstNonFinite(tensor);
    if (bad >= 0)
      refuse(`${describe(tensor)} has NaN or infinity at element ${bad}; every element must be finite`);
    return { name: input.name, dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes };
  });
}

function describe({ name, dtype, shape }: Omit<TensorInfo, 'bytes'>): string {
  return `${dtype} "${name}" [${shape.join(', ')}]`;
}

/** Index of the first NaN or infinity, -1 where there is none: those whose exponent bits are all ones. */
export function firstNonFinite({ dtype, bytes }: TensorData): number {
  switch (dtype) {
    case 'float32':
      return findMasked(typedView('uint32', bytes), 0x7f800000);
    case 'float16':
      return findMasked(typedView(dtype, bytes), 0x7c00);
    case 'bfloat16':
      return findMasked(typedView(dtype, bytes), 0x7f80);
    case 'float64':
      return typedView(dtype, bytes).findIndex((value) => !Number.isFinite(value));
    default:
      return -1;
  }
}

function findMasked(bits: Uint32Array | Uint16Array, mask: number): number {
  for (let i = 0; i < bits.length; i++) {
    if (((bits[i] as number) & mask) === mask) return i;
  }
  return -1;
}
