/** Whole frames on several workers: late, to whoever is free, or by turns; and what happens when a device is gone. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PreparedPlan, prepareDraft } from '../../services/controller/prepare.ts';
import type { Result } from '../../services/core/schema/generated/result.ts';
import { settle } from '../../services/core/vision/settings.ts';
import { compare } from '../../tools/compare.ts';
import { FRAMES, PIPELINE, startCluster, type TestCluster } from '../support/cluster.ts';
import { type BlockWish, draftOf } from '../support/drafts.ts';
import { residualNetwork } from '../support/networks.ts';
import { type WholeModel, wholeModel } from '../support/ort.ts';
import { randomValues } from '../support/random-values.ts';
import { floatTensor } from '../support/tensors.ts';

const SHAPE = [1, 3, 24, 32];
const LIMIT_MS = 30_000;
const TASKS = { ...settle({ answer: { task: 'tensors' } }) };
const BOTH = ['worker-0', 'worker-1'];

let it: TestCluster;
let uncut: WholeModel;

beforeAll(async () => {
  it = await startCluster({ workers: 3, threads: 1 });
  uncut = await wholeModel(residualNetwork());
});
afterAll(() => it.stop());

async function prepared(wishes: readonly BlockWish[], replicasByTurns: boolean): Promise<PreparedPlan> {
  const opened = await it.open(residualNetwork(), 'replicas');
  return prepareDraft(opened, PIPELINE, { ...draftOf(opened, wishes), replicasByTurns }, it.blobs);
}

/** Frames sent at once, all answered as uncut; returns who ran which block of each. `at` hears how many are back. */
async function workersOf(
  count: number,
  at: (back: number) => void = () => {},
): Promise<NonNullable<Result['timing']>['blocks'][]> {
  let back = 0;
  return Promise.all(
    Array.from({ length: count }, async (_, seed) => {
      const input = floatTensor('image', SHAPE, randomValues(`replica ${seed}`, SHAPE));
      const { result, tensors } = await it.client.send([input], LIMIT_MS);
      at(++back);
      expect(result.error).toBeUndefined();
      expect(compare(tensors, await uncut.run([input])).maxRelDiff).toBeLessThanOrEqual(1e-5);
      return result.timing?.blocks ?? [];
    }),
  );
}

test('a device that is gone: frames end with the task and its devices named, until another plan does without it', async () => {
  const wishes: BlockWish[] = [
    { upTo: 'Add', mode: 'whole', devices: [['worker-0']] },
    { mode: 'whole', devices: [['worker-2']] },
  ];
  await it.cluster.deploy(await prepared(wishes, false), TASKS, { ...FRAMES, deadlineMs: 4_000 });
  await workersOf(2);
  await it.cluster.workers.find(({ id }) => id === 'worker-2')?.stop();
  const input = floatTensor('image', SHAPE, randomValues('replica', SHAPE));
  const { result } = await it.client.send([input], LIMIT_MS);
  expect(result).toMatchObject({ ok: false, error: { code: 'no-worker' } });
  expect(result.error?.message).toMatch(/task b1 .*worker-2 is away/);
  await it.cluster.deploy(await prepared([{ mode: 'whole', devices: [BOTH] }], false), TASKS, FRAMES);
  await workersOf(4);
  it.cluster.addWorkers([{ id: 'worker-2' }]);
});

test('late: both workers of the list take frames, the third none', async () => {
  const plan = await prepared([{ mode: 'whole', devices: [BOTH] }], false);
  expect(plan.plan.tasks[1]).toMatchObject({ id: 'b0', devices: BOTH, memoryBytes: 1024 });
  expect(plan.plan.predicted).toMatchObject({ latencyMs: 12.5, bottleneck: 'hub' });
  await it.cluster.deploy(plan, TASKS, FRAMES);
  const ran = (await workersOf(24)).map(([block]) => block?.slowestWorker ?? '');
  expect(new Set(ran)).toEqual(new Set(BOTH));
});

test('by turns: every second frame, in two blocks as well', async () => {
  const wishes: BlockWish[] = [
    { upTo: 'Add', mode: 'whole', devices: [BOTH] },
    { mode: 'whole', devices: [['worker-1', 'worker-2']] },
  ];
  const plan = await prepared(wishes, true);
  expect(plan.plan).toMatchObject({ replicas: 2 });
  expect(plan.plan.tasks.map(({ id, devices, replica }) => [id, devices, replica])).toEqual([
    ['input', undefined, undefined],
    ['b0.r0', ['worker-0'], 0],
    ['b0.r1', ['worker-1'], 1],
    ['b1.r0', ['worker-1'], 0],
    ['b1.r1', ['worker-2'], 1],
    ['result', undefined, undefined],
  ]);
  await it.cluster.deploy(plan, TASKS, FRAMES);
  const ran = (await workersOf(12)).map((blocks) => blocks.map(({ slowestWorker }) => slowestWorker).join());
  expect(ran.filter((pair) => pair === 'worker-0,worker-1')).toHaveLength(6);
  expect(ran.filter((pair) => pair === 'worker-1,worker-2')).toHaveLength(6);
});

test('a block of one device takes every turn of those around it', async () => {
  const wishes: BlockWish[] = [
    { upTo: 'Add', mode: 'whole', devices: [BOTH] },
    { mode: 'tile', shares: [1, 1], devices: [['worker-2'], ['worker-2']] },
  ];
  await it.cluster.deploy(await prepared(wishes, true), TASKS, FRAMES);
  const ran = await workersOf(8);
  expect(ran.filter(([block]) => block?.slowestWorker === 'worker-0')).toHaveLength(4);
  expect(ran.every(([, tiles]) => tiles?.slowestWorker === 'worker-2' && tiles.tiles === 2)).toBe(true);
});

test('a device that is killed under way: its frames start again on the plan that replaces it', async () => {
  const wishes: BlockWish[] = [
    { upTo: 'Add', mode: 'whole', devices: [['worker-0']] },
    { mode: 'whole', devices: [['worker-2']] },
  ];
  await it.cluster.deploy(await prepared(wishes, false), TASKS, FRAMES);
  const next = await prepared([{ mode: 'whole', devices: [['worker-1']] }], false);
  const killed = it.cluster.workers.find(({ id, running }) => id === 'worker-2' && running);
  let deployed: Promise<void> | undefined;
  const ran = await workersOf(30, (back) => {
    if (back !== 5) return;
    killed?.onEnd(() => {
      deployed = it.cluster.deploy(next, TASKS, FRAMES);
    });
    killed?.kill('SIGKILL');
  });
  await deployed;
  const last = ran.map((blocks) => blocks.at(-1)?.slowestWorker);
  expect(last.filter((worker) => worker === 'worker-2').length).toBeGreaterThanOrEqual(5);
  expect(last).toContain('worker-1');
});
