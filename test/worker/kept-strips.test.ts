/** What a worker keeps of what it sent: by plan, frame and receiver, within its bytes. */

import { expect, it } from 'vitest';
import type { PlanIndex } from '../../services/core/flow/plan-index.ts';
import type { MessageMeta } from '../../services/core/wire/message.ts';
import { type KeptStrip, KeptStrips } from '../../services/worker/kept-strips.ts';

const meta = (frame: string, task = 'a'): MessageMeta => ({ kind: 'data', plan: 'p', frame, task });

function strip(frame: string, bytes: number, task?: string): KeptStrip {
  const tensor = { name: 't', dtype: 'uint8' as const, shape: [bytes], bytes: new Uint8Array(bytes) };
  const piece = { tensor, region: [[0, bytes]] as const };
  return {
    index: {} as PlanIndex,
    delivery: { to: 'worker', worker: 'w', pieces: [] },
    pieces: [piece],
    meta: meta(frame, task),
  };
}

it('finds what some tasks of a frame made for one worker', () => {
  const kept = new KeptStrips(100);
  kept.keep('w', strip('f', 10, 'a'));
  kept.keep('w', strip('f', 10, 'b'));
  kept.keep('v', strip('f', 10, 'a'));
  expect(kept.find(meta('f'), 'w', new Set(['a', 'c'])).map((each) => each.meta.task)).toEqual(['a']);
  expect(kept.find(meta('g'), 'w', new Set(['a']))).toEqual([]);
  expect(kept.find({ ...meta('f'), plan: 'q' }, 'w', new Set(['a']))).toEqual([]);
});

it('keeps those of the newest attempt, until the frame is given up', () => {
  const kept = new KeptStrips(100);
  const again = (attempt: number): KeptStrip => {
    const first = strip('f', 10);
    return { ...first, meta: { ...first.meta, extra: { attempt } } };
  };
  kept.keep('w', strip('f', 10));
  kept.keep('w', again(2));
  expect(kept.bytes).toBe(10);
  expect(kept.find(meta('f'), 'w', new Set(['a']))).toEqual([]);
  expect(kept.find({ ...meta('f'), extra: { attempt: 2 } }, 'w', new Set(['a']))).toHaveLength(1);
  kept.drop(meta('f'));
  expect([kept.bytes, kept.forgotten]).toEqual([0, 0]);
});

it('forgets the oldest frames beyond its bytes, and nothing else', () => {
  const kept = new KeptStrips(100);
  for (let frame = 0; frame < 50; frame++) {
    kept.keep('w', strip(`f${frame}`, 30));
    expect(kept.bytes).toBeLessThanOrEqual(100);
  }
  expect(kept.forgotten).toBe(47);
  const there = (frame: number): boolean => kept.find(meta(`f${frame}`), 'w', new Set(['a'])).length > 0;
  expect([46, 47, 48, 49].map(there)).toEqual([false, true, true, true]);
});
