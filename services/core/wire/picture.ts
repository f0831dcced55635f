/** Tensors that can travel as pictures: bytes of 1 or 3 channels, all axes before rows, columns and channels of one element. */

import type { PictureCodec } from './codecs.ts';

export interface PictureLayout {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Whether each channel lies in one piece (NCHW), not each pixel (NHWC). */
  readonly planes: boolean;
}

/** Longest side of a picture: of WebP its format's, of JPEG libjpeg's. */
export const MOST_SIDE: Readonly<Record<PictureCodec, number>> = { png: 65_535, webp: 16_383, jpeg: 65_500 };

/**
 * How a tensor of this shape is a picture: [..., rows, columns, channels] if the last axis has 1 or 3 elements, else
 * [..., channels, rows, columns]; undefined where it is neither, or too large for the codec. Both ends go by the shape alone.
 */
export function pictureLayout(shape: readonly number[], codec: PictureCodec): PictureLayout | undefined {
  const [a = 0, b = 0, c = 0] = shape.slice(-3);
  if (shape.length < 3 || shape.slice(0, -3).some((extent) => extent !== 1)) return undefined;
  const planes = !isChannels(c);
  const [height, width, channels] = planes ? [b, c, a] : [a, b, c];
  if (!isChannels(channels) || Math.min(height, width) < 1) return undefined;
  if (Math.max(height, width) > MOST_SIDE[codec]) return undefined;
  return { width, height, channels, planes };
}

function isChannels(extent: number): extent is 1 | 3 {
  return extent === 1 || extent === 3;
}

/** The elements pixel by pixel. */
export function toPixels(elements: Uint8Array, { planes, channels }: PictureLayout): Uint8Array {
  if (!planes || channels === 1) return elements;
  const area = elements.length / 3;
  const pixels = new Uint8Array(elements.length);
  for (let i = 0, at = 0; i < area; i++, at += 3) {
    pixels[at] = elements[i] as number;
    pixels[at + 1] = elements[area + i] as number;
    pixels[at + 2] = elements[2 * area + i] as number;
  }
  return pixels;
}

/** The other way round. */
export function fromPixels(pixels: Uint8Array, { planes, channels }: PictureLayout): Uint8Array {
  // Memory of a native library cannot be handed to another thread (Node 24).
  if (!planes || channels === 1) return new Uint8Array(pixels);
  const area = pixels.length / 3;
  const elements = new Uint8Array(pixels.length);
  for (let i = 0, at = 0; i < area; i++, at += 3) {
    elements[i] = pixels[at] as number;
    elements[area + i] = pixels[at + 1] as number;
    elements[2 * area + i] = pixels[at + 2] as number;
  }
  return elements;
}
