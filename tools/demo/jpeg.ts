/** Pictures as JPEG files, as a camera sends them. */

import sharp from 'sharp';

export const JPEG_QUALITY = 85;

/**
 * A baseline JPEG file.
 * @param pixels RGB interleaved, 3 * width * height bytes
 * @param quality 1 to 100
 */
export async function encodeJpeg(
  pixels: Uint8Array,
  width: number,
  height: number,
  quality: number = JPEG_QUALITY,
): Promise<Buffer> {
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality })
    .toBuffer();
}

/** Left, top, width and height of a part of a picture, as shares of it. */
export type Crop = readonly [left: number, top: number, width: number, height: number];

/** A baseline JPEG file of a part of a picture file, upright. */
export async function croppedJpeg(file: string, crop: Crop, quality: number): Promise<Buffer> {
  const upright = sharp(file).rotate().removeAlpha().raw();
  const { data, info } = await upright.toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const [left, top, across, down] = crop;
  return sharp(data, { raw: { width, height, channels } })
    .extract({
      left: Math.floor(left * width),
      top: Math.floor(top * height),
      width: Math.floor(across * width),
      height: Math.floor(down * height),
    })
    .toColourspace('srgb')
    .jpeg({ quality })
    .toBuffer();
}
