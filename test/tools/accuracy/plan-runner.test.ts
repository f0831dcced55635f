/** Plans carried out in one process: exact ones are the uncut model, others lose where something travels and nowhere else. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OpenedModel, prepareKept } from '../../../services/controller/prepare.ts';
import { chooseBlocks } from '../../../services/core/planning/choose-blocks.ts';
import { haloBlocks } from '../../../services/core/planning/halo-blocks.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import type { Plan } from '../../../services/core/schema/generated/plan.ts';
import { gridCover } from '../../../services/core/tiling/cover.ts';
import { splitBlock } from '../../../services/core/tiling/partition.ts';
import { floatsOf } from '../../../services/core/vision/floats.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { OrtExecutor } from '../../../services/worker/executor/ort.ts';
import { openGraph } from '../../../tools/accuracy/graph-runner.ts';
import { openPlan } from '../../../tools/accuracy/plan-runner.ts';
import { compare } from '../../../tools/compare.ts';
import { temporaryFolder } from '../../support/cluster.ts';
import { inputFor } from '../../support/graph-reference.ts';
import { ModelBuilder } from '../../support/model-builder.ts';
import { openModel } from '../../support/open-model.ts';

const SIDE = 16;
const CHANNELS = 4;

const folder = temporaryFolder();
const blobs = new BlobCache({ folder: folder.path });
const executor = new OrtExecutor({ threads: 1 });
const deps = { executor, blobs };
let model: OpenedModel;
let inputs: TensorData[];
let expected: readonly TensorData[];

/** Two convolutions, one row of the border each. */
const network = () =>
  new ModelBuilder()
    .input('image', [1, CHANNELS, SIDE, SIDE])
    .random('w0', [CHANNELS, CHANNELS, 3, 3])
    .random('w1', [CHANNELS, CHANNELS, 3, 3])
    .node('Conv', ['image', 'w0'], ['middle'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .node('Conv', ['middle', 'w1'], ['out'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .output('out', 'float32', [1, CHANNELS, SIDE, SIDE])
    .encode();

beforeAll(async () => {
  await executor.start();
  model = await openModel(folder.path, network());
  inputs = model.graph.inputs.map(inputFor);
  const runner = await openGraph(deps, model.graph);
  expected = await runner.run(inputs);
});
afterAll(async () => {
  await executor.stop();
  folder.remove();
});

/** The upper half on one device, the lower on another, `middle` between them. */
async function haloPlan(codec?: Plan['transfers'][number]['codec']): Promise<Plan> {
  const { graph, analysis } = model;
  const cover = gridCover(2, 1);
  const blocks = chooseBlocks(graph, analysis, cover).flatMap(({ block }) => splitBlock(graph, block, [1]));
  const { plan } = await prepareKept(
    model,
    'test',
    haloBlocks(graph, analysis, blocks, cover, ['a', 'b']),
    blobs,
  );
  if (codec === undefined) return plan;
  const transfers = plan.transfers.map((transfer) =>
    transfer.tensor === 'middle' ? { ...transfer, codec } : transfer,
  );
  return { ...plan, accuracy: 'budgeted', transfers };
}

async function carriedOut(plan: Plan): Promise<readonly TensorData[]> {
  const runner = await openPlan(deps, plan);
  try {
    // The second run is of the same sessions.
    await runner.run(inputs);
    return await runner.run(inputs);
  } finally {
    await runner.close();
  }
}

test('an exact plan is the uncut model', async () => {
  expect(compare(await carriedOut(await haloPlan()), expected).maxRelDiff).toBeLessThanOrEqual(1e-5);
});

test.each(['uint8', 'fp16'] as const)(
  'strips as %s change the rows that read them, and no others',
  async (codec) => {
    const exact = floatsOf((await carriedOut(await haloPlan()))[0] as TensorData);
    const made = floatsOf((await carriedOut(await haloPlan(codec)))[0] as TensorData);
    const changed = new Set<number>();
    for (let i = 0; i < exact.length; i++) if (made[i] !== exact[i]) changed.add(Math.floor(i / SIDE) % SIDE);
    expect([...changed].sort((a, b) => a - b)).toEqual([SIDE / 2 - 1, SIDE / 2]);
  },
);
