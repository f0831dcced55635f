import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CODEC_NAMES, isDeflated, isLossless, isPictureCodec } from '../../../services/core/wire/codecs.ts';
import { layoutCoded, unscaled, type WantedTensor } from '../../../services/core/wire/coded-message.ts';
import { decodeBody } from '../../../services/core/wire/decode.ts';
import { deflated } from '../../../services/core/wire/deflate.ts';
import type { LaidMessage } from '../../../services/core/wire/encode.ts';
import { WireError } from '../../../services/core/wire/wire-error.ts';

const bytesOf = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);
const wanted = (name: string, codec: string, values: readonly number[]): WantedTensor => ({
  name,
  dtype: 'float32',
  shape: [values.length],
  codec,
  elements: bytesOf(values),
});

function made(tensors: readonly WantedTensor[]): LaidMessage {
  const packed = tensors.filter(({ codec }) => isDeflated(codec)).map(({ name }) => name);
  return deflated(layoutCoded({ kind: 'data' }, tensors), tensors, new Set(packed));
}

function readBack(message: LaidMessage): Map<string, number[]> {
  const { tensors } = decodeBody(Buffer.from(message.body), 'data');
  return new Map(
    tensors.map(({ name, dtype, bytes }) => {
      expect(dtype).toBe('float32');
      return [name, [...new Float32Array(Uint8Array.from(bytes).buffer)]];
    }),
  );
}

const codecs = CODEC_NAMES.filter((codec) => !isPictureCodec(codec));
const tensors = fc
  .uniqueArray(
    fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'scales', '7'),
      codec: fc.constantFrom(...codecs),
      values: fc.array(
        fc.integer({ min: -40, max: 40 }).map((value) => value / 8),
        { maxLength: 60 },
      ),
      // Rows of one value get smaller.
      repeat: fc.boolean(),
    }),
    { maxLength: 4, selector: ({ name }) => name },
  )
  .map((list) =>
    list.map(({ name, codec, values, repeat }) => {
      const all = repeat ? values.flatMap((value) => Array.from({ length: 20 }, () => value)) : values;
      return { codec, values: all, tensor: wanted(name, codec, all) };
    }),
  );

describe('messages by codecs', () => {
  test('come back, tensor by tensor, within what each codec keeps', () => {
    fc.assert(
      fc.property(tensors, (list) => {
        const message = made(list.map(({ tensor }) => tensor));
        const back = readBack(message);
        expect(back.size).toBe(list.length);
        for (const { codec, values, tensor } of list) {
          const [step] = message.meta.scales?.[tensor.name] ?? [0];
          const most = isLossless(codec) ? 0 : Math.max(1e-2, step / 2 + 1e-6);
          const got = back.get(tensor.name) as number[];
          expect(got.length).toBe(values.length);
          expect(values.every((value, i) => Math.abs(value - (got[i] as number)) <= most)).toBe(true);
        }
      }),
    );
  });

  test('a piece with a value that is not finite goes as it is, and is counted', () => {
    const list = [
      wanted('good', 'uint8', [0, 1, 2]),
      wanted('bad', 'uint8', [0, Number.NaN, 2]),
      wanted('long', 'uint8+deflate', new Array(400).fill(Number.POSITIVE_INFINITY)),
      wanted('half', 'fp16', [0, 65_519]),
      wanted('wide', 'fp16', [0, -65_520]),
    ];
    const message = made(list);
    expect(message.meta.codecs).toEqual({ good: 'uint8', long: 'deflate', half: 'fp16' });
    expect(unscaled(message, list)).toBe(3);
    const back = readBack(message);
    expect(back.get('bad')).toEqual([0, Number.NaN, 2]);
    expect(back.get('half')).toEqual([0, 65_504]);
    expect(back.get('wide')).toEqual([0, -65_520]);
    expect(new Set(back.get('long'))).toEqual(new Set([Number.POSITIVE_INFINITY]));
  });

  test('names say how: bytes, deflated on top where that is less', () => {
    const zeros = made([wanted('x', 'uint8+deflate', new Array(1000).fill(0)), wanted('y', 'fp16', [1])]);
    expect(zeros.meta).toMatchObject({
      codecs: { x: 'uint8+deflate', y: 'fp16' },
      packed: { x: { dtype: 'U8', shape: [1000] } },
      scales: { x: [1, 0] },
    });
    const few = made([wanted('x', 'uint8+deflate', [0, 1, 2])]);
    expect(few.meta.codecs).toEqual({ x: 'uint8' });
    expect(few.meta.packed).toBeUndefined();
  });

  test('changed in any character of its header, one is read or refused as a whole', () => {
    const { body } = made([
      wanted('x', 'uint8', [0, 1, 2, 3]),
      wanted('z', 'uint8+deflate', new Array(100).fill(1)),
    ]);
    const length = Number(body.readBigUInt64LE(0));
    const character = fc.constantFrom(...'"{}[],:0179eE-.+uxz \\NaI');
    fc.assert(
      fc.property(fc.nat(length - 1), character, (at, put) => {
        const copy = Buffer.from(body);
        copy.write(put, 8 + at, 'latin1');
        try {
          decodeBody(copy, 'data');
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 400 },
    );
  });
});
