/**
 * Lossless packing of tensors in a message: raw deflate (RFC 1951). A deflated tensor stands in the safetensors file as
 * a row of bytes; what it unpacks to is said in the metadata.
 */

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { DType } from '../graph/types.ts';
import { MAX_RANK } from '../tensor/copy.ts';
import { elementBytes, fromSafetensorsName, tensorBytes } from '../tensor/dtype.ts';
import type { BodyPool } from './body-pool.ts';
import { CODECS, DEFLATE, deflatedCodec } from './codecs.ts';
import type { LaidMessage, TensorSpec } from './encode.ts';
import type { PackedTensor, TensorData } from './message.ts';
import { type PackedForm, withForms } from './packed-form.ts';
import { WireError } from './wire-error.ts';

/** The fastest: further levels take several times as long for a few percent of the feature maps of networks. */
const LEVEL = 1;

/** Deflate makes of `n` bytes at most 1032 `n`: who declares more lies, and gets no memory. */
const MOST_RATIO = 1032;

/**
 * The message with the tensors of `names` deflated, on top of their codec, where that makes them smaller; the message
 * itself where it makes none so. `specs` are those it was laid out with. The memory of the message given goes back to
 * its pool.
 */
export function deflated(
  message: LaidMessage,
  specs: readonly TensorSpec[],
  names: ReadonlySet<string>,
  pool?: BodyPool,
): LaidMessage {
  const forms = new Map<string, PackedForm>();
  for (const { name, dtype } of specs) {
    if (!names.has(name)) continue;
    const codec = message.meta.codecs?.[name] ?? 'raw';
    const wireType = CODECS.get(codec)?.wireType(dtype) ?? dtype;
    const bytes = deflateRawSync(message.bytes(name), { level: LEVEL });
    forms.set(name, { codec: deflatedCodec(codec), bytes, dtype: wireType });
  }
  return withForms(message, specs, forms, pool);
}

/** Bytes of a deflated tensor when unpacked. Throws WireError `codec` where `as` does not describe one. */
export function unpackedBytes(name: string, as: PackedTensor | undefined): number {
  const dtype = as && fromSafetensorsName(as.dtype);
  if (dtype === undefined || as === undefined || as.shape.length > MAX_RANK)
    throw new WireError('codec', `${DEFLATE} of ${name}`);
  return tensorBytes(dtype, as.shape);
}

/** The tensor that `bytes` were deflated from. Throws WireError `codec` where they do not unpack to what `as` declares. */
export function inflated(name: string, bytes: Uint8Array, as: PackedTensor | undefined): TensorData {
  const length = unpackedBytes(name, as);
  const { dtype, shape } = { ...as, dtype: fromSafetensorsName((as as PackedTensor).dtype) as DType };
  if (length === 0 || length > bytes.length * MOST_RATIO)
    throw new WireError('codec', `${DEFLATE} of ${name}`);
  let whole: Uint8Array;
  try {
    // One chunk that is not quite filled: no second one is made, and nothing is joined.
    whole = inflateRawSync(bytes, { maxOutputLength: length, chunkSize: length + 64 });
  } catch {
    throw new WireError('codec', `${name} does not inflate`);
  }
  if (whole.length !== length) throw new WireError('codec', `${name} inflates to ${whole.length} bytes`);
  if (whole.byteOffset % elementBytes(dtype) !== 0) whole = Uint8Array.from(whole);
  return { name, dtype, shape: shape as readonly number[], bytes: whole };
}
