/** The elements of a tensor as 32-bit floats, whatever its type. */

import { typedView, widenHalves } from '../tensor/dtype.ts';
import type { TensorData } from '../wire/message.ts';

/** A view where the tensor is aligned float32, else a converted copy. 64-bit types lose precision. */
export function floatsOf({ dtype, bytes }: TensorData): Float32Array {
  switch (dtype) {
    case 'float32':
      return typedView(dtype, bytes);
    case 'float16': {
      const halves = typedView(dtype, bytes);
      const floats = new Float32Array(halves.length);
      widenHalves(halves, floats);
      return floats;
    }
    case 'bfloat16': {
      const halves = typedView(dtype, bytes);
      const bits = new Uint32Array(halves.length);
      for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] as number) << 16;
      return new Float32Array(bits.buffer);
    }
    case 'int64':
    case 'uint64':
      return Float32Array.from(typedView(dtype, bytes), Number);
    default:
      return Float32Array.from(typedView(dtype, bytes));
  }
}
