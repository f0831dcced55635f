/**
 * Tensors as picture files, written and read off the event loop. A door to the image library of its own: it is loaded
 * with the first picture, for most plans send none and a worker has little memory.
 */

import type { SharpConstructor } from 'sharp';
import { tensorBytes } from '../tensor/dtype.ts';
import type { PictureCodec } from '../wire/codecs.ts';
import type { Message, TensorData } from '../wire/message.ts';
import { fromPixels, type PictureLayout, pictureLayout, toPixels } from '../wire/picture.ts';
import { WireError } from '../wire/wire-error.ts';

/** Chroma is not thinned out: networks look at it as closely as at the rest. */
const JPEG = { quality: 95, chromaSubsampling: '4:4:4' } as const;
/** Higher levels take twice as long for 2 % of a photo. */
const PNG = { compressionLevel: 3, adaptiveFiltering: true, palette: false } as const;
/** A quarter less than PNG in less time; more effort takes three to eight times as long for a tenth less. */
const WEBP = { lossless: true, effort: 0 } as const;

/** First bytes, so that the library is not asked to guess among all it knows. */
const MARKS: Readonly<Record<PictureCodec, readonly number[]>> = {
  png: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
  webp: [0x52, 0x49, 0x46, 0x46],
  jpeg: [0xff, 0xd8, 0xff],
};

/** Loads the library ahead of the first picture, for it takes long. Where that fails, reading a picture says so. */
export function expectPictures(): void {
  library().catch(() => undefined);
}

let loading: Promise<SharpConstructor> | undefined;

function library(): Promise<SharpConstructor> {
  loading ??= import('sharp').then(({ default: sharp }) => {
    // Pictures never repeat, and one must not take the cores that tasks run on.
    sharp.cache(false);
    sharp.concurrency(1);
    return sharp;
  });
  return loading;
}

/**
 * The picture file of a uint8 tensor, or undefined where its shape is none of such a picture: `png` and `webp` keep every
 * value, `jpeg` nearly (quality 95).
 */
export async function pictureOf(
  elements: Uint8Array,
  shape: readonly number[],
  codec: PictureCodec,
): Promise<Buffer | undefined> {
  const layout = pictureLayout(shape, codec);
  if (layout === undefined) return undefined;
  const { width, height, channels } = layout;
  const sharp = await library();
  const picture = sharp(toPixels(elements, layout), { raw: { width, height, channels } });
  picture.toColourspace(spaceOf(layout));
  if (codec === 'jpeg') return picture.jpeg(JPEG).toBuffer();
  return codec === 'png' ? picture.png(PNG).toBuffer() : picture.webp(WEBP).toBuffer();
}

/** The message with its pictures read. Rejects with WireError `codec` where one is none, or of another size. */
export async function withPicturesRead(message: Message): Promise<Message> {
  const tensors = await Promise.all(
    message.tensors.map((tensor) => (tensor.picture === undefined ? tensor : read(tensor, tensor.picture))),
  );
  return { meta: message.meta, tensors };
}

async function read({ name, dtype, shape, bytes }: TensorData, picture: PictureCodec): Promise<TensorData> {
  const layout = pictureLayout(shape, picture) as PictureLayout;
  const { width, height, channels } = layout;
  if (MARKS[picture].some((byte, i) => bytes[i] !== byte))
    throw new WireError('codec', `${name} is no ${picture}`);
  const sharp = await library();
  const file = sharp(bytes, { failOn: 'error', limitInputPixels: width * height });
  const raw = file.toColourspace(spaceOf(layout)).raw({ depth: 'uchar' });
  const { data, info } = await raw.toBuffer({ resolveWithObject: true }).catch(() => {
    throw new WireError('codec', `${name} is a ${picture} that cannot be read`);
  });
  const same = info.width === width && info.height === height && info.channels === channels;
  if (!same || data.length !== tensorBytes(dtype, shape))
    throw new WireError('codec', `${name} is a picture of ${info.width} x ${info.height} x ${info.channels}`);
  return { name, dtype, shape, bytes: fromPixels(data, layout) };
}

function spaceOf({ channels }: PictureLayout): 'b-w' | 'srgb' {
  return channels === 1 ? 'b-w' : 'srgb';
}
