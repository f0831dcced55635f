import { describe, expect, test } from 'vitest';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import { seededRandom } from '../../../services/core/runtime/seeded-random.ts';
import { Assembler } from '../../../services/core/wire/assembler.ts';
import { crc32 } from '../../../services/core/wire/crc32.ts';
import { decodeBody } from '../../../services/core/wire/decode.ts';
import { encodeMessage, layoutMessage, parts } from '../../../services/core/wire/encode.ts';
import { readEnvelope } from '../../../services/core/wire/envelope.ts';
import type { Message } from '../../../services/core/wire/message.ts';
import { WIRE_REASONS, WireError, type WireReason } from '../../../services/core/wire/wire-error.ts';

const META = { kind: 'data', task: 'b0' };
const ENTRY = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };

/** A body from a header as it is given, and as many bytes of data. */
function bodyOf(header: unknown, data = 8): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, 0x20)]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, Buffer.alloc(data, 1)]);
}

const withMeta = (meta: object, entries: object = { x: ENTRY }): Buffer =>
  bodyOf({ __metadata__: { ...META, ...meta }, ...entries });
const withEntry = (entry: unknown, data = 8): Buffer => bodyOf({ __metadata__: META, x: entry }, data);

/** A whole part around a body, right but for what `change` does to it; sealed with a matching checksum first. */
function payloadOf(body: Buffer, change: (payload: Buffer) => Buffer | undefined = () => undefined): Buffer {
  const payload = Buffer.concat([Buffer.alloc(32), body]);
  payload.write('TPIP', 0, 'latin1');
  payload.set([1, 4, 0, 0, 0, 0, 1, 0], 4);
  payload.writeUInt32LE(body.length, 12);
  payload.writeUInt32LE(crc32(body), 28);
  return change(payload) ?? payload;
}

const write =
  (value: number, at: number, bytes: 1 | 2 | 4) =>
  (payload: Buffer): undefined => {
    payload.writeUIntLE(value, at, bytes);
  };

const right = withMeta({});
/** A tensor of bytes that stand for values, and its entry. */
const BYTES = { codecs: '{"x":"uint8"}' };
const ROW = { x: { dtype: 'U8', shape: [8], data_offsets: [0, 8] } };
const manyTensors = Object.fromEntries(
  Array.from({ length: 257 }, (_, i) => [`t${i}`, { dtype: 'U8', shape: [0], data_offsets: [0, 0] }]),
);

const BROKEN: readonly (readonly [WireReason, string, Buffer])[] = [
  ['too-short', 'nothing', Buffer.alloc(0)],
  ['too-short', '31 bytes', payloadOf(right).subarray(0, 31)],
  ['magic', 'another magic', payloadOf(right, write(0x58, 3, 1))],
  ['version', 'version 0', payloadOf(right, write(0, 4, 1))],
  ['version', 'version 2', payloadOf(right, write(2, 4, 1))],
  ['kind', 'kind 0', payloadOf(right, write(0, 5, 1))],
  ['kind', 'kind 10', payloadOf(right, write(10, 5, 1))],
  ['flags', 'a flag', payloadOf(right, write(0x8000, 6, 2))],
  ['part-index', 'no parts', payloadOf(right, write(0, 10, 2))],
  ['part-index', 'part 1 of 1', payloadOf(right, write(1, 8, 2))],
  ['body-size', 'a body of 15 bytes', payloadOf(right, write(15, 12, 4))],
  ['body-size', 'a body of 4 GB', payloadOf(right, write(0xffffffff, 12, 4))],
  ['part-arithmetic', 'an offset in a message of one part', payloadOf(right, write(8, 16, 4))],
  ['part-arithmetic', 'a longer body than there is', payloadOf(right, write(right.length + 1, 12, 4))],
  ['part-arithmetic', 'an empty part', payloadOf(right).subarray(0, 32)],
  ['part-arithmetic', 'a first part longer than its body needs', payloadOf(right, write(3, 10, 2))],
  ['checksum', 'a flipped bit', payloadOf(right, write(0, 40, 1))],
  [
    'header-length',
    'a header beyond the body',
    payloadOf(Buffer.concat([Buffer.from([0xf8, 0xff, 0, 0, 0, 0, 0, 0]), right.subarray(8)])),
  ],
  [
    'header-length',
    'a header of 2^63 bytes',
    payloadOf(Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0, 0x80]), right.subarray(8)])),
  ],
  ['header-length', 'a header of 65544 bytes', payloadOf(bodyOf(`{"__metadata__":{}}${' '.repeat(65_525)}`))],
  [
    'header-length',
    'a header that leaves the data misaligned',
    payloadOf(Buffer.concat([Buffer.from([0x39, 0, 0, 0, 0, 0, 0, 0]), right.subarray(8)])),
  ],
  ['header-text', 'no JSON', payloadOf(bodyOf('{"__metadata__":'))],
  ['header-text', 'an array', payloadOf(bodyOf([META]))],
  ['header-text', 'null', payloadOf(bodyOf('null    '))],
  [
    'header-text',
    'bytes that are no UTF-8',
    payloadOf(Buffer.concat([Buffer.from([8, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{"\xff": 1}', 'latin1')])),
  ],
  ['header-text', 'ten thousand brackets', payloadOf(bodyOf('['.repeat(10_000)))],
  ['metadata', 'no metadata', payloadOf(bodyOf({ x: ENTRY }))],
  [
    'metadata',
    'a number in the metadata',
    payloadOf(bodyOf({ __metadata__: { ...META, sequence: 7 }, x: ENTRY })),
  ],
  ['metadata', 'an array for metadata', payloadOf(bodyOf({ __metadata__: [], x: ENTRY }))],
  ['metadata-kind', 'another kind than the envelope', payloadOf(withMeta({ kind: 'task' }))],
  ['metadata-kind', 'no kind', payloadOf(bodyOf({ __metadata__: { task: 'b0' }, x: ENTRY }))],
  ['metadata-value', 'a negative sequence', payloadOf(withMeta({ sequence: '-1' }))],
  ['metadata-value', 'a fractional sequence', payloadOf(withMeta({ sequence: '1.5' }))],
  [
    'metadata-value',
    'a sequence beyond the safe integers',
    payloadOf(withMeta({ sequence: '9007199254740993' })),
  ],
  ['metadata-value', 'a deadline in hexadecimal', payloadOf(withMeta({ deadlineMs: '0x10' }))],
  ['metadata-value', 'an empty stamp', payloadOf(withMeta({ receivedMs: '' }))],
  ['metadata-value', 'an infinite stamp', payloadOf(withMeta({ endedMs: 'Infinity' }))],
  ['metadata-value', 'extra that is no JSON', payloadOf(withMeta({ extra: '{' }))],
  ['metadata-value', 'codecs that are an array', payloadOf(withMeta({ codecs: '[]' }))],
  ['metadata-value', 'a codec that is a number', payloadOf(withMeta({ codecs: '{"x":1}' }))],
  ['metadata-value', 'a name of 129 characters', payloadOf(withMeta({ frame: 'f'.repeat(129) }))],
  ['metadata-value', 'a topic of 257 characters', payloadOf(withMeta({ reply: 't'.repeat(257) }))],
  ['tensor-count', '257 tensors', payloadOf(bodyOf({ __metadata__: META, ...manyTensors }, 0))],
  ['tensor-name', 'an empty name', payloadOf(withMeta({}, { '': ENTRY }))],
  [
    'tensor-name',
    'the prototype',
    payloadOf(
      bodyOf('{"__metadata__":{"kind":"data"},"__proto__":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'),
    ),
  ],
  ['tensor-name', 'a name of 513 characters', payloadOf(withMeta({}, { ['n'.repeat(513)]: ENTRY }))],
  ['tensor-entry', 'a string', payloadOf(withEntry('x'))],
  ['tensor-entry', 'no shape', payloadOf(withEntry({ dtype: 'F32', data_offsets: [0, 8] }))],
  ['tensor-dtype', 'a type of its own', payloadOf(withEntry({ ...ENTRY, dtype: 'F8_E5M2' }))],
  ['tensor-dtype', 'a member of every object', payloadOf(withEntry({ ...ENTRY, dtype: 'toString' }))],
  ['tensor-shape', 'nine axes', payloadOf(withEntry({ ...ENTRY, shape: [1, 1, 1, 1, 1, 1, 1, 1, 2] }))],
  ['tensor-shape', 'a negative extent', payloadOf(withEntry({ ...ENTRY, shape: [-2] }))],
  ['tensor-shape', 'a fractional extent', payloadOf(withEntry({ ...ENTRY, shape: [1.5] }))],
  ['tensor-shape', 'an extent in a string', payloadOf(withEntry({ ...ENTRY, shape: ['2'] }))],
  ['tensor-offsets', 'backwards', payloadOf(withEntry({ ...ENTRY, data_offsets: [8, 0] }))],
  [
    'tensor-offsets',
    'beyond the data',
    payloadOf(withEntry({ ...ENTRY, shape: [4], data_offsets: [0, 16] })),
  ],
  ['tensor-offsets', 'before the data', payloadOf(withEntry({ ...ENTRY, data_offsets: [-8, 0] }))],
  ['tensor-offsets', 'three of them', payloadOf(withEntry({ ...ENTRY, data_offsets: [0, 8, 8] }))],
  ['tensor-bytes', 'a larger shape than the bytes', payloadOf(withEntry({ ...ENTRY, shape: [3] }))],
  [
    'tensor-bytes',
    'a shape beyond the safe integers',
    payloadOf(withEntry({ ...ENTRY, shape: [2 ** 50, 2 ** 50, 2 ** 50] })),
  ],
  ['tensor-gap', 'bytes after the last tensor', payloadOf(withEntry(ENTRY, 16))],
  [
    'tensor-gap',
    'bytes before the first tensor',
    payloadOf(withEntry({ ...ENTRY, data_offsets: [8, 16] }, 16)),
  ],
  ['tensor-gap', 'two tensors in one place', payloadOf(withMeta({}, { x: ENTRY, y: ENTRY }))],
  ['region', 'a region of a stranger', payloadOf(withMeta({ regions: '{"y":[[0,2]]}' }))],
  ['region', 'a region of another extent', payloadOf(withMeta({ regions: '{"x":[[0,3]]}' }))],
  ['region', 'a region of another rank', payloadOf(withMeta({ regions: '{"x":[[0,2],[0,1]]}' }))],
  ['region', 'a range that ends before it begins', payloadOf(withMeta({ regions: '{"x":[[2,0]]}' }))],
  ['region', 'a fractional range', payloadOf(withMeta({ regions: '{"x":[[0.5,2.5]]}' }))],
  ['region', 'regions that are an array', payloadOf(withMeta({ regions: '[]' }))],
  ['codec', 'a codec nobody has', payloadOf(withMeta({ codecs: '{"x":"lz4"}' }))],
  ['codec', 'a codec that does not fit', payloadOf(withMeta({ codecs: '{"x":"fp16"}' }))],
  ['codec', 'a codec of a stranger', payloadOf(withMeta({ codecs: '{"y":"raw"}' }))],
  ['codec', 'bytes without a scale', payloadOf(withMeta(BYTES, ROW))],
  ['codec', 'a scale of a stranger', payloadOf(withMeta({ scales: '{"y":[1,0]}' }))],
  ['codec', 'single precision for bytes', payloadOf(withMeta({ ...BYTES, scales: '{"x":[1,0]}' }))],
  ...['[1e999,0]', '[0,0]', '[-1,0]', '["1",0]', '[1,256]', '[1,0.5]', '[1]', '[1,0,0]', 'null', '1'].map(
    (scale) =>
      [
        'metadata-value',
        `${scale} for a scale`,
        payloadOf(withMeta({ ...BYTES, scales: `{"x":${scale}}` }, ROW)),
      ] as const,
  ),
  ...[
    '{}',
    '{"x":{"dtype":"F32","shape":[1,1,1]}}',
    '{"x":{"dtype":"U8","shape":[]}}',
    '{"x":{"dtype":"U8","shape":[2,2,3,3]}}',
    '{"x":{"dtype":"U8","shape":[2,3,4]}}',
    '{"x":{"dtype":"U8","shape":[65536,1,1]}}',
    '{"x":{"dtype":"U8","shape":[1000000,1000000,3]}}',
  ].map(
    (packed) =>
      [
        'codec',
        `a picture of ${packed}`,
        payloadOf(withMeta({ codecs: '{"x":"jpeg"}', packed }, ROW)),
      ] as const,
  ),
];

function reasonOf(payload: Buffer): WireReason | undefined {
  let reason: WireReason | undefined;
  const assembler = new Assembler({
    now: () => 0,
    onReject: (error) => {
      reason = error.reason;
    },
  });
  const message = assembler.accept('t', payload);
  expect(message === undefined || reason === undefined).toBe(true);
  return reason;
}

describe('a broken message', () => {
  test('is told from a right one', () => {
    expect(reasonOf(payloadOf(right))).toBeUndefined();
  });

  test.each(BROKEN)('%s: %s', (reason, _, payload) => {
    expect(reasonOf(payload)).toBe(reason);
  });

  test('has a reason for every row of the table', () => {
    const seen = new Set(BROKEN.map(([reason]) => reason));
    // The assembler's own test provokes this one: it takes two parts.
    expect(Object.keys(WIRE_REASONS).filter((reason) => !seen.has(reason as WireReason))).toEqual([
      'part-conflict',
    ]);
  });

  test('says its code, reason and detail', () => {
    const error = new WireError('version', '9');
    expect(error).toBeInstanceOf(TilepipeError);
    expect(error.code).toBe('wire-invalid');
    expect(error.message).toContain('version');
    expect(error.message).toContain('9');
  });

  test('cannot reach the prototype of anything', () => {
    const meta =
      '{"kind":"data","extra":"{\\"__proto__\\":{\\"polluted\\":1}}","regions":"{\\"__proto__\\":[[0,2]]}"}';
    expect(reasonOf(payloadOf(bodyOf(`{"__metadata__":${meta},"x":${JSON.stringify(ENTRY)}}`)))).toBe(
      'region',
    );
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

/** A small generator of numbers, so that a failure can be repeated from its index. */
function random(seed: number): (below: number) => number {
  const next = seededRandom(seed);
  return (below) => Math.floor(below * next());
}

type Random = (below: number) => number;
const pick = (from: readonly string[], next: Random): string => from[next(from.length)] as string;
const NUMBERS = [
  '-1',
  '0',
  '1',
  '7',
  '8',
  '255',
  '4294967296',
  '9007199254740993',
  '1e308',
  '1.5',
  'null',
  '"8"',
  '[]',
  '{}',
];
const STRINGS = [
  '',
  '0',
  '-1',
  '1e9',
  'kind',
  'task',
  '__proto__',
  'constructor',
  'F64',
  'I8',
  'BF16',
  'fp16',
  'shape',
  'x',
  '[[0,1]]',
  '{}',
];
const MARKS = ['"', '{', '}', '[', ']', ',', ':', '\\u0000', ' '];

/** A number for a number, a string for a string, and now and then a mark that breaks the text. */
function substitute(target: string, next: Random): string {
  if (next(8) === 0) return pick(MARKS, next);
  return target.startsWith('"') ? JSON.stringify(pick(STRINGS, next)) : pick(NUMBERS, next);
}

/** Replaces one number, string or mark of the JSON header, keeping the rest of the message right. */
function mutateHeader(payload: Buffer, next: Random): Buffer {
  const body = payload.subarray(32);
  const length = Number(body.readBigUInt64LE(0));
  const header = body.toString('utf8', 8, 8 + length).trimEnd();
  const targets = [...header.matchAll(/\d+|"[^"]*"/g)];
  const target = targets[next(targets.length)] as RegExpMatchArray;
  const at = target.index ?? 0;
  const changed = header.slice(0, at) + substitute(target[0], next) + header.slice(at + target[0].length);
  return payloadOf(Buffer.concat([bodyOf(changed, 0), body.subarray(8 + length)]), (made) => {
    made.set(payload.subarray(4, 12), 4);
    return made;
  });
}

/** One change that knows where things are; most keep the checksum right, so that what lies behind it is reached. */
function mutate(payload: Buffer, other: Buffer, next: Random): Buffer {
  const copy = Buffer.from(payload);
  const choice = next(10);
  if (choice <= 4 && copy.readUInt16LE(10) === 1) return mutateHeader(copy, next);
  if (choice === 5) copy.writeUInt8(next(256), next(32));
  else if (choice === 6) return copy.subarray(0, next(copy.length + 1));
  else if (choice === 7) return Buffer.concat([copy, other.subarray(0, next(other.length))]);
  else if (choice === 8) copy.writeUIntLE(next(2 ** 16), 8 + 4 * next(3), next(2) === 0 ? 2 : 4);
  else copy.writeUInt8(next(256), 32 + next(copy.length - 32));
  if (next(4) > 0 && copy.length > 32) copy.writeUInt32LE(crc32(copy.subarray(32)), 28);
  return copy;
}

describe('mutated messages', () => {
  test('10,000 of them: each is read or refused with a reason, and nothing else happens', () => {
    const seeds: Message[] = [
      { meta: { kind: 'done', task: 'b0.t1', receivedMs: 1, startedMs: 2.5, endedMs: 3 }, tensors: [] },
      {
        meta: {
          kind: 'task',
          task: 'b1',
          sequence: 3,
          deadlineMs: 100,
          regions: {
            map: [
              [0, 2],
              [1, 3],
            ],
          },
          extra: { a: [1, 'x'] },
        },
        tensors: [{ name: 'map', dtype: 'float32', shape: [2, 2], bytes: new Uint8Array(16) }],
      },
      {
        meta: { kind: 'data', task: 'b1', codecs: { h: 'fp16' } },
        tensors: [
          { name: 'h', dtype: 'float32', shape: [3], bytes: new Uint8Array(12) },
          { name: '7', dtype: 'int64', shape: [1], bytes: new Uint8Array(8) },
          { name: 'b', dtype: 'bool', shape: [1, 5], bytes: new Uint8Array(5) },
        ],
      },
      {
        meta: { kind: 'data', task: 'b0' },
        tensors: [{ name: 'x', dtype: 'uint8', shape: [2500], bytes: new Uint8Array(2500) }],
      },
    ];
    const next = random(20_240_607);
    const outcomes: Record<string, number> = {};
    let reached = 0;
    const assembler = new Assembler({
      now: () => 0,
      maxBodyBytes: 100_000,
      maxMessages: 8,
      onReject: (error) => {
        expect(error).toBeInstanceOf(TilepipeError);
        outcomes[error.reason] = (outcomes[error.reason] ?? 0) + 1;
      },
    });
    for (let i = 0; i < 10_000; i++) {
      const payloads = parts(encodeMessage(seeds[next(seeds.length)] as Message), 1024);
      const payload = mutate(payloads[next(payloads.length)] as Buffer, payloads[0] as Buffer, next);
      if (!firstChecksFail(payload)) reached++;
      const before = Object.values(outcomes).reduce((a, b) => a + b, 0);
      const message = assembler.accept('t', payload);
      if (message !== undefined) outcomes['(read)'] = (outcomes['(read)'] ?? 0) + 1;
      else if (Object.values(outcomes).reduce((a, b) => a + b, 0) === before)
        outcomes['(waits)'] = (outcomes['(waits)'] ?? 0) + 1;
      expect(assembler.heldBytes).toBeLessThanOrEqual(200_000);
    }
    expect(Object.values(outcomes).reduce((a, b) => a + b, 0)).toBe(10_000);
    expect(reached).toBeGreaterThan(3000);
    expect(Object.keys(outcomes).length).toBeGreaterThan(18);
    process.stdout.write(
      `mutations by outcome, ${reached} passed length, magic and version: ${JSON.stringify(outcomes)}\n`,
    );
  });

  test('a body alone never fails otherwise than with WireError', () => {
    const next = random(99);
    const body = layoutMessage({ kind: 'data', regions: { x: [[0, 4]] } }, [
      { name: 'x', dtype: 'uint8', shape: [4] },
    ]).body;
    for (let i = 0; i < 5000; i++) {
      const copy = Buffer.from(body);
      for (let n = 0; n <= next(4); n++) copy.writeUInt8(next(256), next(copy.length));
      try {
        decodeBody(copy, 'data');
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }
  });
});

function firstChecksFail(payload: Buffer): boolean {
  try {
    readEnvelope(payload);
    return false;
  } catch (error) {
    return error instanceof WireError && ['too-short', 'magic', 'version'].includes(error.reason);
  }
}
