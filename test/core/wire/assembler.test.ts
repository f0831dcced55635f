import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Assembler, type AssemblerOptions } from '../../../services/core/wire/assembler.ts';
import { encodeMessage, layoutMessage, parts } from '../../../services/core/wire/encode.ts';
import type { Message } from '../../../services/core/wire/message.ts';
import { byName, messages } from './arbitrary.ts';

/** A message of `count` parts of 1024 bytes. */
function partsOf(count: number, frame = 'f'): Buffer[] {
  const laid = layoutMessage({ kind: 'data', frame }, [
    { name: 'x', dtype: 'uint8', shape: [count * 992 - 300] },
  ]);
  laid.bytes('x').forEach((_, i, bytes) => {
    bytes[i] = i & 0xff;
  });
  const made = parts(laid, 1024);
  expect(made.length).toBe(count);
  return made;
}

function assembler(options: Partial<AssemblerOptions> = {}) {
  const reasons: string[] = [];
  let time = 0;
  const made = new Assembler({ now: () => time, onReject: ({ reason }) => reasons.push(reason), ...options });
  return {
    made,
    reasons,
    advance: (ms: number): void => {
      time += ms;
    },
  };
}

describe('the assembler', () => {
  test('puts any split together in any order, with any parts repeated', () => {
    fc.assert(
      fc.property(
        messages,
        fc.integer({ min: 1024, max: 3000 }),
        fc.infiniteStream(fc.nat()),
        (sent, limit, random) => {
          const padded: Message = {
            ...sent,
            tensors: [
              ...sent.tensors,
              { name: ' padding', dtype: 'uint8', shape: [5000], bytes: new Uint8Array(5000).fill(7) },
            ],
          };
          const { made, reasons } = assembler();
          const payloads = parts(encodeMessage({ ...padded, meta: { kind: sent.meta.kind } }), limit);
          const order = [...payloads, ...payloads.filter((_, i) => i % 3 === 0)]
            .map((payload) => [random.next().value as number, payload] as const)
            .sort(([a], [b]) => a - b);
          const received = order
            .map(([, payload]) => made.accept('t', payload))
            .filter((message) => message !== undefined);
          expect(reasons).toEqual([]);
          expect(received.length).toBe(1);
          expect(byName(received[0]?.tensors ?? [])).toEqual(byName(padded.tensors));
          expect(made.counters().duplicates).toBe(order.length - payloads.length);
          expect(made.heldBytes).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('keeps messages of several senders apart', () => {
    const { made } = assembler();
    const [a, b] = [partsOf(2, 'a'), partsOf(2, 'b')];
    const frames = [a[1], b[0], b[1], a[0]].map((payload) => made.accept('t', payload as Buffer)?.meta.frame);
    expect(frames).toEqual([undefined, undefined, 'b', 'a']);
  });

  test('gives up what grows old, and takes it when sent anew', () => {
    const { made, advance } = assembler({ maxAgeMs: 100 });
    const payloads = partsOf(3);
    made.accept('t', payloads[0] as Buffer);
    advance(101);
    made.accept('t', payloads[1] as Buffer);
    expect(made.counters().expired).toBe(1);
    expect(made.accept('t', payloads[2] as Buffer)).toBeUndefined();
    expect(made.accept('t', payloads[0] as Buffer)).toBeDefined();
  });

  test('never holds more messages or bytes than allowed; a flood costs its own topic first', () => {
    const { made } = assembler({ maxMessages: 3, maxBodyBytes: 10_000, maxBytes: 10_000 });
    const mine = partsOf(2, 'mine');
    made.accept('quiet', mine[0] as Buffer);
    for (let i = 0; i < 10; i++) {
      made.accept('loud', partsOf(4)[0] as Buffer);
      expect(made.heldBytes).toBeLessThanOrEqual(10_000);
    }
    expect(made.counters().evicted).toBe(8);
    expect(made.accept('quiet', mine[1] as Buffer)?.meta.frame).toBe('mine');
  });

  test('allocates nothing for a body larger than it takes', () => {
    const { made, reasons } = assembler({ maxBodyBytes: 2000 });
    made.accept('t', partsOf(4)[0] as Buffer);
    expect(reasons).toEqual(['body-size']);
    expect(made.heldBytes).toBe(0);
  });

  test('refuses a part that disagrees with the message it claims to be of', () => {
    const { made, reasons } = assembler();
    const id = 77n;
    const of = (bytes: number, limit: number): Buffer[] =>
      parts(
        layoutMessage({ kind: 'data' }, [{ name: 'x', dtype: 'uint8', shape: [bytes] }]),
        limit,
        undefined,
        id,
      );
    const right = of(3000, 1024);
    expect(right.length).toBe(4);
    made.accept('t', right[0] as Buffer);
    for (const wrong of [of(3000, 1100)[1], of(5000, 1024)[1], of(3500, 1200)[2]])
      made.accept('t', wrong as Buffer);
    expect(reasons).toEqual(['part-conflict', 'part-conflict', 'part-conflict']);
    const rest = right.slice(1).map((payload) => made.accept('t', payload));
    expect(rest.at(-1)).toBeDefined();
  });

  test('counts tensors it had to copy because the payload began at an odd byte', () => {
    const { made } = assembler();
    const laid = layoutMessage({ kind: 'data' }, [
      { name: 'x', dtype: 'float32', shape: [2] },
      { name: 'y', dtype: 'uint8', shape: [2] },
    ]);
    laid.bytes('x').fill(1);
    laid.bytes('y').fill(2);
    const [payload] = parts(laid, 900_000) as [Buffer];
    const odd = Buffer.from(new ArrayBuffer(payload.length + 1), 1);
    payload.copy(odd);
    const message = made.accept('t', odd);
    expect(message?.tensors.map(({ bytes }) => [...bytes])).toEqual([
      [1, 1, 1, 1, 1, 1, 1, 1],
      [2, 2],
    ]);
    expect((message?.tensors[0]?.bytes.byteOffset ?? 1) % 4).toBe(0);
    expect(made.counters()).toMatchObject({ misaligned: 1, messages: 1, parts: 1, bytes: payload.length });
  });

  test('uses the memory of a released message for the next', () => {
    const { made } = assembler();
    const receive = () =>
      partsOf(3)
        .map((payload) => made.accept('t', payload))
        .at(-1);
    const first = receive();
    const memory = first?.tensors[0]?.bytes.buffer;
    first?.release();
    first?.release();
    expect(receive()?.tensors[0]?.bytes.buffer).toBe(memory);
    expect(receive()?.tensors[0]?.bytes.buffer).not.toBe(memory);
  });
});
