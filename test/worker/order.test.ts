/** What a task made leaves the worker before the worker's own next task begins: others wait for it. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { planDigest } from '../../services/core/flow/plan-index.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { encodeMessage, parts } from '../../services/core/wire/encode.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { OrtExecutor } from '../../services/worker/executor/ort.ts';
import { House } from '../support/scripted.ts';
import { frameRows, model, planOf, rows, run, taskMeta } from './plans.ts';

const folder = mkdtempSync(join(tmpdir(), 'tilepipe-order-'));
const blobs = new BlobCache({ folder });
const house = new House();
const events: string[] = [];

class Noting extends OrtExecutor {
  override run(session: number, inputs: readonly TensorData[], outputs: readonly string[]) {
    events.push(`run for ${outputs.join()}`);
    return super.run(session, inputs, outputs);
  }
}

beforeAll(() => house.start());
afterAll(async () => {
  await house.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The second task of `left` needs nothing but what its first one makes, which two others wait for as well. */
async function chained(): Promise<Plan> {
  const head = await model(blobs, 'x', 'y', 'Neg');
  const tail = await model(blobs, 'y', 'z', 'Abs');
  const gathered = (device: string) => ({ devices: [device], gather: 'worker' as const });
  const tile = (id: string, index: number, device: string, begin: number, end: number) => ({
    task: run(id, 1, index, tail.digest, ['y', begin, end], ['z', begin, end], gathered(device)),
    from: [{ task: 'a', region: rows(begin, end) }],
  });
  const first = run('a', 0, 0, head.digest, ['x', 0, 8], ['y', 0, 8], { devices: ['left'] });
  return planOf(
    [
      { task: first, from: [{ task: 'input', region: rows(0, 8) }] },
      tile('b0', 0, 'left', 0, 4),
      tile('b1', 1, 'right', 4, 6),
      tile('b2', 2, 'other', 6, 8),
    ],
    [head, tail],
    'z',
  );
}

it('sends every strip of a block before it begins with the next', async () => {
  const plan = await chained();
  const digest = planDigest(plan);
  const worker = await house.worker('left', blobs, new Noting());
  await house.announce(plan);
  await expect.poll(() => worker.status().plans?.[digest]?.state).toBe('ready');
  house.lost = ({ kind, sender, task }, topic) => {
    if (sender === 'left') events.push(`${kind} of ${task} to ${topic.split('/').at(-2)}`);
    return false;
  };
  const laid = encodeMessage({ meta: taskMeta(digest, 'a', 'f'), tensors: [frameRows('x', 0, 8)] });
  for (const part of parts(laid, house.channels.data.maxMessageBytes))
    await house.channels.data.publish('tilepipe/worker/left/in', part);
  await expect.poll(() => events).toContain('data of b0 to m');
  const of = (event: string): number => events.indexOf(event);
  expect(events[0]).toBe('run for y');
  expect(events.slice(1, 3).sort()).toEqual(['data of a to other', 'data of a to right']);
  expect(of('run for z')).toBeGreaterThan(2);
});
