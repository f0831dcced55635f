/** How a tensor's elements are written on the wire. A message names the codec of each tensor; absent is raw. */

import type { DType } from '../graph/types.ts';
import { narrowToHalves, typedView, widenHalves } from '../tensor/dtype.ts';

export interface Codec {
  /** Element type on the wire of a tensor of `dtype`, or undefined where the codec does not take it. */
  wireType(dtype: DType): DType | undefined;
  /** Element type of the tensor that `wire` elements decode to, or undefined where the codec makes no such. */
  tensorType(wire: DType): DType | undefined;
  /** Writes the elements in `source` to `target`, which is as long as the wire form. */
  encode(dtype: DType, source: Uint8Array, target: Uint8Array): void;
  /** Elements of the tensor, from their wire form; may be the same bytes. */
  decode(wire: DType, source: Uint8Array): Uint8Array;
}

const raw: Codec = {
  wireType: (dtype) => dtype,
  tensorType: (wire) => wire,
  encode: (_, source, target) => target.set(source),
  decode: (_, source) => source,
};

/** Single precision travels as half: half the bytes, about three decimal digits. */
const fp16: Codec = {
  wireType: (dtype) => (dtype === 'float32' ? 'float16' : undefined),
  tensorType: (wire) => (wire === 'float16' ? 'float32' : undefined),
  encode(_, source, target) {
    // A misaligned target cannot be written through a view, so the halves are made apart and copied.
    const halves = new Uint16Array(target.byteLength / 2);
    narrowToHalves(typedView('float32', source), halves);
    target.set(new Uint8Array(halves.buffer));
  },
  decode(_, source) {
    const wide = new Float32Array(source.byteLength / 2);
    widenHalves(typedView('float16', source), wide);
    return new Uint8Array(wide.buffer);
  },
};

/** Lossless, of any tensor. */
export const DEFLATE = 'deflate';

/** How long it gets depends on the bytes: a message is laid out with a row of bytes that are deflated already (deflate.ts). */
const deflate: Codec = {
  wireType: (dtype) => (dtype === 'uint8' ? dtype : undefined),
  tensorType: () => undefined,
  encode: raw.encode,
  decode: raw.decode,
};

export const CODECS: ReadonlyMap<string, Codec> = new Map([
  ['raw', raw],
  ['fp16', fp16],
  [DEFLATE, deflate],
]);
