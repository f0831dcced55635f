/** What a worker keeps of what it sent: by plan, frame and receiver, within its bytes. */

import { expect, it } from 'vitest';
import type { Delivery } from '../../services/core/flow/plan-index.ts';
import { layoutMessage } from '../../services/core/wire/encode.ts';
import type { MessageMeta } from '../../services/core/wire/message.ts';
import { type KeptStrip, KeptStrips } from '../../services/worker/kept-strips.ts';

const meta = (frame: string, task = 'a', attempt = 1): MessageMeta => ({
  kind: 'data',
  plan: 'p',
  frame,
  task,
  extra: { attempt },
});

function strip(sent: MessageMeta): KeptStrip {
  const delivery: Delivery = { to: 'worker', worker: 'w', pieces: [] };
  return { delivery, message: layoutMessage(sent, [{ name: 't', dtype: 'uint8', shape: [40] }]) };
}

const left = (): boolean => false;
const BYTES = strip(meta('f00')).message.framed.byteLength;

it('finds what some tasks of a frame made for one worker', () => {
  const kept = new KeptStrips(10 * BYTES);
  kept.keep('w', strip(meta('f', 'a')));
  kept.keep('w', strip(meta('f', 'b')));
  kept.keep('v', strip(meta('f', 'a')));
  const found = kept.again(meta('f'), 'w', new Set(['a', 'c']), left);
  expect(found.map(({ message }) => message.meta.task)).toEqual(['a']);
  expect(kept.again(meta('g'), 'w', new Set(['a']), left)).toEqual([]);
  expect(kept.again({ ...meta('f'), plan: 'q' }, 'w', new Set(['a']), left)).toEqual([]);
});

it('keeps those of the newest attempt, until the frame is given up', () => {
  const kept = new KeptStrips(10 * BYTES);
  kept.keep('w', strip(meta('f', 'a', 1)));
  kept.keep('w', strip(meta('f', 'a', 2)));
  kept.keep('w', strip(meta('f', 'b', 1)));
  const found = (attempt: number): number =>
    kept.again(meta('f', 'a', attempt), 'w', new Set(['a']), left).length;
  expect([found(1), found(2)]).toEqual([0, 1]);
  kept.drop(meta('f'));
  expect([kept.bytes, kept.forgotten, found(2)]).toEqual([0, 0, 0]);
});

it('keeps what a task made twice once, and gives it out three times', () => {
  const kept = new KeptStrips(10 * BYTES);
  const first = strip(meta('f'));
  kept.keep('w', first);
  kept.keep('w', { ...first, message: strip(meta('f')).message });
  expect(kept.bytes).toBe(first.message.framed.byteLength);
  const times = Array.from({ length: 5 }, () => kept.again(meta('f'), 'w', new Set(['a']), left).length);
  expect(times).toEqual([1, 1, 1, 0, 0]);
});

it('gives out nothing that still waits here, and counts it as not given out', () => {
  const kept = new KeptStrips(10 * BYTES);
  const late = strip(meta('f', 'a'));
  for (const each of [late, strip(meta('f', 'b'))]) kept.keep('w', each);
  const given = (waits: (of: KeptStrip) => boolean): (string | undefined)[] =>
    kept.again(meta('f'), 'w', new Set(['a', 'b']), waits).map(({ message }) => message.meta.task);
  for (let asked = 0; asked < 3; asked++)
    expect(given(({ message }) => message === late.message)).toEqual(['b']);
  expect(given(left)).toEqual(['a']);
});

it('forgets the oldest frames beyond its bytes, and nothing else', () => {
  const name = (frame: number): string => `f${String(frame).padStart(2, '0')}`;
  const kept = new KeptStrips(3.5 * BYTES);
  for (let frame = 0; frame < 50; frame++) {
    kept.keep('w', strip(meta(name(frame))));
    expect(kept.bytes).toBeLessThanOrEqual(3.5 * BYTES);
  }
  expect(kept.forgotten).toBe(47);
  const there = (frame: number): boolean =>
    kept.again(meta(name(frame)), 'w', new Set(['a']), left).length > 0;
  expect([46, 47, 48, 49].map(there)).toEqual([false, true, true, true]);
});

it('keeps the last strips of a frame that has more than it keeps', () => {
  const kept = new KeptStrips(3 * BYTES);
  const found = (task: number): number => kept.again(meta('f00'), 'w', new Set([`${task}`]), left).length;
  for (let task = 0; task < 8; task++) {
    kept.keep('w', strip(meta('f00', `${task}`)));
    expect(found(task)).toBe(1);
  }
  expect([kept.forgotten, found(4), found(5), found(6)]).toEqual([5, 0, 1, 1]);
});
