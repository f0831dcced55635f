/** Tiles that exchange strips, through real services: by way of the merger, late bound, and directly between workers. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OpenedModel, prepareDraft } from '../../services/controller/prepare.ts';
import { planDigest, validatePlan } from '../../services/core/flow/plan-index.ts';
import { everything } from '../../services/core/planning/choose-blocks.ts';
import type { DraftPart } from '../../services/core/planning/draft.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { bandCover } from '../../services/core/tiling/cover.ts';
import { type ReuseOptions, reuseTiles } from '../../services/core/tiling/reuse.ts';
import { tileBlock } from '../../services/core/tiling/tile-block.ts';
import type { FusedBlock, Tile } from '../../services/core/tiling/types.ts';
import { settle } from '../../services/core/vision/settings.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { compare } from '../../tools/compare.ts';
import { FRAMES, PIPELINE, startCluster, type TestCluster } from '../support/cluster.ts';
import { residualNetwork } from '../support/networks.ts';
import { wholeModel } from '../support/ort.ts';
import { randomValues } from '../support/random-values.ts';
import { floatTensor } from '../support/tensors.ts';

const SHAPE = [1, 3, 24, 32];
const LIMIT_MS = 30_000;
const TASKS = { ...settle({ answer: { task: 'tensors' } }) };
const ROWS = bandCover([1, 2, 1, 2].map((share) => ({ share, columns: [1] })));
const PREDICTED = { latencyMs: 1, framesPerSecond: 1, bytesPerFrame: 1, bottleneck: 'hub', memoryBytes: {} };

let it: TestCluster;
let opened: OpenedModel;
let block: FusedBlock;
beforeAll(async () => {
  it = await startCluster({ workers: 2, threads: 1 });
  opened = await it.open(residualNetwork(), 'residual');
  block = { ...everything(opened.graph), kind: 'tile' };
});
afterAll(() => it.stop());

function prepare(tiles: readonly Tile[]) {
  const sizes = { work: [], bytesIn: 0, bytesOut: 0, activationBytes: 0, weightBytes: 0 };
  const parts = tiles.map((tile): DraftPart => ({ tile, devices: [], ...sizes }));
  const blocks = [{ block, mode: 'tile' as const, parts }];
  return prepareDraft(opened, PIPELINE, { blocks, predicted: PREDICTED }, it.blobs);
}

const reusing = (options: ReuseOptions = {}) =>
  prepare(reuseTiles(opened.graph, opened.analysis, block, ROWS, options));

const frames = [1, 2, 3, 4, 5, 6].map((seed) =>
  floatTensor('image', SHAPE, randomValues(`reuse ${seed}`, SHAPE)),
);

/** Sends all frames at once; the answers in their order. */
function answers(): Promise<readonly TensorData[][]> {
  return Promise.all(
    frames.map(async (input) => {
      const { result, tensors } = await it.client.send([input], LIMIT_MS);
      expect(result.error).toBeUndefined();
      return [...tensors];
    }),
  );
}

async function same(got: readonly TensorData[][]): Promise<void> {
  const uncut = await wholeModel(residualNetwork());
  for (const [i, tensors] of got.entries())
    expect(compare(tensors, await uncut.run([frames[i] as TensorData])).maxRelDiff).toBeLessThanOrEqual(1e-5);
}

const macsOf = ({ tasks }: Plan): number => tasks.reduce((sum, { macs = 0 }) => sum + macs, 0);

test('gives the answers of the plan that computes overlaps again, with less work', async () => {
  const again = await prepare(tileBlock(opened.graph, opened.analysis, block, ROWS));
  await it.cluster.deploy(again, TASKS, FRAMES);
  const expected = await answers();
  await same(expected);
  for (const order of ['alternate', 'chain'] as const) {
    const reuse = await reusing({ order });
    expect(macsOf(reuse.plan)).toBeLessThan(macsOf(again.plan));
    await it.cluster.deploy(reuse, TASKS, FRAMES);
    const got = await answers();
    for (const [i, tensors] of got.entries())
      expect(compare(tensors, expected[i] as TensorData[]).maxRelDiff).toBeLessThanOrEqual(1e-6);
  }
});

test('describes a strip as a tensor of its own, made by one tile and read by its neighbour', async () => {
  const { plan } = await reusing();
  const strips = plan.transfers.filter(({ tensor }) => tensor.includes('@'));
  expect(new Set(strips.map(({ from, to }) => `${from} ${to}`))).toEqual(
    new Set(['b0.t0 b0.t1', 'b0.t2 b0.t1', 'b0.t2 b0.t3']),
  );
  for (const { tensor } of strips) {
    const of = opened.graph.tensors.get(tensor.slice(0, tensor.indexOf('@')));
    expect(plan.tensors[tensor]).toEqual({ dtype: 'float32', shape: of?.shape, spatial: [2, 3] });
  }
  // The sub-models of the two tiles inside differ from those at the borders, the weights are one file.
  expect(
    new Set(plan.models.flatMap(({ weights }) => weights.map(({ digest }) => digest))).size,
  ).toBeLessThanOrEqual(1);
});

test('strips travel from worker to worker where the plan lets a worker gather', async () => {
  const prepared = await reusing();
  const { plan } = prepared;
  const direct: Plan = {
    ...plan,
    tasks: plan.tasks.map((task) => {
      if (task.kind !== 'run') return task;
      const second = (task.index ?? 0) % 2 === 1;
      return {
        ...task,
        devices: [second ? 'worker-1' : 'worker-0'],
        ...(second ? { gather: 'worker' as const } : {}),
      };
    }),
  };
  validatePlan(direct);
  await it.cluster.deploy({ ...prepared, plan: direct, digest: planDigest(direct) }, TASKS, FRAMES);
  await same(await answers());
});
