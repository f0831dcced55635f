/** Messages as fast-check makes them. */

import fc from 'fast-check';
import type { DType } from '../../../services/core/graph/types.ts';
import { DTYPES, tensorBytes } from '../../../services/core/tensor/dtype.ts';
import type { Region } from '../../../services/core/tensor/region.ts';
import {
  MESSAGE_KINDS,
  type Message,
  type MessageMeta,
  type TensorData,
} from '../../../services/core/wire/message.ts';

const dtypes = Object.keys(DTYPES) as DType[];
const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'binary', maxLength: 10 }));
/** Names that trouble programs: numbers, prototype members, quotes, the deadline's own key. */
const names = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 12 }),
    fc.constantFrom(
      '495',
      '0',
      'constructor',
      'toString',
      'a"b\\',
      '/model.0/conv/Conv_output_0',
      '"deadlineMs":"',
    ),
  )
  .filter((name) => name !== '__proto__' && name !== '__metadata__');

const tensor = (name: string): fc.Arbitrary<TensorData> =>
  fc
    .tuple(
      fc.constantFrom(...dtypes),
      fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 4 }),
      fc.nat(255),
    )
    .map(([dtype, shape, seed]) => {
      const bytes = new Uint8Array(tensorBytes(dtype, shape)).map((_, i) => (seed + i * 37) & 0xff);
      return { name, dtype, shape, bytes };
    });

const region = (shape: readonly number[], begin: number): Region =>
  shape.map((extent) => [begin, begin + extent] as const);

const time = fc.integer({ min: 0, max: 10_000_000 }).map((value) => value / 8);

/** Whole milliseconds, as a deadline is on the wire. */
const deadline = fc.integer({ min: 0, max: 2 ** 33 });

const scalars: fc.Arbitrary<Partial<MessageMeta>> = fc.record(
  {
    sender: text,
    pipeline: text,
    plan: text,
    frame: text,
    sequence: fc.maxSafeNat(),
    source: text,
    task: text,
    reply: text,
    merger: text,
    splitter: text,
    deadlineMs: deadline,
    receivedMs: time,
    startedMs: time,
    endedMs: time,
    code: text,
    message: text,
    extra: fc.jsonValue().filter((value) => value !== null),
  },
  { requiredKeys: [] },
);

/** Any message the types allow, with codec raw. */
export const messages: fc.Arbitrary<Message> = fc
  .tuple(
    fc.constantFrom(...MESSAGE_KINDS),
    scalars,
    fc.uniqueArray(names, { maxLength: 6 }).chain((list) => fc.tuple(...list.map(tensor))),
    fc.boolean(),
    fc.nat(100),
  )
  .map(([kind, meta, tensors, withRegions, begin]) => {
    if (!withRegions || tensors.length === 0) return { meta: { kind, ...meta }, tensors };
    const regions = Object.fromEntries(tensors.map(({ name, shape }) => [name, region(shape, begin)]));
    return { meta: { kind, ...meta, regions }, tensors };
  });

/** Tensors by name, comparable: their order on the wire is by element size. */
export function byName(tensors: readonly TensorData[]): object {
  return Object.fromEntries(
    tensors.map(({ name, dtype, shape, bytes }) => [
      `=${name}`,
      { dtype, shape, bytes: Buffer.from(bytes).toString('hex') },
    ]),
  );
}
