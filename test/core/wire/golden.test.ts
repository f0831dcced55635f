import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { DType } from '../../../services/core/graph/types.ts';
import { Assembler } from '../../../services/core/wire/assembler.ts';
import { encodeMessage, parts } from '../../../services/core/wire/encode.ts';
import type { MessageMeta } from '../../../services/core/wire/message.ts';

/** See golden/make.py, which writes these files. */
interface Vector {
  readonly parts: readonly string[];
  readonly meta?: MessageMeta;
  readonly tensors?: readonly { name: string; dtype: DType; shape: number[]; hex: string }[];
  readonly encoder?: 'canonical' | 'foreign';
  readonly id?: string;
  readonly maxMessageBytes?: number;
  readonly misaligned?: number;
  readonly reason?: string;
}

const folder = new URL('./golden/', import.meta.url);
const vectors = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file) => [file, JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Vector] as const);
const payloads = (vector: Vector): Buffer[] =>
  vector.parts.map((file) => readFileSync(new URL(file, folder)));
const sound = vectors.filter(([, { reason }]) => reason === undefined);
const broken = vectors.filter(([, { reason }]) => reason !== undefined);
const canonical = sound.filter(([, { encoder }]) => encoder === 'canonical');

describe('golden vectors', () => {
  test('there are some of each sort', () => {
    expect([canonical.length, sound.length, broken.length]).toEqual([8, 10, 17]);
  });

  test.each(sound)('%s is read', (_, vector) => {
    const assembler = new Assembler({ now: () => 0 });
    const messages = payloads(vector).map((payload) => assembler.accept('t', payload));
    const message = messages.pop();
    expect(messages.every((early) => early === undefined)).toBe(true);
    expect(message?.meta).toEqual(vector.meta);
    const tensors = message?.tensors.map(({ bytes, ...rest }) => ({
      ...rest,
      hex: Buffer.from(bytes).toString('hex'),
    }));
    expect(tensors).toEqual(vector.tensors);
    const { misaligned, rejected } = assembler.counters();
    expect(rejected).toEqual({});
    expect(misaligned).toBe(vector.misaligned);
  });

  test.each(canonical)('%s is written, byte for byte', (_, vector) => {
    const tensors = (vector.tensors ?? []).map(({ hex, ...rest }) => ({
      ...rest,
      bytes: Buffer.from(hex, 'hex'),
    }));
    const message = encodeMessage({ meta: vector.meta as MessageMeta, tensors });
    const made = parts(message, vector.maxMessageBytes as number, undefined, BigInt(vector.id as string));
    expect(made.map((payload) => payload.toString('hex'))).toEqual(
      payloads(vector).map((payload) => payload.toString('hex')),
    );
  });

  test.each(broken)('%s is refused by its reason', (_, vector) => {
    const reasons: string[] = [];
    const assembler = new Assembler({ now: () => 0, onReject: ({ reason }) => reasons.push(reason) });
    expect(assembler.accept('t', payloads(vector)[0] as Buffer)).toBeUndefined();
    expect(reasons).toEqual([vector.reason]);
  });
});
