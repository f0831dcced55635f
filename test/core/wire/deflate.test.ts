import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { tensorBytes } from '../../../services/core/tensor/dtype.ts';
import { decodeBody } from '../../../services/core/wire/decode.ts';
import { deflated } from '../../../services/core/wire/deflate.ts';
import { encodeMessage } from '../../../services/core/wire/encode.ts';
import type { Message, TensorData } from '../../../services/core/wire/message.ts';

const all = ({ tensors }: Message) => new Set(tensors.map(({ name }) => name));

function packed(message: Message, names: ReadonlySet<string> = all(message)) {
  return deflated(encodeMessage(message), message.tensors, names);
}

const tensor = fc
  .tuple(
    fc.constantFrom<TensorData['dtype']>('float32', 'float16', 'uint8', 'int64'),
    fc.array(fc.nat(7), { maxLength: 4 }),
    fc.infiniteStream(fc.nat(255)),
    fc.boolean(),
  )
  .map(([dtype, shape, values, zeros]): Omit<TensorData, 'name'> => {
    const bytes = Uint8Array.from({ length: tensorBytes(dtype, shape) }, () =>
      zeros ? 0 : (values.next().value as number),
    );
    return { dtype, shape, bytes };
  });

/** A body whose only tensor says that it is deflated. */
function claiming(bytes: Uint8Array, as: unknown, entry: object = {}): Buffer {
  const header = JSON.stringify({
    __metadata__: {
      kind: 'data',
      codecs: JSON.stringify({ t: 'deflate' }),
      ...(as === undefined ? {} : { packed: JSON.stringify({ t: as }) }),
    },
    t: { dtype: 'U8', shape: [bytes.length], data_offsets: [0, bytes.length], ...entry },
  });
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, Buffer.from(padded), bytes]);
}

describe('deflate', () => {
  it('gives back any tensors, deflated or not', () => {
    fc.assert(
      fc.property(fc.array(tensor, { maxLength: 4 }), fc.array(fc.boolean()), (tensors, wanted) => {
        const named = tensors.map((each, i) => ({ ...each, name: `t${i}` }));
        const names = new Set(named.filter((_, i) => wanted[i] !== false).map(({ name }) => name));
        const message = packed({ meta: { kind: 'task', task: 'b0', deadlineMs: 5 }, tensors: named }, names);
        const got = decodeBody(message.body, 'task');
        expect(got.meta.task).toBe('b0');
        for (const { name, dtype, shape, bytes } of named) {
          const found = got.tensors.find((each) => each.name === name);
          expect(found).toMatchObject({ dtype, shape: [...shape] });
          expect(Buffer.from(found?.bytes ?? []).equals(bytes)).toBe(true);
        }
      }),
    );
  });

  it('leaves what does not get smaller, and what nobody asked for', () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => (i * 167 + 13) & 255);
    const message: Message = {
      meta: { kind: 'data' },
      tensors: [
        { name: 'noise', dtype: 'uint8', shape: [64], bytes },
        { name: 'zeros', dtype: 'float32', shape: [64], bytes: new Uint8Array(256) },
      ],
    };
    const laid = encodeMessage(message);
    expect(deflated(laid, message.tensors, new Set())).toBe(laid);
    expect(deflated(laid, message.tensors, new Set(['noise']))).toBe(laid);
    const { meta } = decodeBody(packed(message).body);
    expect(meta.codecs).toEqual({ zeros: 'deflate' });
    expect(meta.packed).toEqual({ zeros: { dtype: 'F32', shape: [64] } });
  });

  it('keeps the codec of a tensor beside it', () => {
    const floats = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
    const tensors: TensorData[] = [
      { name: 'half', dtype: 'float32', shape: [4], bytes: floats },
      { name: 'zeros', dtype: 'float32', shape: [64], bytes: new Uint8Array(256) },
    ];
    const laid = encodeMessage({ meta: { kind: 'data', codecs: { half: 'fp16' } }, tensors });
    const { tensors: got } = decodeBody(deflated(laid, tensors, new Set(['zeros'])).body);
    expect(got.map(({ name }) => name).sort()).toEqual(['half', 'zeros']);
    expect(Buffer.from(got.find(({ name }) => name === 'half')?.bytes ?? []).equals(floats)).toBe(true);
  });

  const zeros = deflateRawSync(new Uint8Array(4000));
  const good = { dtype: 'F32', shape: [10, 100] };

  test('what is described rightly is taken', () => {
    const [tensor] = decodeBody(claiming(zeros, good)).tensors;
    expect(tensor).toMatchObject({ name: 't', dtype: 'float32', shape: [10, 100] });
  });

  test.each([
    ['says nothing of what it unpacks to', claiming(zeros, undefined)],
    ['is of a type nobody knows', claiming(zeros, { dtype: 'F31', shape: [1000] })],
    ['has nine axes', claiming(zeros, { dtype: 'F32', shape: [1000, 1, 1, 1, 1, 1, 1, 1, 1] })],
    ['unpacks to more than it says', claiming(zeros, { dtype: 'F32', shape: [999] })],
    ['unpacks to less than it says', claiming(zeros, { dtype: 'F32', shape: [1001] })],
    ['says more than deflate can make of it', claiming(zeros, { dtype: 'F32', shape: [2 ** 20] })],
    ['unpacks to nothing', claiming(deflateRawSync(new Uint8Array(0)), { dtype: 'F32', shape: [0] })],
    ['is no deflated data', claiming(new Uint8Array(50).fill(255), good)],
    ['is cut short', claiming(zeros.subarray(0, -1), good)],
    ['is not bytes', claiming(new Uint8Array(8), good, { dtype: 'F32', shape: [2] })],
    ['has two axes', claiming(new Uint8Array(8), good, { shape: [2, 4] })],
  ])('a tensor that %s is refused', (_, body) => {
    expect(() => decodeBody(body)).toThrow(expect.objectContaining({ reason: 'codec' }));
  });

  test.each([[5], [{ dtype: 4, shape: [1] }], [{ dtype: 'F32', shape: [-1] }], [{ dtype: 'F32' }]])(
    'what it unpacks to is never %j',
    (as) => {
      expect(() => decodeBody(claiming(zeros, as))).toThrow(
        expect.objectContaining({ reason: 'metadata-value' }),
      );
    },
  );

  test('a receiver unpacks no more than its largest body', () => {
    expect(() => decodeBody(claiming(zeros, good), undefined, 3999)).toThrow(
      expect.objectContaining({ reason: 'codec' }),
    );
    expect(decodeBody(claiming(zeros, good), undefined, 4000).tensors).toHaveLength(1);
  });
});
