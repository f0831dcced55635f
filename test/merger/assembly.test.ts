/** Frames under way on one plan: pieces in, tasks and finished frames out, and nothing for strangers. */

import { beforeEach, expect, test } from 'vitest';
import { BodyPool } from '../../services/core/wire/body-pool.ts';
import type { Message, MessageMeta, TensorData } from '../../services/core/wire/message.ts';
import { Assembly } from '../../services/merger/assembly.ts';
import { frameBytes, gridPlan } from '../core/flow/plans.ts';
import { announced } from '../support/announced.ts';

const plan = announced(
  gridPlan({
    grids: [
      [1, 1],
      [1, 1],
    ],
  }),
);
const SHAPE = plan.index.plan.tensors.t1?.shape as number[];
const bytes = frameBytes(plan.index.plan);
const open: MessageMeta = { kind: 'open', source: 'door', splitter: 's/in', deadlineMs: 500, sequence: 3 };

let evicted: string[];
let assembly: Assembly;

beforeEach(() => {
  evicted = [];
  assembly = new Assembly(plan, {
    sender: 'm',
    inbox: 'm/in',
    pool: new BodyPool(1e6),
    maxFrames: () => 2,
    evicted: ({ id }, missing) => evicted.push(`${id}: ${missing}`),
  });
});

function made(task: string, tensor: string, fields: Partial<TensorData> = {}): Message {
  const meta: MessageMeta = { kind: 'data', task, sender: 'w', sequence: 3, startedMs: 0, endedMs: 2 };
  const data = { name: tensor, dtype: 'int32' as const, shape: SHAPE, bytes, ...fields };
  return { meta, tensors: [data], release: () => {} } as unknown as Message;
}

test('data of one block makes the task of the next; the last finishes the frame', () => {
  assembly.open('f', open, 0);
  const first = assembly.accept('f', made('b0.t0', 't1'), bytes.length, 10);
  expect(first.finished).toBe(false);
  expect(first.ready.map(({ task }) => task.id)).toEqual(['b1.t0']);
  expect(first.ready[0]?.message.meta).toMatchObject({
    kind: 'task',
    sender: 'm',
    frame: 'f',
    reply: 'm/in',
    merger: 'm/in',
    splitter: 's/in',
    source: 'door',
  });
  expect(assembly.accept('f', made('b0.t0', 't1'), bytes.length, 11).ready).toEqual([]);
  const last = assembly.accept('f', made('b1.t0', 't2'), bytes.length, 20);
  expect(last.finished).toBe(true);
  expect(last.record?.outputs.get('t2')?.bytes).toEqual(new Uint8Array(bytes));
  expect(last.record?.timings(plan.index).map(({ tiles }) => tiles)).toEqual([1, 1]);
  // Late repetitions find nothing to do.
  assembly.drop('f');
  expect(assembly.accept('f', made('b1.t0', 't2'), bytes.length, 30)).toEqual({ ready: [], finished: false });
  expect(assembly.frames).toBe(0);
});

test('data with a hole, of another type, or none at all is not whole', () => {
  expect(assembly.isWhole(made('b0.t0', 't1'))).toBe(true);
  expect(assembly.isWhole(made('b0.t0', 't1', { dtype: 'float32' }))).toBe(false);
  expect(assembly.isWhole(made('b0.t0', 't1', { shape: [1, 2, 6, 10] }))).toBe(false);
  expect(assembly.isWhole(made('b0.t0', 'other'))).toBe(false);
});

test('data that is refused begins no frame', () => {
  expect(assembly.accept('stranger', made('nobody', 't1'), 1, 0).record).toBeUndefined();
  expect(assembly.accept('stranger', made('b0.t0', 'other'), 1, 0).record).toBeUndefined();
  expect(assembly.frames).toBe(0);
});

test('a frame out of time is let go with what it waited for; one more than fit drives out the oldest', () => {
  assembly.open('early', open, 0);
  assembly.open('late', { ...open, deadlineMs: 5_000 }, 0);
  const [gone, ...others] = assembly.expired(600);
  expect(others).toEqual([]);
  expect(gone?.record.id).toBe('early');
  expect(gone?.missing).toContain('b0.t0');
  for (const id of ['next', 'more']) assembly.open(id, open, 700);
  expect(evicted).toEqual([expect.stringContaining('late: ')]);
  expect(assembly.clear().sort()).toEqual(['more', 'next']);
});

test('a frame that is opened again begins anew', () => {
  assembly.open('f', open, 0);
  assembly.accept('f', made('b0.t0', 't1'), bytes.length, 10);
  assembly.open('f', open, 20);
  expect(assembly.accept('f', made('b0.t0', 't1'), bytes.length, 30).ready.length).toBe(1);
});
