/** Drafts made into plans: what becomes of their modes, devices and replicas. */

import { afterAll, expect, test } from 'vitest';
import { type OpenedModel, prepareDraft } from '../../services/controller/prepare.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { compare } from '../../tools/compare.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { type BlockWish, draftOf } from '../support/drafts.ts';
import { squeezeNetwork } from '../support/networks.ts';
import { openModel } from '../support/open-model.ts';
import { wholeModel } from '../support/ort.ts';
import { randomValues } from '../support/random-values.ts';
import { runPlan } from '../support/run-plan.ts';
import { floatTensor, problem } from '../support/tensors.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const blobs = new BlobCache({ folder: folder.path });

const opened = (): Promise<OpenedModel> => openModel(folder.path, squeezeNetwork());

test('tiles, shards and whole blocks in one plan answer as uncut', async () => {
  const model = await opened();
  const wishes: BlockWish[] = [
    { upTo: 'Relu', mode: 'tile', shares: [1, 1, 1], devices: [['a', 'b'], ['b']] },
    { upTo: 'GlobalAveragePool', mode: 'whole', devices: [['c']] },
    { upTo: 'Sigmoid', mode: 'shard', shares: [1, 2] },
    { upTo: 'Flatten', mode: 'whole' },
    { mode: 'shard', shares: [3, 1], devices: [['a'], ['b']] },
  ];
  const seen: number[] = [];
  const { plan, tiledShare } = await prepareDraft(model, 'p', draftOf(model, wishes), blobs, (done) =>
    seen.push(done),
  );
  expect(seen).toEqual([0, 1, 2, 3, 4]);
  expect(tiledShare).toBeGreaterThan(0.5);
  expect(plan.blocks.map(({ kind }) => kind)).toEqual(['tile', 'whole', 'shard', 'whole', 'shard']);
  expect(plan.tasks.slice(1, -1).map(({ id, shape, devices }) => [id, shape, devices?.join()])).toEqual([
    ['b0.t0', 'tile', 'a,b'],
    ['b0.t1', 'tile', 'b'],
    ['b0.t2', 'tile', undefined],
    ['b1', 'whole', 'c'],
    ['b2.s0', 'shard', undefined],
    ['b2.s1', 'shard', undefined],
    ['b3', 'whole', undefined],
    ['b4.s0', 'shard', 'a'],
    ['b4.s1', 'shard', 'b'],
  ]);
  expect(plan.predicted).toEqual({
    latencyMs: 12.5,
    framesPerSecond: 80,
    bytesPerFrame: 1000,
    bottleneck: 'hub',
  });
  const input = floatTensor('image', [1, 3, 20, 20], randomValues('prepare', [1, 3, 20, 20]));
  const expected = await (await wholeModel(squeezeNetwork())).run([input]);
  expect(compare(await runPlan(plan, blobs, [input]), expected).maxRelDiff).toBeLessThanOrEqual(1e-5);
});

test('a block that cannot run in its mode is refused with its number', async () => {
  const model = await opened();
  const { blocks, predicted } = draftOf(model, [{ mode: 'whole' }]);
  const draft = { blocks: blocks.map((block) => ({ ...block, mode: 'shard' as const })), predicted };
  await expect(prepareDraft(model, 'p', draft, blobs)).rejects.toEqual(problem('tiling-refused', 'block 0'));
});

test('turns need equal numbers of devices', async () => {
  const model = await opened();
  const wishes: BlockWish[] = [
    { upTo: 'Relu', mode: 'whole', devices: [['a', 'b']] },
    { mode: 'whole', devices: [['a', 'b', 'c']] },
  ];
  const draft = { ...draftOf(model, wishes), replicasByTurns: true };
  await expect(prepareDraft(model, 'p', draft, blobs)).rejects.toEqual(problem('usage', '2 and 3 devices'));
});
