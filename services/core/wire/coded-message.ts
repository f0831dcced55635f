/** Messages whose tensors are laid out by the codecs a plan asks for. */

import { typedView } from '../tensor/dtype.ts';
import type { BodyPool } from './body-pool.ts';
import { valueCodec } from './codecs.ts';
import { type LaidMessage, layoutMessage, type TensorSpec } from './encode.ts';
import type { MessageMeta } from './message.ts';
import { type Scale, scaleFor } from './quantise.ts';

/** A tensor of a message that is to be made. */
export interface WantedTensor extends TensorSpec {
  /** Codec the plan asks for; absent: raw. */
  readonly codec?: string | undefined;
  /** Its elements, dense: where the codec changes values. */
  readonly elements?: Uint8Array | undefined;
}

/** From here on the nearest half is infinite. */
const HALF_LIMIT = 65_520;

/**
 * Lays a message out and fills in the tensors whose elements are given; the others are raw, and the caller's to fill.
 * Bytes cannot stand for values of which one is not finite, nor halves for such as are too large for them: such a tensor
 * goes raw, whatever the plan asks for.
 */
export function layoutCoded(
  meta: MessageMeta,
  tensors: readonly WantedTensor[],
  pool?: BodyPool,
): LaidMessage {
  const codecs: Record<string, string> = {};
  const scales: Record<string, Scale> = {};
  for (const { name, codec, elements } of tensors) {
    if (elements === undefined) continue;
    const values = valueCodec(codec);
    const scale = values === 'uint8' ? scaleFor(typedView('float32', elements)) : undefined;
    if (scale !== undefined) scales[name] = scale;
    if (scale !== undefined || (values === 'fp16' && fitHalves(elements))) codecs[name] = values;
  }
  const message = layoutMessage(
    {
      ...meta,
      ...(Object.keys(codecs).length === 0 ? {} : { codecs }),
      ...(Object.keys(scales).length === 0 ? {} : { scales }),
    },
    tensors,
    pool,
  );
  for (const { name, elements } of tensors) if (elements !== undefined) message.fill(name, elements);
  return message;
}

/** Whether single-precision values are finite in half precision too. */
function fitHalves(elements: Uint8Array): boolean {
  const values = typedView('float32', elements);
  for (let i = 0; i < values.length; i++) if (!(Math.abs(values[i] as number) < HALF_LIMIT)) return false;
  return true;
}

/** Tensors of a message that were to travel as bytes or halves and could not. */
export function unscaled({ meta }: LaidMessage, wanted: readonly Pick<WantedTensor, 'codec'>[]): number {
  const coded = (codec: string | undefined) => valueCodec(codec) !== 'raw';
  const asked = wanted.filter(({ codec }) => coded(codec)).length;
  return asked - Object.values(meta.codecs ?? {}).filter(coded).length;
}
