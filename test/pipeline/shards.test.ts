/** Channel shards through real services: each worker holds its own part of the weights, the merger gathers by channels. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { prepareDraft } from '../../services/controller/prepare.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { Status } from '../../services/core/schema/generated/status.ts';
import { settle } from '../../services/core/vision/settings.ts';
import { compare } from '../../tools/compare.ts';
import { FRAMES, PIPELINE, startCluster, type TestCluster } from '../support/cluster.ts';
import { type BlockWish, draftOf } from '../support/drafts.ts';
import { ModelBuilder } from '../support/model-builder.ts';
import { wholeModel } from '../support/ort.ts';
import { randomValues } from '../support/random-values.ts';
import { floatTensor } from '../support/tensors.ts';

const SHAPE = [1, 3, 16, 16];
const LIMIT_MS = 30_000;
const TASKS = { ...settle({ answer: { task: 'tensors' } }) };

let it: TestCluster;
let listener: Connections;
const statuses = new Map<string, Status>();

beforeAll(async () => {
  it = await startCluster({ workers: 3, threads: 1 });
  listener = new Connections({ ...it.cluster.address, service: 'listener' });
  await listener.start();
  await listener.control.subscribe('tilepipe/status/worker/+', ({ payload }) => {
    const status = JSON.parse(payload.toString()) as Status;
    statuses.set(status.id, status);
  });
});
afterAll(async () => {
  await listener.stop();
  await it.stop();
});

/** Rolls a draft out, sends frames at once and holds the answers against the uncut model. */
async function same(
  model: Uint8Array,
  name: string,
  wishes: readonly BlockWish[],
): Promise<{ plan: Plan; digest: string }> {
  const opened = await it.open(model, name);
  const prepared = await prepareDraft(opened, PIPELINE, draftOf(opened, wishes), it.blobs);
  await it.cluster.deploy(prepared, TASKS, FRAMES);
  const uncut = await wholeModel(model);
  await Promise.all(
    [1, 2, 3, 4, 5, 6].map(async (seed) => {
      const input = floatTensor('image', SHAPE, randomValues(`${name} ${seed}`, SHAPE));
      const { result, tensors } = await it.client.send([input], LIMIT_MS);
      expect(result.error).toBeUndefined();
      expect(compare(tensors, await uncut.run([input])).maxRelDiff).toBeLessThanOrEqual(1e-5);
    }),
  );
  return prepared;
}

test('a fully-connected layer in three unequal shards between a tiled block and a whole one', async () => {
  const model = new ModelBuilder()
    .input('image', SHAPE)
    .random('w1', [8, 3, 3, 3])
    .random('w2', [100, 512])
    .random('b2', [100])
    .random('w3', [100, 7])
    .node('Conv', ['image', 'w1'], ['a'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .node('Relu', ['a'], ['b'])
    .node('MaxPool', ['b'], ['c'], { kernel_shape: [2, 2], strides: [2, 2] })
    .node('Flatten', ['c'], ['d'])
    .node('Gemm', ['d', 'w2', 'b2'], ['e'], { transB: 1 })
    .node('Relu', ['e'], ['f'])
    .node('Gemm', ['f', 'w3'], ['logits'])
    .output('logits', 'float32', [1, 7])
    .encode();
  const devices = [['worker-0'], ['worker-1'], ['worker-2']];
  const { plan, digest } = await same(model, 'fc', [
    { upTo: 'MaxPool', mode: 'tile', shares: [1, 1] },
    { upTo: 'Relu', mode: 'shard', shares: [5, 2, 1], devices },
    { mode: 'whole', devices: [['worker-2']] },
  ]);
  const shards = plan.tasks.filter(({ shape }) => shape === 'shard');
  expect(shards.map(({ id, outputs }) => [id, outputs[0]?.region[1]])).toEqual([
    ['b1.s0', [0, 63]],
    ['b1.s1', [63, 88]],
    ['b1.s2', [88, 100]],
  ]);
  // A worker of one shard has the weights of that shard only.
  const bytes = (model: string | undefined): number =>
    plan.models.find((each) => each.digest === model)?.weights[0]?.bytes ?? 0;
  expect(shards.map(({ model }) => Math.floor(bytes(model) / 2048))).toEqual([63, 25, 12]);
  for (const [worker, shard] of shards.entries()) {
    const held = statuses.get(`worker-${worker}`)?.plans?.[digest]?.models ?? [];
    expect(shards.map(({ model }) => held.includes(model ?? ''))).toEqual(
      shards.map((each) => each === shard),
    );
  }
});

test('convolutions by channels in two shards, each with what follows it up to the next', async () => {
  const model = new ModelBuilder()
    .input('image', SHAPE)
    .random('w1', [10, 3, 3, 3])
    .random('slope', [10, 1, 1])
    .random('dw', [10, 1, 3, 3])
    .random('w2', [6, 10, 1, 1])
    .node('Conv', ['image', 'w1'], ['a'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .node('PRelu', ['a', 'slope'], ['b'])
    .node('Conv', ['b', 'dw'], ['c'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], group: 10 })
    .node('Tanh', ['c'], ['d'])
    .node('Conv', ['d', 'w2'], ['e'], { kernel_shape: [1, 1] })
    .node('Sigmoid', ['e'], ['y'])
    .output('b')
    .output('y', 'float32', [1, 6, 16, 16])
    .encode();
  const { plan } = await same(model, 'conv', [
    { upTo: 'Tanh', mode: 'shard', shares: [1, 1] },
    { mode: 'shard', shares: [1, 2] },
  ]);
  expect(plan.tasks.map(({ id }) => id)).toEqual(['input', 'b0.s0', 'b0.s1', 'b1.s0', 'b1.s1', 'result']);
  expect(plan.tasks.every(({ devices }) => devices === undefined)).toBe(true);
});

test('a matrix product along the last axis, and tiles that read shards', async () => {
  const model = new ModelBuilder()
    .input('image', SHAPE)
    .random('w1', [16, 12])
    .random('b1', [12])
    .random('w2', [4, 3, 3, 3])
    .node('MatMul', ['image', 'w1'], ['a'])
    .node('Add', ['a', 'b1'], ['b'])
    .node('Conv', ['b', 'w2'], ['c'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .node('Tanh', ['c'], ['y'])
    .output('y', 'float32', [1, 4, 16, 12])
    .encode();
  await same(model, 'matmul', [
    { upTo: 'Add', mode: 'shard', shares: [2, 1, 1] },
    { mode: 'tile', shares: [1, 1, 1] },
  ]);
});
