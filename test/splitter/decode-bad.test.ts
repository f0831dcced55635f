import { crc32 } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { settle } from '../../services/core/vision/settings.ts';
import { decodeFrame, frameReader } from '../../services/splitter/decode.ts';

const frames = frameReader(
  { name: 'x', dtype: 'float32', shape: [1, 3, 32, 32] },
  settle({ limits: { maxImageBytes: 200_000, maxPixels: 1_000_000 } }),
);

/** A picture that does not compress, so that cuts fall into its scan. */
function noise(width = 160, height = 120): Sharp {
  const pixels = new Uint8Array(width * height * 3);
  let state = 1;
  for (let i = 0; i < pixels.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    pixels[i] = state >>> 24;
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** A PNG that claims a size and holds next to nothing. */
function bomb(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', Buffer.alloc(20)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

async function refused(file: Uint8Array, code: string, text: string): Promise<void> {
  await expect(decodeFrame(frames, file)).rejects.toMatchObject({
    name: 'TilepipeError',
    code,
    message: expect.stringContaining(text),
  });
}

let jpeg: Buffer;
beforeAll(async () => {
  jpeg = await noise().jpeg({ quality: 90 }).toBuffer();
});

describe('decodeFrame refuses', () => {
  it.each([3, 4, 20, 100, 400])('a JPEG cut after %i bytes', async (bytes) => {
    await refused(jpeg.subarray(0, bytes), 'image-invalid', 'JPEG');
  });

  it.each([0.2, 0.5, 0.9, 0.99])('a JPEG cut after %f of it, and one in scans', async (part) => {
    await refused(jpeg.subarray(0, Math.floor(jpeg.length * part)), 'image-invalid', 'JPEG');
    const scans = await noise().jpeg({ progressive: true }).toBuffer();
    await refused(scans.subarray(0, Math.floor(scans.length * part)), 'image-invalid', 'JPEG');
  });

  it('a JPEG that lacks its end', async () => {
    await refused(jpeg.subarray(0, -2), 'image-invalid', 'JPEG');
  });

  it.each([0.1, 0.5, 0.98])('a PNG and a WebP cut after %f of them', async (part) => {
    const png = await noise().png().toBuffer();
    await refused(png.subarray(0, Math.floor(png.length * part)), 'image-invalid', 'PNG');
    const webp = await noise().webp().toBuffer();
    await refused(webp.subarray(0, Math.floor(webp.length * part)), 'image-invalid', 'WebP');
  });

  it('a PNG with a damaged chunk', async () => {
    const png = await noise().png().toBuffer();
    const middle = Math.floor(png.length / 2);
    png[middle] = (png[middle] as number) ^ 0xff;
    await refused(png, 'image-invalid', 'PNG');
  });

  it('nothing, text and formats it does not read', async () => {
    await refused(new Uint8Array(0), 'image-invalid', 'the message is empty');
    await refused(
      Buffer.from('/tmp/no such.JPG\n'),
      'image-invalid',
      'the name of a file, "/tmp/no such.JPG"',
    );
    await refused(
      Buffer.from('not a picture at all, but a line of text\n'),
      'image-invalid',
      'no JPEG, PNG or WebP',
    );
    await refused(await noise().gif().toBuffer(), 'image-invalid', 'no JPEG, PNG or WebP');
    await refused(await noise(8, 8).tiff().toBuffer(), 'image-invalid', 'no JPEG, PNG or WebP');
    await refused(
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      'image-invalid',
      'no JPEG',
    );
  });

  it.each(['GIF89aWEBPWEBPWEBP', 'RIFF', 'RIFX....WEBPVP8 '])(
    'a WebP by half of its marks: %s',
    async (text) => {
      await refused(Buffer.from(text), 'image-invalid', 'no JPEG, PNG or WebP');
    },
  );

  it('another type behind the marks of one it reads', async () => {
    const svg =
      'xmlns="http://www.w3.org/2000/svg" width="32" height="32"><rect width="32" height="32"/></svg>';
    await refused(Buffer.from(`<svg a="WEBP" ${svg}`), 'image-invalid', 'no JPEG, PNG or WebP');
    await refused(Buffer.from(`RIFF<svgWEBP ${svg}`), 'image-invalid', 'the WebP picture');
    const tiff = await noise(8, 8).tiff().toBuffer();
    tiff.write('WEBP', 8, 'latin1');
    await refused(tiff, 'image-invalid', 'no JPEG, PNG or WebP');
  });

  it('too many bytes before it looks at them', async () => {
    await refused(new Uint8Array(200_001), 'image-too-large', '200001 bytes');
  });

  it('too many pixels by the header: were they decoded, the hollow file would be invalid instead', async () => {
    await refused(bomb(30_000, 30_000), 'image-too-large', '30000 x 30000');
    await refused(bomb(100, 100), 'image-invalid', 'PNG');
    await refused(await noise(1010, 1000).jpeg({ quality: 1 }).toBuffer(), 'image-too-large', '1010 x 1000');
  });

  it('sizes at which a product of 32 bits would overflow', async () => {
    await refused(bomb(65_536, 65_536), 'image-too-large', '65536 x 65536');
    await refused(bomb(0, 100), 'image-invalid', 'PNG');
  });

  it('and then reads the next frame', async () => {
    await refused(jpeg.subarray(0, 300), 'image-invalid', 'JPEG');
    const { letterbox } = await decodeFrame(frames, jpeg);
    expect(letterbox.image).toEqual({ width: 160, height: 120 });
  });
});
