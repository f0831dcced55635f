/** Pictures to input tensors, under limits. The one door to the image library. */

import sharp, { type Sharp } from 'sharp';
import type { TensorInfo } from '../core/graph/types.ts';
import { TilepipeError } from '../core/runtime/errors.ts';
import { type Letterbox, place, type Size } from '../core/vision/letterbox.ts';
import { type InputFormat, inputFormat, writeTensor } from '../core/vision/preprocess.ts';
import type { LimitSettings, PreprocessSettings, Settings } from '../core/vision/settings.ts';
import type { TensorData } from '../core/wire/message.ts';
import { pictureFormat } from './decode-format.ts';

// Frames never repeat, and one frame must not take the cores that its neighbours' tiles run on.
sharp.cache(false);
sharp.concurrency(1);

/** How pictures become one input tensor; made once per pipeline by `frameReader`. */
export interface FrameReader {
  readonly format: InputFormat;
  readonly preprocess: PreprocessSettings;
  readonly limits: LimitSettings;
}

export interface DecodedFrame {
  /** The whole input tensor; its bytes are `target` where one was given. */
  readonly tensor: TensorData;
  /** Maps boxes back to the picture: the merger needs it to answer. */
  readonly letterbox: Letterbox;
}

/** Throws `config-invalid` where the input takes no pictures or the settings contradict it. */
export function frameReader(input: TensorInfo, { preprocess, limits }: Settings): FrameReader {
  return { format: inputFormat(input, preprocess), preprocess, limits };
}

/**
 * Decodes a JPEG, PNG or WebP file into the input tensor, written into `target` (`reader.format.byteLength` bytes,
 * any alignment) if given. Bytes are checked first, then pixels by the header, and only then is anything decoded.
 * `bytes` must not change until the promise settles. Rejects with `image-too-large`, `image-invalid` (also where
 * resize is none and the size another); the content of `target` is then undefined.
 */
export async function decodeFrame(
  reader: FrameReader,
  bytes: Uint8Array,
  target = new Uint8Array(reader.format.byteLength),
): Promise<DecodedFrame> {
  const { format, preprocess, limits } = reader;
  if (target.byteLength !== format.byteLength) {
    throw new TilepipeError(
      'internal',
      `the target has ${target.byteLength} bytes instead of ${format.byteLength}`,
    );
  }
  if (bytes.byteLength > limits.maxImageBytes) {
    throw new TilepipeError(
      'image-too-large',
      `the picture has ${bytes.byteLength} bytes, the limit (limits.maxImageBytes) is ${limits.maxImageBytes}`,
    );
  }
  const kind = pictureFormat(bytes);
  if (kind === undefined) throw new TilepipeError('image-invalid', noPicture(bytes));
  const invalid = (error: unknown): never => {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    const what = `the ${kind.format} picture of ${bytes.byteLength} bytes cannot be decoded: ${reason}`;
    throw new TilepipeError('image-invalid', what, { cause: error });
  };
  const picture = sharp(bytes, { failOn: 'error', limitInputPixels: false, autoOrient: true });
  const size = await uprightSize(picture, kind.library).catch(invalid);
  if (size.width * size.height > limits.maxPixels) {
    throw new TilepipeError(
      'image-too-large',
      `the picture has ${size.width} x ${size.height} pixels, the limit (limits.maxPixels) is ${limits.maxPixels}`,
    );
  }
  if (preprocess.resize === 'none' && (size.width !== format.width || size.height !== format.height)) {
    throw new TilepipeError(
      'image-invalid',
      `the picture has ${size.width} x ${size.height} pixels, the model wants ${format.width} x ${format.height} ` +
        'and preprocess.resize is none',
    );
  }
  const placement = place(size, format, preprocess);
  const { crop, resized } = placement;
  if (crop.width < size.width || crop.height < size.height) picture.extract({ ...crop });
  const { fill } = preprocess;
  const { data, info } = await picture
    .resize(resized.width, resized.height, { fit: 'fill', kernel: 'cubic' })
    .flatten({ background: { r: fill, g: fill, b: fill } })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch(invalid);
  const bands = info.channels === 1 ? 1 : 3;
  const pixels = { width: info.width, height: info.height, bands, bytes: data } as const;
  writeTensor(format, pixels, placement, target);
  const tensor = { name: format.name, dtype: format.dtype, shape: format.shape, bytes: target };
  return { tensor, letterbox: placement.letterbox };
}

/** Longest message that may be the name of a file. */
const NAME_BYTES = 512;

/** What came instead of a picture file. A program that found no file often sends nothing, or the file's name. */
function noPicture(bytes: Uint8Array): string {
  if (bytes.byteLength === 0) return 'the message is empty: the sender may have found no file';
  const name = bytes.byteLength <= NAME_BYTES ? Buffer.from(bytes).toString('utf8') : '';
  if (/^[^\p{C}]+\.(jpe?g|png|webp)\s*$/iu.test(name))
    return `the message is the name of a file, "${name.trim()}", not the picture itself`;
  return `${bytes.byteLength} bytes are no JPEG, PNG or WebP file`;
}

/** Width and height by the header, turned as the camera says. Rejects where the library takes the file for another type. */
async function uprightSize(picture: Sharp, expected: string): Promise<Size> {
  const { format, width, height, orientation = 1 } = await picture.metadata();
  if (format !== expected) throw new Error(`it is taken for ${format}`);
  return orientation >= 5 ? { width: height, height: width } : { width, height };
}
