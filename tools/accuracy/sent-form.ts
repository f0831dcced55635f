/** What a piece of a tensor is when it arrives: written by its codec and read back, as messages do it. */

import { pictureOf, withPicturesRead } from '../../services/core/control/picture-codec.ts';
import { isLossless, valueCodec } from '../../services/core/wire/codecs.ts';
import { layoutCoded } from '../../services/core/wire/coded-message.ts';
import { decodeBody } from '../../services/core/wire/decode.ts';
import type { TensorData } from '../../services/core/wire/message.ts';

/** The piece itself where nothing of it changes; else one with bytes of its own. */
export async function asSent(piece: TensorData, codec: string | undefined): Promise<TensorData> {
  if (isLossless(codec)) return piece;
  return codec === 'jpeg' ? asPicture(piece) : asValues(piece, valueCodec(codec));
}

/** By a message that is written and read. */
function asValues(piece: TensorData, codec: string): TensorData {
  const { name, dtype, shape, bytes } = piece;
  const message = layoutCoded({ kind: 'data' }, [{ name, dtype, shape, codec, elements: bytes }]);
  return decodeBody(message.body, 'data').tensors[0] ?? piece;
}

/** A file that would be larger is not sent. */
async function asPicture(piece: TensorData): Promise<TensorData> {
  const file = await pictureOf(piece.bytes, piece.shape, 'jpeg');
  if (file === undefined || file.byteLength >= piece.bytes.byteLength) return piece;
  const sent = { ...piece, bytes: file, picture: 'jpeg' as const };
  const { tensors } = await withPicturesRead({ meta: { kind: 'data' }, tensors: [sent] });
  return tensors[0] ?? piece;
}
