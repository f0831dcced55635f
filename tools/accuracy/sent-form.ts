/**
 * What a draft's codecs do to a frame, as one graph can show it: those of cut tensors are in the graph anyway; those of
 * messages are taken for the whole tensor instead of the strips that travel, with one range instead of one for each, so
 * that no less is lost here than on the way.
 */

import { pictureOf, withPicturesRead } from '../../services/core/control/picture-codec.ts';
import { type CutCodec, codecRefusal } from '../../services/core/graph/cut-codecs.ts';
import type { Graph } from '../../services/core/graph/types.ts';
import type { Draft } from '../../services/core/planning/draft.ts';
import type { TensorData } from '../../services/core/wire/message.ts';

/** Partial sums have the name of what they sum up to, with this and a number behind it. */
const SUM = /@sum\d+$/;

/** Codecs of tensors inside the graph, those of messages among them where they change a value. */
export function valueCodecs(
  graph: Graph,
  { codecs = {}, wire = {} }: Pick<Draft, 'codecs' | 'wire'>,
): Record<string, CutCodec> {
  const all: Record<string, CutCodec> = { ...codecs };
  for (const [name, codec] of Object.entries(wire)) {
    const tensor = name.replace(SUM, '');
    if (codec !== 'fp16' && codec !== 'uint8') continue;
    if (all[tensor] === undefined && codecRefusal(graph, tensor, codec) === undefined) all[tensor] = codec;
  }
  return all;
}

/** Inputs of the network that lose something on their way. */
export function lossyInputs({ wire = {} }: Pick<Draft, 'wire'>): ReadonlySet<string> {
  return new Set(Object.entries(wire).flatMap(([name, codec]) => (codec === 'jpeg' ? [name] : [])));
}

/** Inputs as they arrive. */
export async function asSent(
  inputs: readonly TensorData[],
  lossy: ReadonlySet<string>,
): Promise<readonly TensorData[]> {
  return Promise.all(
    inputs.map(async (tensor) => {
      const file = lossy.has(tensor.name) ? await pictureOf(tensor.bytes, tensor.shape, 'jpeg') : undefined;
      if (file === undefined) return tensor;
      const sent = { ...tensor, bytes: file, picture: 'jpeg' as const };
      const { tensors } = await withPicturesRead({ meta: { kind: 'data' }, tensors: [sent] });
      return tensors[0] ?? tensor;
    }),
  );
}
