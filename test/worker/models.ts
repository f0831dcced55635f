/** Small models for tests, written by the project's own encoder. */

import { constantOf } from '../../services/core/graph/constant.ts';
import type { Constant, DType } from '../../services/core/graph/types.ts';
import { type ExternalInitializer, encodeModel, type ModelSpec } from '../../services/core/graph/write.ts';
import type { TensorData } from '../../services/core/wire/message.ts';

const HEAD = { opsets: new Map([['', 17]]), irVersion: 8 };

/** One node of one input and one output of the same type and symbolic shape [n]. */
export function unary(op: string, dtype: DType): Uint8Array {
  return encodeModel({
    ...HEAD,
    nodes: [{ op, inputs: ['x'], outputs: ['y'] }],
    inputs: [{ name: 'x', dtype, shape: ['n'] }],
    outputs: [{ name: 'y', dtype, shape: ['n'] }],
  });
}

/** y = relu(conv3x3(x)), 2 -> 3 channels, open height and width, no padding. */
export function convolution(weights: Constant | ExternalInitializer): Uint8Array {
  const spec: ModelSpec = {
    ...HEAD,
    nodes: [
      { op: 'Conv', inputs: ['x', 'w'], outputs: ['c'] },
      { op: 'Relu', inputs: ['c'], outputs: ['y'] },
    ],
    inputs: [{ name: 'x', dtype: 'float32', shape: [1, 2, 'h', 'w_'] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: [1, 3, 'oh', 'ow'] }],
  };
  return encodeModel(
    'location' in weights
      ? { ...spec, externalInitializers: [weights] }
      : { ...spec, initializers: [weights] },
  );
}

export const CONV_WEIGHTS = Float32Array.from({ length: 3 * 2 * 3 * 3 }, (_, i) => ((i * 7) % 11) / 11 - 0.4);

export function weightsConstant(): Constant {
  return constantOf('w', 'float32', [3, 2, 3, 3], CONV_WEIGHTS);
}

/** The same convolution, worked out by hand. */
export function convolve(x: Float32Array, height: number, width: number): Float32Array {
  const rows = height - 2;
  const columns = width - 2;
  const y = new Float32Array(3 * rows * columns);
  for (let o = 0; o < 3; o++) {
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        let sum = 0;
        for (let i = 0; i < 2; i++) {
          for (let k = 0; k < 9; k++) {
            const at = (i * height + r + Math.floor(k / 3)) * width + c + (k % 3);
            sum += (x[at] as number) * (CONV_WEIGHTS[(o * 2 + i) * 9 + k] as number);
          }
        }
        y[(o * rows + r) * columns + c] = Math.max(0, sum);
      }
    }
  }
  return y;
}

export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

export function tensor(
  name: string,
  dtype: DType,
  shape: readonly number[],
  data: ArrayBufferView,
): TensorData {
  return { name, dtype, shape, bytes: bytesOf(data) };
}
