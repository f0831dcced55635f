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
