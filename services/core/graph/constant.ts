/** Constants: views of a model file's bytes, external weights read on demand, and values made in memory. */

import { TilepipeError } from '../runtime/errors.ts';
import { elementBytes } from '../tensor/dtype.ts';
import { dtypeOf, elementCount, typeName, writeElements } from './dtype.ts';
import type { TensorProto } from './onnx_pb.ts';
import type { Constant, DType } from './types.ts';
import { countVarints, decodeVarints } from './varint.ts';

/** Where weights outside the model file come from. */
export interface ExternalData {
  /** Bytes of the file at `location`. Throws `weights-missing` where it is not there or not allowed. */
  size(location: string): number;
  read(location: string, offset: number, length: number): Uint8Array;
}

/** TensorProto.DataLocation.EXTERNAL */
const EXTERNAL = 1;

/** A constant over bytes made on demand. */
export function lazyConstant(
  name: string,
  dtype: DType,
  shape: readonly number[],
  bytes: () => Uint8Array,
): Constant {
  return { name, dtype, shape, byteLength: elementCount(shape) * elementBytes(dtype), bytes };
}

/** A constant of which any part can be had by itself. */
export function partedConstant(
  name: string,
  dtype: DType,
  shape: readonly number[],
  part: NonNullable<Constant['part']>,
): Constant {
  const byteLength = elementCount(shape) * elementBytes(dtype);
  return { name, dtype, shape, byteLength, part, bytes: () => part(0, byteLength) };
}

/** A constant of the numbers given, kept in memory. */
export function constantOf(
  name: string,
  dtype: DType,
  shape: readonly number[],
  values: ArrayLike<number>,
): Constant {
  const bytes = writeElements(dtype, values);
  return { name, dtype, shape, byteLength: bytes.byteLength, bytes: () => bytes };
}

/**
 * The constant of a TensorProto, without copying it. `where` names the owner in messages.
 * Throws `model-unreadable` where sizes disagree, `model-unsupported` for element types Tilepipe does not
 * move, `weights-missing` where external bytes are not there.
 */
export function constantFromProto(
  tensor: TensorProto,
  name: string,
  where: string,
  external: ExternalData | undefined,
): Constant {
  const dtype = dtypeOf(tensor.dataType);
  if (dtype === undefined) {
    throw new TilepipeError(
      'model-unsupported',
      `${where} has element type ${typeName(tensor.dataType)}, which Tilepipe does not move.`,
    );
  }
  const shape = tensor.dims.map(Number);
  const count = elementCount(shape);
  if (shape.some((extent) => extent < 0) || !Number.isSafeInteger(count * elementBytes(dtype))) {
    throw new TilepipeError('model-unreadable', `${where} has the impossible shape [${shape.join(', ')}].`);
  }
  const byteLength = count * elementBytes(dtype);
  if (tensor.dataLocation === EXTERNAL) return fromExternal(tensor, name, where, dtype, shape, external);
  if (tensor.rawData.byteLength > 0 || count === 0) {
    checkLength(where, shape, dtype, byteLength, tensor.rawData.byteLength);
    const raw = tensor.rawData;
    return lazyConstant(name, dtype, shape, () => raw);
  }
  return fromTypedField(tensor, name, where, dtype, shape);
}

function checkLength(
  where: string,
  shape: readonly number[],
  dtype: DType,
  wanted: number,
  found: number,
): void {
  if (wanted === found) return;
  throw new TilepipeError(
    'model-unreadable',
    `${where} of shape [${shape.join(', ')}] and type ${dtype} needs ${wanted} bytes but holds ${found}.`,
  );
}

/** Field of TensorProto that holds elements of each type where raw_data does not. */
function fromTypedField(
  tensor: TensorProto,
  name: string,
  where: string,
  dtype: DType,
  shape: readonly number[],
): Constant {
  const byteLength = elementCount(shape) * elementBytes(dtype);
  if (dtype === 'float32' || dtype === 'float64') {
    const chunks = dtype === 'float32' ? tensor.floatData : tensor.doubleData;
    const bytes = chunks.length === 1 ? (chunks[0] as Uint8Array) : concatenate(chunks);
    checkLength(where, shape, dtype, byteLength, bytes.byteLength);
    return lazyConstant(name, dtype, shape, () => bytes);
  }
  const packed = concatenate(
    dtype === 'int64'
      ? tensor.int64Data
      : dtype === 'uint64' || dtype === 'uint32'
        ? tensor.uint64Data
        : tensor.int32Data,
  );
  checkLength(where, shape, dtype, byteLength, countVarints(packed) * elementBytes(dtype));
  return lazyConstant(name, dtype, shape, () => decodeVarints(packed, elementBytes(dtype), byteLength));
}

function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0] as Uint8Array;
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

function fromExternal(
  tensor: TensorProto,
  name: string,
  where: string,
  dtype: DType,
  shape: readonly number[],
  external: ExternalData | undefined,
): Constant {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location');
  if (location === undefined || location === '') {
    throw new TilepipeError('model-unreadable', `${where} is external but names no location.`);
  }
  if (external === undefined) {
    throw new TilepipeError(
      'weights-missing',
      `${where} lies in ${JSON.stringify(location)}, but only the model's own bytes were given.`,
    );
  }
  const wanted = elementCount(shape) * elementBytes(dtype);
  const offset = wholeNumber(entries.get('offset') ?? '0', where);
  const length = entries.has('length') ? wholeNumber(entries.get('length') as string, where) : wanted;
  checkLength(where, shape, dtype, wanted, length);
  const size = external.size(location);
  if (offset + length > size) {
    throw new TilepipeError(
      'weights-missing',
      `${where} needs bytes ${offset} to ${offset + length} of ${JSON.stringify(location)}, which has ${size}.`,
    );
  }
  return partedConstant(name, dtype, shape, (from, count) => external.read(location, offset + from, count));
}

function wholeNumber(text: string, where: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0) {
    throw new TilepipeError(
      'model-unreadable',
      `${where} has the bad offset or length ${JSON.stringify(text)}.`,
    );
  }
  return value;
}
