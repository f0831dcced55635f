import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { whole } from '../../../services/core/tensor/region.ts';
import { Assembler } from '../../../services/core/wire/assembler.ts';
import { BodyPool } from '../../../services/core/wire/body-pool.ts';
import { decodeBody, messagePieces } from '../../../services/core/wire/decode.ts';
import { encodeMessage, layoutMessage, parts } from '../../../services/core/wire/encode.ts';
import { readEnvelope } from '../../../services/core/wire/envelope.ts';
import { MAX_TEXT_LENGTH } from '../../../services/core/wire/limits.ts';
import type { Message } from '../../../services/core/wire/message.ts';
import { METADATA_FIELDS, metadataFromText } from '../../../services/core/wire/metadata.ts';
import { byName, messages } from './arbitrary.ts';

function receive(payloads: readonly Buffer[]): { message: Message | undefined; assembler: Assembler } {
  const assembler = new Assembler({ now: () => 0 });
  let message: Message | undefined;
  for (const payload of payloads) message = assembler.accept('t', payload) ?? message;
  return { message, assembler };
}

/** JSON as it comes out again: -0 is 0, and `__proto__` an own key like any other. */
const throughJson = (value: unknown): unknown =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value));

describe('a message', () => {
  test('comes out as it went in', () => {
    fc.assert(
      fc.property(messages, (sent) => {
        const { message, assembler } = receive(parts(encodeMessage(sent), 900_000));
        expect(assembler.counters().rejected).toEqual({});
        expect(assembler.counters().misaligned).toBe(0);
        expect(message?.meta).toEqual({
          ...sent.meta,
          ...(sent.meta.extra === undefined ? {} : { extra: throughJson(sent.meta.extra) }),
        });
        expect(byName(message?.tensors ?? [])).toEqual(byName(sent.tensors));
      }),
      { numRuns: 500 },
    );
  });

  test('has one body that is a safetensors file: aligned data without holes', () => {
    fc.assert(
      fc.property(messages, (sent) => {
        const { body } = encodeMessage(sent);
        const length = Number(body.readBigUInt64LE(0));
        const header = JSON.parse(body.toString('utf8', 8, 8 + length)) as Record<
          string,
          { data_offsets: [number, number] }
        >;
        const offsets = Object.entries(header)
          .filter(([name]) => name !== '__metadata__')
          .map(([, entry]) => entry.data_offsets)
          .sort(([a, b], [c, d]) => a - c || b - d);
        expect(length % 8).toBe(0);
        expect(offsets.reduce((end, [from, to]) => (from === end ? to : Number.NaN), 0)).toBe(
          body.length - 8 - length,
        );
      }),
    );
  });

  test('is copied nowhere when it fits one part', () => {
    const laid = layoutMessage({ kind: 'data' }, [{ name: 'x', dtype: 'float32', shape: [2] }]);
    laid.bytes('x').set([1, 2, 3, 4, 5, 6, 7, 8]);
    const [payload] = parts(laid, 900_000) as [Buffer];
    expect(payload.buffer).toBe(laid.body.buffer);
    const { tensors } = decodeBody(payload.subarray(32), 'data');
    expect(tensors[0]?.bytes.buffer).toBe(laid.body.buffer);
    expect([...(tensors[0]?.bytes ?? [])]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('sent again has another id and leaves the bytes of the first sending alone', () => {
    const laid = layoutMessage({ kind: 'task', deadlineMs: 1000 }, []);
    const [first] = parts(laid, 900_000, 800) as [Buffer];
    const before = Buffer.from(first);
    const [second] = parts(laid, 900_000, 300) as [Buffer];
    expect(first.equals(before)).toBe(true);
    expect(readEnvelope(second).id).not.toBe(readEnvelope(first).id);
    expect(decodeBody(first.subarray(32)).meta.deadlineMs).toBe(800);
    expect(decodeBody(second.subarray(32)).meta.deadlineMs).toBe(300);
  });

  test('keeps its layout when its deadline is lowered, whatever the other fields hold', () => {
    fc.assert(
      fc.property(messages, fc.integer({ min: 0, max: 10 ** 9 }), (sent, left) => {
        const laid = encodeMessage({ ...sent, meta: { ...sent.meta, deadlineMs: 123_456 } });
        const [payload] = parts(laid, 2 ** 20, left) as [Buffer];
        const { meta, tensors } = decodeBody(payload.subarray(32));
        expect(meta.deadlineMs).toBe(left);
        expect(meta.message).toBe(sent.meta.message);
        expect(byName(tensors)).toEqual(byName(sent.tensors));
      }),
    );
  });

  test('without a deadline is not changed by setting one', () => {
    const laid = layoutMessage({ kind: 'data' }, []);
    const before = Buffer.from(laid.body);
    laid.setDeadline(5);
    expect(laid.body.equals(before)).toBe(true);
  });

  test('rounds a deadline up and bounds it', () => {
    const of = (deadlineMs: number): unknown =>
      decodeBody(layoutMessage({ kind: 'task', deadlineMs }, []).body).meta.deadlineMs;
    expect([0.2, -5, 1e15, Number.NaN].map(of)).toEqual([1, 0, 9_999_999_999, 0]);
  });

  test('cuts what it says to people, on both sides, and never in the middle of a character', () => {
    const said = (message: string): unknown =>
      decodeBody(layoutMessage({ kind: 'error', message }, []).body).meta.message;
    expect(said('x'.repeat(1024))).toBe('x'.repeat(1024));
    expect(said('x'.repeat(70_000))).toBe('x'.repeat(1024));
    expect(said(`${'x'.repeat(1023)}\u{1f600}`)).toBe('x'.repeat(1023));
    expect(metadataFromText({ kind: 'error', message: 'y'.repeat(2000) }, 'error').message).toHaveLength(
      1024,
    );
  });

  test('leaves room for an answer that repeats every name it brought, whatever they take in the header', () => {
    for (const character of ['a', '\u0001', '\u{1f600}', '"']) {
      const longest: Record<string, string> = { kind: 'error' };
      for (const [field, form] of Object.entries(METADATA_FIELDS)) {
        if (form === 'name' || form === 'topic' || form === 'text')
          longest[field] = character.repeat(MAX_TEXT_LENGTH[form] / character.length);
      }
      const meta = metadataFromText(longest, 'error');
      expect(decodeBody(layoutMessage(meta, []).body).meta).toEqual(meta);
    }
  });

  test('gives pieces: the region where it has one, else the whole', () => {
    const sent: Message = {
      meta: { kind: 'data', regions: { a: [[4, 6]] } },
      tensors: [
        { name: 'a', dtype: 'uint8', shape: [2], bytes: Uint8Array.of(1, 2) },
        { name: 'b', dtype: 'uint8', shape: [3, 1], bytes: Uint8Array.of(1, 2, 3) },
      ],
    };
    const pieces = messagePieces(decodeBody(encodeMessage(sent).body));
    expect(pieces.map(({ region }) => region)).toEqual([[[4, 6]], whole([3, 1])]);
  });

  test('with codec fp16 travels in half the bytes and comes out as floats', () => {
    const bytes = new Uint8Array(Float32Array.of(0.1, -3, 70_000).buffer);
    const sent: Message = {
      meta: { kind: 'data', codecs: { x: 'fp16' } },
      tensors: [{ name: 'x', dtype: 'float32', shape: [3], bytes }],
    };
    const laid = encodeMessage(sent);
    expect(laid.bytes('x').length).toBe(6);
    const [tensor] = decodeBody(laid.body).tensors;
    expect(tensor?.dtype).toBe('float32');
    const values = new Float32Array((tensor as { bytes: Uint8Array }).bytes.buffer);
    expect(values[0]).toBeCloseTo(0.1, 4);
    expect([values[1], values[2]]).toEqual([-3, Number.POSITIVE_INFINITY]);
  });

  test.each<[string, () => unknown, RegExp]>([
    [
      'two tensors of one name',
      () => layoutMessage({ kind: 'data' }, [spec('a'), spec('a')]),
      /two tensors "a"/,
    ],
    [
      'an unknown codec',
      () => layoutMessage({ kind: 'data', codecs: { a: 'zip' } }, [spec('a')]),
      /codec "zip"/,
    ],
    [
      'a codec that does not fit',
      () => layoutMessage({ kind: 'data', codecs: { a: 'fp16' } }, [spec('a')]),
      /codec "fp16"/,
    ],
    ['a header beyond 64 KB', () => layoutMessage({ kind: 'open', extra: 'x'.repeat(70_000) }, []), /65536/],
    [
      'too many tensors',
      () =>
        layoutMessage(
          { kind: 'data' },
          Array.from({ length: 257 }, (_, i) => spec(`t${i}`)),
        ),
      /256/,
    ],
    [
      'bytes of another length',
      () => layoutMessage({ kind: 'data' }, [spec('a')]).fill('a', new Uint8Array(3)),
      /3 bytes/,
    ],
    ['a stranger', () => layoutMessage({ kind: 'data' }, [spec('a')]).bytes('b'), /no tensor "b"/],
  ])('refuses to be made with %s', (_, make, error) => {
    expect(make).toThrow(error);
  });
});

const spec = (name: string) => ({ name, dtype: 'uint8', shape: [4] }) as const;

describe('memory of messages', () => {
  const big = { name: 'x', dtype: 'float32', shape: [1000] } as const;

  test('is used again after release, once', () => {
    const pool = new BodyPool(1e6);
    const first = layoutMessage({ kind: 'data' }, [big], pool);
    const memory = first.body.buffer;
    parts(first, 1024);
    first.release();
    first.release();
    expect(layoutMessage({ kind: 'data' }, [big], pool).body.buffer).toBe(memory);
    expect(layoutMessage({ kind: 'data' }, [big], pool).body.buffer).not.toBe(memory);
  });

  test('is not used again when it went out itself', () => {
    const pool = new BodyPool(1e6);
    const laid = layoutMessage({ kind: 'data' }, [big], pool);
    parts(laid, 900_000);
    laid.release();
    expect(pool.freeBytes).toBe(0);
  });

  test('is used again when it went out itself, once, and was received', () => {
    const pool = new BodyPool(1e6);
    const laid = layoutMessage({ kind: 'data' }, [big], pool);
    const memory = laid.body.buffer;
    parts(laid, 900_000);
    laid.release(true);
    laid.release(true);
    expect(pool.freeBytes).toBe(memory.byteLength);
    const twice = layoutMessage({ kind: 'data' }, [big], pool);
    expect(twice.body.buffer).toBe(memory);
    // Whoever got it first may not have read it all yet.
    for (let i = 0; i < 2; i++) parts(twice, 900_000);
    twice.release(true);
    expect(pool.freeBytes).toBe(0);
  });

  test('is kept up to a bound, and not for much smaller messages', () => {
    const pool = new BodyPool(1000);
    pool.give(new ArrayBuffer(600));
    pool.give(new ArrayBuffer(700));
    expect(pool.freeBytes).toBe(700);
    expect(pool.take(100).byteLength).toBe(100);
    expect(pool.take(600).byteLength).toBe(700);
  });
});
