/** Strips that were lost between two workers: who lacks one asks for it, and who sent it sends it again. */

import { afterEach, beforeEach, expect, it } from 'vitest';
import { floatsOf } from '../../services/core/vision/floats.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { WireMailbox } from '../../tools/conform/mailbox.ts';
import { Bench } from './bench.ts';
import { frameRows, haloPlan, rows, taskMeta } from './plans.ts';

const RIGHT = 'tilepipe/worker/right/in';

let bench: Bench;
let right: WireMailbox;
let digest: string;

beforeEach(async () => {
  bench = new Bench();
  await bench.start();
  right = await WireMailbox.open(bench.bus.data, RIGHT);
  digest = await bench.announce(await haloPlan(bench.shelf));
  await bench.worker('left');
  await bench.planState('left', digest, 'ready');
});

afterEach(() => bench.stop());

it('asks the worker that made what has not come, and goes on with what it sends', async () => {
  await bench.send('left', { meta: taskMeta(digest, 'a0', 'f'), tensors: [frameRows('x', 0, 4)] });
  const { meta } = await bench.came(right, 'want', 'f');
  expect(meta).toMatchObject({ sender: 'left', task: 'b0', plan: digest, extra: { tasks: ['a1'] } });
  const data = taskMeta(digest, 'a1', 'f', { kind: 'data', sender: 'right', regions: { y: rows(4, 5) } });
  await bench.send('left', { meta: data, tensors: [frameRows('y', 4, 5, -1)] });
  const { tensors } = await bench.came(bench.merger, 'data', 'f', 'b0');
  expect(floatsOf(tensors[0] as TensorData)).toEqual(floatsOf(frameRows('z', 0, 5, 1)));
});

it('sends again what it made for a worker that asks', async () => {
  await bench.send('left', { meta: taskMeta(digest, 'a0', 'f'), tensors: [frameRows('x', 0, 4)] });
  const first = await bench.came(right, 'data', 'f', 'a0');
  for (let again = 0; again < 2; again++) {
    const before = right.items.length;
    const want = taskMeta(digest, 'b1', 'f', { kind: 'want', sender: 'right', extra: { tasks: ['a0'] } });
    await bench.send('left', { meta: want, tensors: [] });
    const sent = await right.first('the strip again', ({ meta }) => meta.task === 'a0', 20_000, before);
    expect(sent.meta).toEqual(first.meta);
    expect(floatsOf(sent.tensors[0] as TensorData)).toEqual(floatsOf(first.tensors[0] as TensorData));
  }
});

it('has nothing for strangers, and goes on after a want that is none', async () => {
  await bench.send('left', { meta: taskMeta(digest, 'a0', 'f'), tensors: [frameRows('x', 0, 4)] });
  await bench.came(right, 'data', 'f', 'a0');
  const before = right.items.length;
  for (const odd of [
    { sender: 'merger', extra: { tasks: ['a0'] } },
    { sender: 'right', extra: { tasks: ['b7'] } },
    { sender: 'right', extra: { tasks: 'a0' } },
    { sender: 'right', frame: 'other', extra: { tasks: ['a0'] } },
  ])
    await bench.send('left', { meta: taskMeta(digest, 'b1', 'f', { kind: 'want', ...odd }), tensors: [] });
  const want = taskMeta(digest, 'b1', 'f', { kind: 'want', sender: 'right', extra: { tasks: ['a0'] } });
  await bench.send('left', { meta: want, tensors: [] });
  await right.first('the strip again', ({ meta }) => meta.task === 'a0', 20_000, before);
  expect(right.items.slice(before).filter(({ meta }) => meta.kind === 'data')).toHaveLength(1);
});
