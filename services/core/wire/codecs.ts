/**
 * How a tensor's elements are written on the wire. A message names the codec of each tensor; absent is raw. A name has up
 * to two halves: what becomes of the values (`fp16`, `uint8`), and `deflate` for their bytes on top. Pictures (`png`,
 * `webp`, `jpeg`) are files of their own, which an image library writes and reads (control/picture-codec.ts).
 */

import type { DType } from '../graph/types.ts';
import { narrowToHalves, typedView, widenHalves } from '../tensor/dtype.ts';
import { dequantised, quantise, type Scale, UNIT_SCALE } from './quantise.ts';

export interface Codec {
  /** Element type on the wire of a tensor of `dtype`, or undefined where the codec does not take it. */
  wireType(dtype: DType): DType | undefined;
  /** Element type of the tensor that `wire` elements decode to, or undefined where the codec makes no such. */
  tensorType(wire: DType): DType | undefined;
  /** Writes the elements in `source` to `target`, which is as long as the wire form. */
  encode(dtype: DType, source: Uint8Array, target: Uint8Array, scale?: Scale): void;
  /** Elements of the tensor, from their wire form; may be the same bytes. */
  decode(wire: DType, source: Uint8Array, scale?: Scale): Uint8Array;
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

/** 256 equal steps over the range of this very piece, which stands in the metadata. */
const uint8: Codec = {
  wireType: (dtype) => (dtype === 'float32' ? 'uint8' : undefined),
  tensorType: (wire) => (wire === 'uint8' ? 'float32' : undefined),
  encode: (_, source, target, scale = UNIT_SCALE) => quantise(typedView('float32', source), scale, target),
  decode: (_, source, scale = UNIT_SCALE) => new Uint8Array(dequantised(source, scale).buffer),
};

/** What stands in the message as a row of bytes whose meaning `packed` tells: a message is laid out with it as it is. */
const bytes: Codec = {
  wireType: (dtype) => (dtype === 'uint8' ? dtype : undefined),
  tensorType: () => undefined,
  encode: raw.encode,
  decode: raw.decode,
};

/** Lossless, of any tensor. */
export const DEFLATE = 'deflate';

export const CODEC_NAMES = [
  'raw',
  'fp16',
  'uint8',
  'deflate',
  'fp16+deflate',
  'uint8+deflate',
  'png',
  'webp',
  'jpeg',
] as const;
export type CodecName = (typeof CODEC_NAMES)[number];

export const CODECS: ReadonlyMap<string, Codec> = new Map<CodecName, Codec>([
  ['raw', raw],
  ['fp16', fp16],
  ['uint8', uint8],
  ['deflate', bytes],
  ['fp16+deflate', bytes],
  ['uint8+deflate', bytes],
  ['png', bytes],
  ['webp', bytes],
  ['jpeg', bytes],
]);

export type PictureCodec = 'png' | 'webp' | 'jpeg';
/** Codecs whose bytes may be deflated. */
export type ValueCodec = 'raw' | 'fp16' | 'uint8';

export function isPictureCodec(codec: string | undefined): codec is PictureCodec {
  return codec === 'png' || codec === 'webp' || codec === 'jpeg';
}

/** Whether the bytes of the elements are deflated, whatever became of the values. */
export function isDeflated(codec: string | undefined): boolean {
  return codec === DEFLATE || codec?.endsWith('+deflate') === true;
}

/** The codec without `deflate` on top: what becomes of the values. Pictures have none, and are `raw` here. */
export function valueCodec(codec: string | undefined): ValueCodec {
  const value = codec?.split('+')[0];
  return value === 'fp16' || value === 'uint8' ? value : 'raw';
}

/** The codec with `deflate` on top. */
export function deflatedCodec(codec: string | undefined): CodecName {
  const value = valueCodec(codec);
  return value === 'raw' ? DEFLATE : `${value}+deflate`;
}

/** Whether a tensor comes out of it as it went in, every bit: all that plans of the class `exact` may use. */
export function isLossless(codec: string | undefined): boolean {
  return codec !== 'jpeg' && valueCodec(codec) === 'raw';
}

/** Codecs a worker takes: those its status lists, and raw, which everybody does. */
export function understoodBy({ codecs = [] }: { readonly codecs?: readonly string[] }): ReadonlySet<string> {
  return new Set(['raw', ...codecs]);
}
