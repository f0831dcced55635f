/** Tensors as picture files: every value kept, or nearly; what is no such picture is refused. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pictureOf, withPicturesRead } from '../../../services/core/control/picture-codec.ts';
import type { PictureCodec } from '../../../services/core/wire/codecs.ts';
import type { Message, TensorData } from '../../../services/core/wire/message.ts';
import { MOST_SIDE } from '../../../services/core/wire/picture.ts';

const message = (shape: readonly number[], bytes: Uint8Array, picture: PictureCodec): Message => ({
  meta: { kind: 'task' },
  tensors: [{ name: 'x', dtype: 'uint8', shape, bytes, picture }],
});

async function back(shape: readonly number[], bytes: Uint8Array, picture: PictureCodec): Promise<TensorData> {
  return (await withPicturesRead(message(shape, bytes, picture))).tensors[0] as TensorData;
}

/** A lossless WebP file of two pixels with an alpha channel, which no tensor has a place for. */
const TRANSPARENT = 'UklGRiAAAABXRUJQVlA4TBMAAAAvAQAAEA8wMoMyPAMY8KhARP8DAA==';

const smooth = (shape: readonly number[]) =>
  Uint8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 128 + 100 * Math.sin(i / 500));

describe('tensors as pictures', () => {
  test.each(['png', 'webp'] as const)(
    '%s keeps every value, in whatever order the channels lie',
    async (codec) => {
      const shapes = fc
        .tuple(
          fc.integer({ min: 1, max: 9 }),
          fc.integer({ min: 1, max: 9 }),
          fc.constantFrom(1, 3),
          fc.boolean(),
        )
        .map(([rows, columns, channels, planes]) => [
          1,
          ...(planes ? [channels, rows, columns] : [rows, columns, channels]),
        ]);
      const property = fc.asyncProperty(shapes, fc.infiniteStream(fc.nat(255)), async (shape, stream) => {
        const bytes = Uint8Array.from(stream.take(shape.reduce((a, b) => a * b, 1)));
        const file = (await pictureOf(bytes, shape, codec)) as Buffer;
        const tensor = await back(shape, file, codec);
        expect(tensor).toEqual({ name: 'x', dtype: 'uint8', shape, bytes: expect.anything() });
        expect([...tensor.bytes]).toEqual([...bytes]);
      });
      await fc.assert(property, { numRuns: 40 });
    },
  );

  test.each([[[1, 48, 64, 3]], [[1, 3, 48, 64]], [[48, 64, 1]]])('jpeg of %j nearly', async (shape) => {
    const bytes = smooth(shape);
    const file = (await pictureOf(bytes, shape, 'jpeg')) as Buffer;
    expect(file.length).toBeLessThan(bytes.length / 2);
    const tensor = await back(shape, file, 'jpeg');
    expect(Math.max(...tensor.bytes.map((value, i) => Math.abs(value - (bytes[i] as number))))).toBeLessThan(
      12,
    );
  });

  test('other shapes have none', async () => {
    for (const shape of [[9], [3, 3], [2, 4, 4, 3], [1, 4, 4, 2], [1, 4, 4, 4], [1, 0, 4, 3]])
      expect(await pictureOf(new Uint8Array(0), shape, 'png')).toBeUndefined();
  });

  test.each(['png', 'webp', 'jpeg'] as const)('%s as long as it may be, and no longer', async (codec) => {
    const most = MOST_SIDE[codec];
    for (const shape of [
      [1, most, 1],
      [most, 1, 1],
    ]) {
      const bytes = smooth(shape);
      const file = (await pictureOf(bytes, shape, codec)) as Buffer;
      const tensor = await back(shape, file, codec);
      expect(tensor.bytes.length).toBe(most);
      if (codec !== 'jpeg') expect(Buffer.compare(tensor.bytes, bytes)).toBe(0);
      const longer = shape.map((extent) => (extent === most ? most + 1 : extent));
      expect(await pictureOf(smooth(longer), longer, codec)).toBeUndefined();
    }
  });

  test('what is no picture, another one, damaged, or another size, is refused', async () => {
    const shape = [1, 20, 30, 3];
    const png = (await pictureOf(smooth(shape), shape, 'png')) as Buffer;
    const webp = (await pictureOf(smooth(shape), shape, 'webp')) as Buffer;
    const jpeg = (await pictureOf(smooth(shape), shape, 'jpeg')) as Buffer;
    const gray = (await pictureOf(smooth([20, 30, 1]), [20, 30, 1], 'png')) as Buffer;
    const huge = (await pictureOf(new Uint8Array(4_000_000), [2000, 2000, 1], 'png')) as Buffer;
    const bad: [Uint8Array, PictureCodec, readonly number[]][] = [
      [png, 'jpeg', shape],
      [jpeg, 'png', shape],
      [png, 'webp', shape],
      [webp, 'png', shape],
      [webp.subarray(0, webp.length / 2), 'webp', shape],
      [webp, 'webp', [1, 30, 20, 3]],
      [Buffer.from(TRANSPARENT, 'base64'), 'webp', [1, 2, 3]],
      [png, 'png', [1, 30, 20, 3]],
      [jpeg, 'jpeg', [1, 10, 30, 3]],
      [huge, 'png', [1, 2, 2, 1]],
      [png.subarray(0, png.length / 2), 'png', shape],
      [jpeg.subarray(0, 40), 'jpeg', shape],
      [png.subarray(0, 8), 'png', shape],
      [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"/>'), 'png', shape],
    ];
    for (const [bytes, picture, as] of bad)
      await expect(back(as, bytes, picture)).rejects.toMatchObject({ reason: 'codec' });
    // Red, green and blue may all be gray, and the size is right: there is a reading of it.
    expect((await back(shape, gray, 'png')).bytes.length).toBe(1800);
  });
});
