import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { floatsOf } from '../../services/core/vision/floats.ts';
import { deflated } from '../../services/core/wire/deflate.ts';
import { encodeMessage } from '../../services/core/wire/encode.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { PYTHON, PYTHON_WORKER } from '../support/python.ts';
import { Bench } from './bench.ts';
import { frameRows, haloPlan, taskMeta, twoTiles } from './plans.ts';

let bench: Bench;

beforeEach(async () => {
  bench = new Bench();
  await bench.start();
});

afterEach(() => bench.stop());

/** The Python worker as a process; the function returned ends it and gives its exit code. */
function python(id: string): () => Promise<number | null> {
  const env = {
    ...process.env,
    TILEPIPE_BROKER: bench.broker.url,
    TILEPIPE_WORKER_ID: id,
    TILEPIPE_CACHE: `${bench.folder}/${id}`,
  };
  const child = spawn(PYTHON as string, [PYTHON_WORKER], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  return async () => {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await exit;
    return child.exitCode;
  };
}

it.skipIf(PYTHON === undefined)('computes one tile of a frame while ours computes the other', async () => {
  const end = python('snake');
  await bench.worker('ours');
  const digest = await bench.announce(await twoTiles(bench.shelf));
  for (const id of ['snake', 'ours']) await bench.planState(id, digest, 'ready');
  const message = { meta: taskMeta(digest, 't0', 'f'), tensors: [frameRows('x', 0, 3)] };
  const laid = encodeMessage(message);
  expect(deflated(laid, message.tensors, new Set('x'))).not.toBe(laid);
  await bench.send('snake', message, ['x']);
  await bench.send('ours', { meta: taskMeta(digest, 't1', 'f'), tensors: [frameRows('x', 3, 8)] });
  const upper = await bench.came(bench.merger, 'data', 'f', 't0');
  const lower = await bench.came(bench.merger, 'data', 'f', 't1');
  expect([upper, lower].map(({ meta }) => meta.sender)).toEqual(['snake', 'ours']);
  const together = [upper, lower].flatMap(({ tensors }) => [...floatsOf(tensors[0] as TensorData)]);
  expect(together).toEqual([...floatsOf(frameRows('z', 0, 8, -1))]);
  expect(await end()).toBe(0);
});

it.skipIf(PYTHON === undefined).each([
  ['fp16', 0],
  ['uint8+deflate', 0.15],
] as const)('exchanges strips with ours as %s, without a merger', async (codec, most) => {
  const end = python('left');
  await bench.worker('right');
  const digest = await bench.announce(await haloPlan(bench.shelf, codec));
  for (const id of ['left', 'right']) await bench.planState(id, digest, 'ready');
  await bench.send('left', { meta: taskMeta(digest, 'a0', 'f'), tensors: [frameRows('x', 0, 4)] });
  await bench.send('right', { meta: taskMeta(digest, 'a1', 'f'), tensors: [frameRows('x', 4, 8)] });
  const upper = await bench.came(bench.merger, 'data', 'f', 'b0');
  const lower = await bench.came(bench.merger, 'data', 'f', 'b1');
  for (const [came, right] of [
    [upper, frameRows('z', 0, 5)],
    [lower, frameRows('z', 3, 8)],
  ] as const) {
    const wanted = floatsOf(right);
    const off = floatsOf(came.tensors[0] as TensorData).map((got, i) =>
      Math.abs(got - (wanted[i] as number)),
    );
    expect(off.length).toBe(wanted.length);
    expect(Math.max(...off)).toBeLessThanOrEqual(most);
  }
  expect(await end()).toBe(0);
});
