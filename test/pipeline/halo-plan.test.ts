/** A plan written by hand in which two workers keep their tiles and exchange strips, without the merger in between. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { preparePlan } from '../../services/controller/prepare.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import { planDigest, validatePlan } from '../../services/core/flow/plan-index.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { Result } from '../../services/core/schema/generated/result.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import { settle } from '../../services/core/vision/settings.ts';
import { OrtExecutor } from '../../services/worker/executor/ort.ts';
import { openPlan } from '../../tools/accuracy/plan-runner.ts';
import { compare } from '../../tools/compare.ts';
import { FRAMES, PIPELINE, startCluster, type TestCluster } from '../support/cluster.ts';
import { ModelBuilder } from '../support/model-builder.ts';
import { type WholeModel, wholeModel } from '../support/ort.ts';
import { randomValues } from '../support/random-values.ts';
import { floatTensor } from '../support/tensors.ts';

const CHANNELS = 4;
const SIDE = 12;
const HALF = SIDE / 2;
const SHAPE = [1, CHANNELS, SIDE, SIDE];

/** Rows of a tensor, all channels and columns. */
const rows = (begin: number, end: number): [number, number][] => [
  [0, 1],
  [0, CHANNELS],
  [begin, end],
  [0, SIDE],
];

/** One padded 3x3 convolution; a tile pads only where the picture ends. */
function convolution(
  weights: string,
  from: string,
  to: string,
  height: number,
  top: number,
  bottom: number,
): Uint8Array {
  return new ModelBuilder()
    .input(from, [1, CHANNELS, height, SIDE])
    .random(weights, [CHANNELS, CHANNELS, 3, 3])
    .node('Conv', [from, weights], [to], { kernel_shape: [3, 3], pads: [top, 1, bottom, 1] })
    .output(to)
    .encode();
}

function uncutModel(): Uint8Array {
  return new ModelBuilder()
    .input('image', SHAPE)
    .random('w0', [CHANNELS, CHANNELS, 3, 3])
    .random('w1', [CHANNELS, CHANNELS, 3, 3])
    .node('Conv', ['image', 'w0'], ['middle'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .node('Conv', ['middle', 'w1'], ['out'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .output('out')
    .encode();
}

let it: TestCluster;
let listener: Connections;
let uncut: WholeModel;
/** Frames of the results published. */
const results: string[] = [];
let sent = 0;
beforeAll(async () => {
  it = await startCluster({ workers: 2, threads: 1 });
  uncut = await wholeModel(uncutModel());
  listener = new Connections({ ...it.cluster.address, service: 'listener' });
  await listener.start();
  await listener.control.subscribe('tilepipe/result/#', ({ payload }) => {
    results.push((JSON.parse(payload.toString()) as { frame: string }).frame);
  });
});
afterAll(async () => {
  await listener.stop();
  await it.stop();
});

/** One frame, which must be right. */
async function frame(): Promise<Result> {
  const input = floatTensor('image', SHAPE, randomValues(`halo ${sent++}`, SHAPE));
  const { result, tensors } = await it.client.send([input], 60_000);
  expect(result.error).toBeUndefined();
  expect(compare(tensors, await uncut.run([input])).maxRelDiff).toBeLessThanOrEqual(1e-5);
  return result;
}

async function haloPlan(): Promise<Plan> {
  const height = HALF + 1;
  const files = {
    top0: await it.blobs.putBytes(convolution('w0', 'image', 'middle', height, 1, 0)),
    bottom0: await it.blobs.putBytes(convolution('w0', 'image', 'middle', height, 0, 1)),
    top1: await it.blobs.putBytes(convolution('w1', 'middle', 'out', height, 1, 0)),
    bottom1: await it.blobs.putBytes(convolution('w1', 'middle', 'out', height, 0, 1)),
  };
  const need = { top: rows(0, HALF + 1), bottom: rows(HALF - 1, SIDE) };
  const own = { top: rows(0, HALF), bottom: rows(HALF, SIDE) };
  const run = (
    block: number,
    tile: 'top' | 'bottom',
    from: string,
    to: string,
    worker: string,
    model: string,
  ): Plan['tasks'][number] => ({
    id: `b${block}.${tile}`,
    kind: 'run',
    block,
    index: tile === 'top' ? 0 : 1,
    shape: 'tile',
    model,
    inputs: [{ tensor: from, region: need[tile] }],
    outputs: [{ tensor: to, region: own[tile] }],
    devices: [worker],
    ...(block === 0 ? {} : { gather: 'worker' as const }),
  });
  return {
    format: 1,
    pipeline: PIPELINE,
    model: { digest: '0'.repeat(64), name: 'by hand' },
    inputs: ['image'],
    outputs: ['out'],
    tensors: Object.fromEntries(
      ['image', 'middle', 'out'].map((name) => [
        name,
        { dtype: 'float32' as const, shape: SHAPE, spatial: [2, 3] },
      ]),
    ),
    blocks: [0, 1].map((id) => ({ id, kind: 'tile' as const, nodes: 1, macs: 0, weightBytes: 0 })),
    tasks: [
      { id: 'input', kind: 'source', inputs: [], outputs: [{ tensor: 'image', region: rows(0, SIDE) }] },
      run(0, 'top', 'image', 'middle', 'worker-0', files.top0.digest),
      run(0, 'bottom', 'image', 'middle', 'worker-1', files.bottom0.digest),
      run(1, 'top', 'middle', 'out', 'worker-0', files.top1.digest),
      run(1, 'bottom', 'middle', 'out', 'worker-1', files.bottom1.digest),
      { id: 'result', kind: 'sink', inputs: [{ tensor: 'out', region: rows(0, SIDE) }], outputs: [] },
    ],
    transfers: [
      { from: 'input', to: 'b0.top', tensor: 'image', region: need.top },
      { from: 'input', to: 'b0.bottom', tensor: 'image', region: need.bottom },
      { from: 'b0.top', to: 'b1.top', tensor: 'middle', region: own.top },
      { from: 'b0.bottom', to: 'b1.bottom', tensor: 'middle', region: own.bottom },
      { from: 'b0.bottom', to: 'b1.top', tensor: 'middle', region: rows(HALF, HALF + 1) },
      { from: 'b0.top', to: 'b1.bottom', tensor: 'middle', region: rows(HALF - 1, HALF) },
      { from: 'b1.top', to: 'result', tensor: 'out', region: own.top },
      { from: 'b1.bottom', to: 'result', tensor: 'out', region: own.bottom },
    ],
    models: Object.values(files).map(({ digest, bytes }) => ({ digest, bytes, weights: [] })),
  };
}

test('workers exchange halo strips directly, and the frame equals the uncut model', async () => {
  const plan = await haloPlan();
  validatePlan(plan);
  const settings = { ...settle({ answer: { task: 'tensors' } }) };
  const digest = planDigest(plan);
  await it.cluster.controller.rollOut({ plan: { plan, digest }, settings, frames: FRAMES });
  await it.cluster.controller.whenReady(digest, 2, 60_000);
  for (let count = 0; count < 20; count++) {
    const result = await frame();
    // Only the two tiles of the last block pass through the merger: none of `middle` does.
    expect(result.bytes?.moved).toBe(CHANNELS * SIDE * SIDE * 4);
  }
});

test('strips as bytes lose on the way what the same plan loses in one process, bit for bit', async () => {
  const raw = await haloPlan();
  const transfers = raw.transfers.map((each) =>
    each.tensor === 'middle' ? { ...each, codec: 'uint8' as const } : each,
  );
  const plan: Plan = { ...raw, transfers, accuracy: 'budgeted' };
  validatePlan(plan);
  const digest = planDigest(plan);
  const settings = { ...settle({ answer: { task: 'tensors' } }) };
  await it.cluster.controller.rollOut({ plan: { plan, digest }, settings, frames: FRAMES });
  await it.cluster.controller.whenReady(digest, 2, 60_000);
  const input = floatTensor('image', SHAPE, randomValues('strips as bytes', SHAPE));
  sent++;
  const { result, tensors } = await it.client.send([input], 60_000);
  expect(result).toMatchObject({ plan: digest });
  const executor = new OrtExecutor({ threads: 1 });
  await executor.start();
  const runner = await openPlan({ executor, blobs: it.blobs }, plan);
  const here = await runner.run([input]);
  await executor.stop();
  expect(here.map(({ bytes }) => Buffer.from(bytes))).toEqual(tensors.map(({ bytes }) => Buffer.from(bytes)));
  expect(compare(tensors, await uncut.run([input])).maxRelDiff).toBeGreaterThan(1e-5);
});

/** A second for each attempt, and as many of them as it takes on a busy machine. */
const PATIENT = { ...FRAMES, attempts: 60 };

test('a worker that is killed, and one that hangs, cost no frame: the others go by the fallback', async () => {
  const plan = await haloPlan();
  const digest = planDigest(plan);
  const fallback = await preparePlan(await it.open(uncutModel()), PIPELINE, gridCover(1, 1), it.blobs);
  const settings = { ...settle({ answer: { task: 'tensors' } }) };
  const { controller } = it.cluster;
  await controller.rollOut({ plan: { plan, digest, fallback }, settings, frames: PATIENT });
  for (const each of [digest, fallback.digest]) await controller.whenReady(each, 2, 60_000);
  expect((await frame()).plan).toBe(digest);

  const kill = (signal: NodeJS.Signals): void => it.cluster.workers.at(-1)?.kill(signal);

  const among = Promise.all(Array.from({ length: 6 }, frame));
  kill('SIGKILL');
  await among;
  expect((await frame()).plan).toBe(fallback.digest);

  it.cluster.addWorkers([{ id: 'worker-1' }]);
  await controller.whenReady(digest, 2, 60_000);
  while ((await frame()).plan !== digest);
  const before = Promise.all(Array.from({ length: 6 }, frame));
  kill('SIGSTOP');
  await before;
  expect((await frame()).plan).toBe(fallback.digest);
  kill('SIGCONT');
  // What it still had to do is nobody's any more.
  await Promise.all(Array.from({ length: 4 }, frame));
  await expect.poll(() => results.length).toBe(sent);
  expect(new Set(results).size).toBe(sent);
});
