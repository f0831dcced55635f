/** Drafts with codecs, written as sub-models and carried out, against the coded network in one piece. */

import { afterAll, expect, test } from 'vitest';
import { prepareDraft } from '../../services/controller/prepare.ts';
import { PlanIndex } from '../../services/core/flow/plan-index.ts';
import { withCutCodecs } from '../../services/core/graph/cut-codecs.ts';
import type { CutCodec } from '../../services/core/planning/draft.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { compare } from '../../tools/compare.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { type BlockWish, draftOf } from '../support/drafts.ts';
import { encodeGraph } from '../support/encode-graph.ts';
import { ModelBuilder } from '../support/model-builder.ts';
import { residualNetwork } from '../support/networks.ts';
import { openModel } from '../support/open-model.ts';
import { wholeModel } from '../support/ort.ts';
import { randomValues } from '../support/random-values.ts';
import { runPlan } from '../support/run-plan.ts';
import { floatTensor, problem } from '../support/tensors.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const blobs = new BlobCache({ folder: folder.path });

/** Sums that differ in their last bits may round to the next step; one step moves these networks' outputs by less. */
const TOLERANCE = 0.02;

async function prepared(
  name: string,
  model: Uint8Array,
  wishes: readonly BlockWish[],
  codecs: Readonly<Record<string, CutCodec>>,
  packed: readonly string[] = [],
) {
  const opened = await openModel(folder.path, model, { name });
  const ranges = Object.fromEntries(Object.keys(codecs).map((tensor) => [tensor, { min: -4, max: 4 }]));
  const draft = { ...draftOf(opened, wishes), codecs, packed, ranges };
  const { plan } = await prepareDraft(opened, 'test', draft, blobs);
  return { opened, plan, coded: withCutCodecs(opened.graph, codecs, ranges) };
}

const shards = () =>
  new ModelBuilder()
    .input('image', [1, 3, 8, 8])
    .random('w1', [8, 3, 3, 3])
    .random('w2', [12, 512])
    .random('w3', [12, 5])
    .node('Conv', ['image', 'w1'], ['a'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .node('Tanh', ['a'], ['b'])
    .node('Flatten', ['b'], ['c'])
    .node('Gemm', ['c', 'w2'], ['d'], { transB: 1 })
    .node('Tanh', ['d'], ['e'])
    .node('Gemm', ['e', 'w3'], ['logits'])
    .output('logits', 'float32', [1, 5])
    .encode();

test.each<[string, Uint8Array, BlockWish[], Record<string, CutCodec>]>([
  [
    'tiles, with a tensor two blocks read',
    residualNetwork(),
    [
      { upTo: 'Tanh', mode: 'tile', shares: [1, 1] },
      { upTo: 'Add', mode: 'tile', shares: [1, 1, 1] },
      { mode: 'tile', shares: [1, 1] },
    ],
    { b: 'uint8', f: 'fp16' },
  ],
  [
    'a tensor its own block reads as well',
    residualNetwork(),
    [
      { upTo: 'Conv', mode: 'whole' },
      { upTo: 'Conv', mode: 'tile', shares: [1, 1] },
      { mode: 'tile', shares: [1, 1] },
    ],
    { a: 'fp16', b: 'uint8' },
  ],
  ['whole blocks', residualNetwork(), [{ upTo: 'Tanh', mode: 'whole' }, { mode: 'whole' }], { b: 'uint8' }],
  [
    'shards between tiles and a whole block',
    shards(),
    [
      { upTo: 'Tanh', mode: 'tile', shares: [1, 1] },
      { upTo: 'Tanh', mode: 'shard', shares: [2, 1] },
      { mode: 'whole' },
    ],
    { b: 'uint8', e: 'fp16' },
  ],
])('%s', async (name, model, wishes, codecs) => {
  const { plan, coded } = await prepared(name, model, wishes, codecs);
  for (const [tensor, codec] of Object.entries(codecs)) {
    const cut = coded.cuts.get(tensor);
    const described = plan.tensors[cut?.wire ?? ''];
    expect(plan.tensors[tensor]).toBeUndefined();
    expect(described?.dtype).toBe(codec === 'fp16' ? 'float16' : 'uint8');
    expect(described?.codec).toMatchObject({ of: tensor, codec });
  }
  const inputs = coded.graph.inputs.map((input) =>
    floatTensor(input.name, input.shape, randomValues(input.name, input.shape)),
  );
  const got = await runPlan(plan, blobs, inputs);
  const whole = await (await wholeModel(encodeGraph(coded.graph))).run(inputs);
  expect(compare(got, whole).maxRelDiff).toBeLessThanOrEqual(TOLERANCE);
  const exact = await (await wholeModel(model)).run(inputs);
  expect(compare(whole, exact).maxRelDiff).toBeGreaterThan(1e-5);
});

test('tensors are deflated by the names they travel under', async () => {
  const { plan, coded } = await prepared(
    'packed',
    residualNetwork(),
    [
      { upTo: 'Tanh', mode: 'tile', shares: [1, 1] },
      { mode: 'tile', shares: [1, 1] },
    ],
    { b: 'uint8' },
    ['b', 'image'],
  );
  const wire = coded.cuts.get('b')?.wire;
  const codecs = plan.transfers.map(({ tensor, codec }) => [tensor, codec]);
  expect(new Set(codecs.map(String))).toEqual(new Set(['image,deflate', `${wire},deflate`, 'out,']));
  const index = new PlanIndex(plan);
  expect(index.packedInputs('b0.t0')).toEqual(new Set(['image']));
  expect(index.packedInputs('b1.t1')).toEqual(new Set([wire]));
  expect(index.packedInputs('result')).toEqual(new Set());
});

test('what is no cut, or has no range, is refused', async () => {
  const wishes: BlockWish[] = [{ upTo: 'Tanh', mode: 'whole' }, { mode: 'whole' }];
  await expect(prepared('inside', residualNetwork(), wishes, { a: 'fp16' })).rejects.toEqual(
    problem('usage', '"a" has a codec, but no block hands it to another'),
  );
  const { opened } = await prepared('range', residualNetwork(), wishes, {});
  const draft = { ...draftOf(opened, wishes), codecs: { b: 'uint8' } as const };
  await expect(prepareDraft(opened, 'test', draft, blobs)).rejects.toEqual(
    problem('config-invalid', '"b" cannot travel as uint8'),
  );
});
