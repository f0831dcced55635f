/** Element types in ONNX: their numbers there, and elements as JavaScript numbers. */

import { elementBytes, floatFromHalf, halfFromFloat } from '../tensor/dtype.ts';
import type { DType } from './types.ts';

/** TensorProto.DataType */
const ONNX_TYPES: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};

/** ONNX's element types that Tilepipe does not move, for messages. */
const REFUSED: Readonly<Record<number, string>> = {
  8: 'string',
  14: 'complex64',
  15: 'complex128',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  21: 'uint4',
  22: 'int4',
  23: 'float4e2m1',
  24: 'float8e8m0',
  25: 'uint2',
  26: 'int2',
};

const byNumber = new Map(Object.entries(ONNX_TYPES).map(([name, number]) => [number, name as DType]));

/** The element type of an ONNX number; undefined where Tilepipe does not move it. */
export function dtypeOf(onnxType: number): DType | undefined {
  return byNumber.get(onnxType);
}

export function onnxTypeOf(dtype: DType): number {
  return ONNX_TYPES[dtype];
}

/** Name of any ONNX element type, for messages. */
export function typeName(onnxType: number): string {
  return byNumber.get(onnxType) ?? REFUSED[onnxType] ?? `number ${onnxType}`;
}

export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const extent of shape) count *= extent;
  return count;
}

export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float16' || dtype === 'float64' || dtype === 'bfloat16';
}

const scratch = new DataView(new ArrayBuffer(8));

function toBfloat(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  if (Number.isNaN(value)) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function fromBfloat(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

/** The int64 nearest to a whole number or infinity: 2^63 stands for "to the end" and saturates. */
export function toInt64(value: number): bigint {
  if (Number.isNaN(value)) return 0n;
  if (value >= 2 ** 63) return INT64_MAX;
  if (value <= -(2 ** 63)) return INT64_MIN;
  return BigInt(Math.trunc(value));
}

function toUint64(value: number): bigint {
  if (!(value > 0)) return 0n;
  return value >= 2 ** 64 ? UINT64_MAX : BigInt(Math.trunc(value));
}

type Get = (view: DataView, at: number) => number;
type Set = (view: DataView, at: number, value: number) => void;

const GET: Readonly<Record<DType, Get>> = {
  float32: (view, at) => view.getFloat32(at, true),
  float64: (view, at) => view.getFloat64(at, true),
  float16: (view, at) => floatFromHalf(view.getUint16(at, true)),
  bfloat16: (view, at) => fromBfloat(view.getUint16(at, true)),
  int8: (view, at) => view.getInt8(at),
  uint8: (view, at) => view.getUint8(at),
  bool: (view, at) => (view.getUint8(at) === 0 ? 0 : 1),
  int16: (view, at) => view.getInt16(at, true),
  uint16: (view, at) => view.getUint16(at, true),
  int32: (view, at) => view.getInt32(at, true),
  uint32: (view, at) => view.getUint32(at, true),
  int64: (view, at) => Number(view.getBigInt64(at, true)),
  uint64: (view, at) => Number(view.getBigUint64(at, true)),
};

const SET: Readonly<Record<DType, Set>> = {
  float32: (view, at, value) => view.setFloat32(at, value, true),
  float64: (view, at, value) => view.setFloat64(at, value, true),
  float16: (view, at, value) => view.setUint16(at, halfFromFloat(value), true),
  bfloat16: (view, at, value) => view.setUint16(at, toBfloat(value), true),
  int8: (view, at, value) => view.setInt8(at, value),
  uint8: (view, at, value) => view.setUint8(at, value),
  bool: (view, at, value) => view.setUint8(at, value === 0 ? 0 : 1),
  int16: (view, at, value) => view.setInt16(at, value, true),
  uint16: (view, at, value) => view.setUint16(at, value, true),
  int32: (view, at, value) => view.setInt32(at, value, true),
  uint32: (view, at, value) => view.setUint32(at, value, true),
  int64: (view, at, value) => view.setBigInt64(at, toInt64(value), true),
  uint64: (view, at, value) => view.setBigUint64(at, toUint64(value), true),
};

/**
 * Elements of little-endian `bytes` as numbers. 64-bit integers beyond 2^53 lose their last digits; the
 * largest reads as 2^63 and is written back as itself.
 */
export function readElements(dtype: DType, bytes: Uint8Array): Float64Array {
  const size = elementBytes(dtype);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.floor(bytes.byteLength / size);
  const values = new Float64Array(count);
  const get = GET[dtype];
  for (let i = 0; i < count; i++) values[i] = get(view, i * size);
  return values;
}

/** Little-endian elements of `dtype`; floats round to nearest, integers wrap as a C cast does. */
export function writeElements(dtype: DType, values: ArrayLike<number>): Uint8Array {
  const size = elementBytes(dtype);
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  const set = SET[dtype];
  for (let i = 0; i < values.length; i++) set(view, i * size, values[i] as number);
  return bytes;
}
