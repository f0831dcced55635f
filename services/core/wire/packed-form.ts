/** Messages some of whose tensors stand as a row of bytes, and the metadata say what of. */

import type { DType } from '../graph/types.ts';
import { safetensorsName } from '../tensor/dtype.ts';
import type { BodyPool } from './body-pool.ts';
import { type LaidMessage, layoutMessage, type TensorSpec } from './encode.ts';
import type { PackedTensor } from './message.ts';

/** A tensor in another form. */
export interface PackedForm {
  readonly codec: string;
  readonly bytes: Uint8Array;
  /** Element type of what it unpacks to. */
  readonly dtype: DType;
}

/**
 * The message with these forms of its tensors, where they are smaller; the message itself where none is. `specs` are
 * those it was laid out with. The memory of the message given goes back to its pool.
 */
export function withForms(
  message: LaidMessage,
  specs: readonly TensorSpec[],
  forms: ReadonlyMap<string, PackedForm>,
  pool?: BodyPool,
): LaidMessage {
  const small = new Map([...forms].filter(([name, { bytes }]) => bytes.length < message.bytes(name).length));
  if (small.size === 0) return message;
  const codecs: Record<string, string> = { ...message.meta.codecs };
  const packed: Record<string, PackedTensor> = { ...message.meta.packed };
  const next = specs.map((spec): TensorSpec => {
    const form = small.get(spec.name);
    if (form === undefined) return alreadyPacked(message, spec);
    codecs[spec.name] = form.codec;
    packed[spec.name] = { dtype: safetensorsName(form.dtype), shape: spec.shape };
    return { name: spec.name, dtype: 'uint8', shape: [form.bytes.length] };
  });
  const laid = layoutMessage({ ...message.meta, codecs, packed }, next, pool);
  for (const { name } of specs) laid.bytes(name).set(small.get(name)?.bytes ?? message.bytes(name));
  message.release();
  return laid;
}

/** A tensor that has such a form since an earlier step. */
function alreadyPacked(message: LaidMessage, spec: TensorSpec): TensorSpec {
  if (message.meta.packed?.[spec.name] === undefined) return spec;
  return { name: spec.name, dtype: 'uint8', shape: [message.bytes(spec.name).length] };
}
