import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import type { DType } from '../../services/core/graph/types.ts';
import type { Pipeline } from '../../services/core/schema/generated/pipeline.ts';
import { settle } from '../../services/core/vision/settings.ts';
import { decodeFrame, frameReader } from '../../services/splitter/decode.ts';

const RED = { r: 200, g: 30, b: 60 };

function reader(
  pipeline: Pipeline = {},
  shape: readonly number[] = [1, 3, 16, 16],
  dtype: DType = 'float32',
) {
  return frameReader({ name: 'x', dtype, shape }, settle({ preprocess: { divide: 1 } }, pipeline));
}

/** Left half red, right half blue. */
function halves(width = 32, height = 16): Sharp {
  const blue = {
    create: { width: width / 2, height, channels: 3, background: { r: 0, g: 0, b: 250 } },
  } as const;
  return sharp({ create: { width, height, channels: 3, background: RED } }).composite([
    { input: blue, left: width / 2, top: 0 },
  ]);
}

async function values(file: Uint8Array, frames = reader()): Promise<Float32Array> {
  const { tensor } = await decodeFrame(frames, file);
  return new Float32Array(tensor.bytes.slice().buffer);
}

/** Red, green and blue of one pixel of a 16 x 16 tensor, rounded. */
function pixel(tensor: Float32Array, x: number, y: number): number[] {
  return [0, 1, 2].map((channel) => Math.round(tensor[channel * 256 + y * 16 + x] as number));
}

describe('decodeFrame', () => {
  it.each(['png', 'jpeg', 'webp'] as const)('letterboxes a %s and says where it lies', async (format) => {
    const options = format === 'png' ? {} : { quality: 100, chromaSubsampling: '4:4:4' };
    const file = await halves().toFormat(format, options).toBuffer();
    const { tensor, letterbox } = await decodeFrame(reader(), file);
    expect(tensor).toMatchObject({ name: 'x', dtype: 'float32', shape: [1, 3, 16, 16] });
    expect(letterbox).toEqual({
      image: { width: 32, height: 16 },
      input: { width: 16, height: 16 },
      scaleX: 0.5,
      scaleY: 0.5,
      offsetX: 0,
      offsetY: 4,
    });
    const decoded = new Float32Array(tensor.bytes.slice().buffer);
    expect(pixel(decoded, 3, 3)).toEqual([114, 114, 114]);
    expect(pixel(decoded, 3, 12)).toEqual([114, 114, 114]);
    const left = pixel(decoded, 2, 8);
    const right = pixel(decoded, 13, 8);
    [200, 30, 60].forEach((value, channel) => {
      expect(Math.abs((left[channel] as number) - value)).toBeLessThanOrEqual(6);
    });
    [0, 0, 250].forEach((value, channel) => {
      expect(Math.abs((right[channel] as number) - value)).toBeLessThanOrEqual(6);
    });
  });

  it('writes into the memory it is given, at any alignment', async () => {
    const file = await halves().png().toBuffer();
    const expected = await decodeFrame(reader(), file);
    for (const offset of [0, 3]) {
      const message = new Uint8Array(3072 + 16).fill(7);
      const target = message.subarray(offset, offset + 3072);
      const { tensor } = await decodeFrame(reader(), file, target);
      expect(tensor.bytes).toBe(target);
      expect([...target]).toEqual([...expected.tensor.bytes]);
      expect([...message.subarray(offset + 3072)].every((byte) => byte === 7)).toBe(true);
    }
  });

  it('refuses a target of another size', async () => {
    const file = await halves().png().toBuffer();
    await expect(decodeFrame(reader(), file, new Uint8Array(10))).rejects.toMatchObject({ code: 'internal' });
  });

  it('stretches and crops', async () => {
    const file = await halves().png().toBuffer();
    const stretched = await values(file, reader({ preprocess: { resize: 'stretch' } }));
    expect(pixel(stretched, 2, 0)).toEqual([200, 30, 60]);
    expect(pixel(stretched, 13, 15)).toEqual([0, 0, 250]);
    const cropped = await values(file, reader({ preprocess: { resize: 'crop' } }));
    expect(pixel(cropped, 7, 0)).toEqual([200, 30, 60]);
    expect(pixel(cropped, 8, 0)).toEqual([0, 0, 250]);
    const { letterbox } = await decodeFrame(
      reader({ preprocess: { resize: 'crop', anchor: 'top-left' } }),
      file,
    );
    expect(letterbox).toMatchObject({ scaleX: 1, offsetX: 0 });
  });

  it('takes a picture as it is where resize is none, and no other size', async () => {
    const none = reader({ preprocess: { resize: 'none' } });
    const decoded = await values(await halves(16, 16).png().toBuffer(), none);
    expect(pixel(decoded, 7, 3)).toEqual([200, 30, 60]);
    expect(pixel(decoded, 8, 3)).toEqual([0, 0, 250]);
    await expect(decodeFrame(none, await halves().png().toBuffer())).rejects.toMatchObject({
      code: 'image-invalid',
      message: expect.stringContaining('the model wants 16 x 16'),
    });
  });

  it('turns a picture as the camera says, and measures it upright', async () => {
    // Orientation 6: the camera lay on its side, what is left is up.
    const file = await halves(16, 16).withMetadata({ orientation: 6 }).png().toBuffer();
    const decoded = await values(file);
    expect(pixel(decoded, 4, 2)).toEqual([200, 30, 60]);
    expect(pixel(decoded, 4, 13)).toEqual([0, 0, 250]);
    const wide = await halves(32, 16).withMetadata({ orientation: 8 }).png().toBuffer();
    expect((await decodeFrame(reader(), wide)).letterbox).toMatchObject({
      image: { width: 16, height: 32 },
      offsetX: 4,
    });
    const crop = await values(wide, reader({ preprocess: { resize: 'crop', anchor: 'top-left' } }));
    expect(pixel(crop, 4, 8)).toEqual([0, 0, 250]);
  });

  it('reads one pixel', async () => {
    const file = await sharp({ create: { width: 1, height: 1, channels: 3, background: RED } })
      .png()
      .toBuffer();
    const decoded = await values(file);
    expect(pixel(decoded, 0, 0)).toEqual([200, 30, 60]);
    expect(pixel(decoded, 15, 15)).toEqual([200, 30, 60]);
  });

  it('reads a line of pixels', async () => {
    const file = await sharp({ create: { width: 1, height: 9000, channels: 3, background: RED } })
      .png()
      .toBuffer();
    expect((await decodeFrame(reader(), file)).letterbox).toMatchObject({
      offsetX: 7,
      image: { height: 9000 },
    });
    const crop = await values(file, reader({ preprocess: { resize: 'crop' } }));
    expect(pixel(crop, 9, 9)).toEqual([200, 30, 60]);
  });

  it.each(['png', 'jpeg'] as const)('reads a gray %s as equal colours', async (format) => {
    const create = { raw: { width: 16, height: 16, channels: 1 } } as const;
    const gray = sharp(new Uint8Array(256).fill(200), create).toColourspace('b-w');
    const file = await gray.toFormat(format).toBuffer();
    expect((await sharp(file).metadata()).channels).toBe(1);
    const [r, g, b] = pixel(await values(file), 2, 2);
    expect(Math.abs((r as number) - 200)).toBeLessThanOrEqual(3);
    expect([g, b]).toEqual([r, r]);
  });

  it('reads a CMYK JPEG as the colours it shows', async () => {
    const file = await halves(16, 16).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(file).metadata()).space).toBe('cmyk');
    const [red, green, blue] = pixel(await values(file), 2, 8) as [number, number, number];
    expect(red).toBeGreaterThan(150);
    expect(Math.max(green, blue)).toBeLessThan(100);
  });

  it('reads sixteen bits per channel', async () => {
    const file = await halves(16, 16).toColourspace('rgb16').png().toBuffer();
    expect((await sharp(file).metadata()).depth).toBe('ushort');
    expect(pixel(await values(file), 2, 2)).toEqual([200, 30, 60]);
  });

  it('lays transparent pixels on the fill', async () => {
    const create = { width: 16, height: 16, channels: 4, background: { ...RED, alpha: 0 } } as const;
    const clear = await sharp({ create }).png().toBuffer();
    expect(pixel(await values(clear), 5, 5)).toEqual([114, 114, 114]);
    const opaque = await halves(16, 16).ensureAlpha(1).png().toBuffer();
    expect(pixel(await values(opaque), 2, 2)).toEqual([200, 30, 60]);
  });

  it('reads a palette', async () => {
    const file = await halves(16, 16).png({ palette: true, colours: 4 }).toBuffer();
    expect(pixel(await values(file), 13, 2)).toEqual([0, 0, 250]);
  });

  it('makes gray, half precision and bytes', async () => {
    const file = await halves(16, 16).png().toBuffer();
    const gray = await decodeFrame(reader({}, [1, 1, 16, 16]), file);
    const luma = Math.round(0.299 * 200 + 0.587 * 30 + 0.114 * 60);
    expect(new Float32Array(gray.tensor.bytes.slice().buffer)[0]).toBe(luma);
    const bytes = await decodeFrame(reader({}, [1, 16, 16, 3], 'uint8'), file);
    expect([...bytes.tensor.bytes.subarray(0, 3)]).toEqual([200, 30, 60]);
    const half = await decodeFrame(reader({}, [1, 3, 16, 16], 'float16'), file);
    expect(new Uint16Array(half.tensor.bytes.slice().buffer)[0]).toBe(0x5a40);
  });
});
