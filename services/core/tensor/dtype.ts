/** Element types: sizes, names in safetensors, typed views, half precision. */

import type { DType } from '../graph/types.ts';

interface DTypeRow {
  readonly bytes: 1 | 2 | 4 | 8;
  /** Name in a safetensors header. */
  readonly wire: string;
}

export const DTYPES = {
  float32: { bytes: 4, wire: 'F32' },
  float16: { bytes: 2, wire: 'F16' },
  float64: { bytes: 8, wire: 'F64' },
  bfloat16: { bytes: 2, wire: 'BF16' },
  int8: { bytes: 1, wire: 'I8' },
  uint8: { bytes: 1, wire: 'U8' },
  int16: { bytes: 2, wire: 'I16' },
  uint16: { bytes: 2, wire: 'U16' },
  int32: { bytes: 4, wire: 'I32' },
  uint32: { bytes: 4, wire: 'U32' },
  int64: { bytes: 8, wire: 'I64' },
  uint64: { bytes: 8, wire: 'U64' },
  bool: { bytes: 1, wire: 'BOOL' },
} as const satisfies Record<DType, DTypeRow>;

const BY_WIRE_NAME = new Map<string, DType>(
  (Object.keys(DTYPES) as DType[]).map((dtype) => [DTYPES[dtype].wire, dtype]),
);

/** Size of one element, in bytes. */
export function elementBytes(dtype: DType): 1 | 2 | 4 | 8 {
  return DTYPES[dtype].bytes;
}

/** Size of a tensor, in bytes. */
export function tensorBytes(dtype: DType, shape: readonly number[]): number {
  let elements = 1;
  for (const extent of shape) elements *= extent;
  return elements * DTYPES[dtype].bytes;
}

export function safetensorsName(dtype: DType): string {
  return DTYPES[dtype].wire;
}

/** The element type of a safetensors name, or undefined where Tilepipe moves no such type. */
export function fromSafetensorsName(name: string): DType | undefined {
  return BY_WIRE_NAME.get(name);
}

/** Types without an array of their own in Node 20 (the two 16-bit floats) are seen as their bits. */
const VIEWS = {
  float32: Float32Array,
  float16: Uint16Array,
  float64: Float64Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

/** A typed array over the same memory; where the bytes start misaligned, over a copy. */
export function typedView<T extends DType>(dtype: T, bytes: Uint8Array): InstanceType<(typeof VIEWS)[T]> {
  const size = DTYPES[dtype].bytes;
  const aligned = bytes.byteOffset % size === 0 ? bytes : Uint8Array.from(bytes);
  const view = new VIEWS[dtype](aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / size);
  return view as InstanceType<(typeof VIEWS)[T]>;
}

/** Scratch for reading the bits of a float; the module is single-threaded, so one will do. */
const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Nearest half to `value`, ties to even, as 16 bits; beyond 65504 infinity (IEEE 754-2019, section 4.3.1). */
export function halfFromFloat(value: number): number {
  float[0] = value;
  const word = bits[0] as number;
  const sign = (word >>> 16) & 0x8000;
  const exponent = (word >>> 23) & 0xff;
  const mantissa = word & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (mantissa === 0 ? 0 : 0x200 | (mantissa >>> 13));
  const shifted = exponent - 112;
  if (shifted >= 31) return sign | 0x7c00;
  if (shifted <= 0) {
    if (shifted < -10) return sign;
    return sign | roundedShift(mantissa | 0x800000, 14 - shifted);
  }
  // A carry out of the mantissa lands in the exponent, which is what rounding up to the next power means.
  return sign | (((shifted << 10) + roundedShift(mantissa, 13)) & 0x7fff);
}

function roundedShift(value: number, places: number): number {
  const kept = value >>> places;
  const rest = value & ((1 << places) - 1);
  const half = 1 << (places - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

/** Value of a half given as 16 bits. */
export function floatFromHalf(half: number): number {
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** Every half as a float, made when first needed: 65536 values, 256 KB. */
let halves: Float32Array | undefined;

/** Half precision to single; `target` has as many elements as `source`. */
export function widenHalves(source: Uint16Array, target: Float32Array): void {
  halves ??= Float32Array.from({ length: 65536 }, (_, half) => floatFromHalf(half));
  const table = halves;
  for (let i = 0; i < source.length; i++) target[i] = table[source[i] as number] as number;
}

/** Single precision to half, rounded to nearest even. */
export function narrowToHalves(source: Float32Array, target: Uint16Array): void {
  for (let i = 0; i < source.length; i++) target[i] = halfFromFloat(source[i] as number);
}
