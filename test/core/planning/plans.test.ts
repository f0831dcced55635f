/** Plans of awkward small networks, carried out as planned and compared with the uncut network in ORT. */

import { afterAll, expect, test } from 'vitest';
import { preparePlan } from '../../../services/controller/prepare.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import type { Plan } from '../../../services/core/schema/generated/plan.ts';
import { gridCover } from '../../../services/core/tiling/cover.ts';
import { compare } from '../../../tools/compare.ts';
import { temporaryFolder } from '../../support/cluster.ts';
import { ModelBuilder } from '../../support/model-builder.ts';
import { openModel } from '../../support/open-model.ts';
import { wholeModel } from '../../support/ort.ts';
import { randomValues } from '../../support/random-values.ts';
import { runPlan } from '../../support/run-plan.ts';
import { floatTensor } from '../../support/tensors.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const blobs = new BlobCache({ folder: folder.path });

const SHAPE = [1, 4, 24, 16];
const conv = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };

/** Cuts the model by every grid, and holds each plan's outputs against the uncut ones. Returns the plan of the last. */
async function same(model: Uint8Array, grids = ['1x1', '2x2', '3x1']): Promise<Plan> {
  const opened = await openModel(folder.path, model);
  const uncut = await wholeModel(model);
  const inputs = uncut.inputs.map(({ name, shape }) =>
    floatTensor(name, shape, randomValues(`plan ${name}`, shape)),
  );
  const expected = await uncut.run(inputs);
  let plan: Plan | undefined;
  for (const grid of grids) {
    const [rows, columns] = grid.split('x').map(Number) as [number, number];
    ({ plan } = await preparePlan(opened, 'test', gridCover(rows, columns), blobs));
    const got = await runPlan(plan, blobs, inputs);
    const difference = compare(got, expected);
    expect(difference, `${grid}: ${difference.reason}`).toMatchObject({ maxRelDiff: expect.any(Number) });
    expect(difference.maxRelDiff).toBeLessThanOrEqual(1e-5);
  }
  return plan as Plan;
}

/** A chain of convolutions that is worth cutting, from `from`; every second one widens the maps. */
function chain(builder: ModelBuilder, from: string, count: number, prefix = 'c'): string {
  let last = from;
  for (let i = 0; i < count; i++) {
    builder
      .random(`${prefix}w${i}`, [4, 4, 3, 3])
      .node('Conv', [last, `${prefix}w${i}`], [`${prefix}${i}`], conv);
    builder.node('Tanh', [`${prefix}${i}`], [`${prefix}t${i}`]);
    last = `${prefix}t${i}`;
  }
  return last;
}

test('a skip connection over several blocks', async () => {
  const builder = new ModelBuilder().input('x', SHAPE);
  const end = chain(builder, 'x', 2);
  builder.node('GlobalAveragePool', [end], ['g']).node('Mul', [end, 'g'], ['m']);
  const second = chain(builder, 'm', 2, 'd');
  builder.node('GlobalMaxPool', [second], ['h']).node('Mul', [second, 'h'], ['n']);
  builder.node('Add', ['n', 'ct0'], ['sum']);
  const plan = await same(builder.node('Tanh', ['sum'], ['y']).output('y', 'float32', SHAPE).encode());
  expect(plan.blocks.length).toBeGreaterThan(3);
});

test('an output that later blocks read as well', async () => {
  const builder = new ModelBuilder().input('x', SHAPE);
  const end = chain(builder, 'x', 2);
  builder.node('GlobalAveragePool', [end], ['g']).node('Mul', [end, 'g'], ['m']);
  const second = chain(builder, 'm', 1, 'd');
  await same(
    builder
      .output(end, 'float32', SHAPE)
      .output('m', 'float32', SHAPE)
      .output(second, 'float32', SHAPE)
      .encode(),
  );
});

test('an input that a late block reads', async () => {
  const builder = new ModelBuilder().input('x', SHAPE);
  const end = chain(builder, 'x', 2);
  builder
    .node('GlobalAveragePool', [end], ['g'])
    .node('Mul', [end, 'g'], ['m'])
    .node('Add', ['m', 'x'], ['s']);
  const second = chain(builder, 's', 1, 'd');
  await same(
    builder.node('Concat', [second, 'x'], ['y'], { axis: 1 }).output('y', 'float32', [1, 8, 24, 16]).encode(),
  );
});

test('several inputs of different sizes, one of them not a picture', async () => {
  const builder = new ModelBuilder().input('x', SHAPE).input('low', [1, 4, 12, 8]).input('gain', [1, 4]);
  const end = chain(builder, 'x', 1);
  builder.constant('scales', [4], [1, 1, 2, 2]).ints('gainShape', [1, 4, 1, 1]);
  builder.node('Resize', ['low', '', 'scales'], ['up'], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
  builder
    .node('Reshape', ['gain', 'gainShape'], ['gains'])
    .node('Add', [end, 'up'], ['s'])
    .node('Mul', ['s', 'gains'], ['m']);
  const last = chain(builder, 'm', 1, 'd');
  await same(builder.output(last, 'float32', SHAPE).encode());
});

test('an output of another rank beside the maps', async () => {
  const builder = new ModelBuilder().input('x', SHAPE);
  const end = chain(builder, 'x', 2);
  builder
    .ints('flat', [1, 4, 384])
    .node('Reshape', [end, 'flat'], ['r'])
    .node('Transpose', ['r'], ['t'], { perm: [0, 2, 1] });
  await same(builder.output('t', 'float32', [1, 384, 4]).output(end, 'float32', SHAPE).encode());
});

test('two heads at different strides', async () => {
  const builder = new ModelBuilder().input('x', SHAPE);
  const end = chain(builder, 'x', 1);
  builder.random('dw', [4, 4, 3, 3]).node('Conv', [end, 'dw'], ['down'], { ...conv, strides: [2, 2] });
  const low = chain(builder, 'down', 1, 'd');
  const high = chain(builder, end, 1, 'e');
  await same(builder.output(low, 'float32', [1, 4, 12, 8]).output(high, 'float32', SHAPE).encode());
});

test('an output that no input has a part in', async () => {
  const builder = new ModelBuilder().input('x', SHAPE);
  const end = chain(builder, 'x', 1);
  builder.constant('p', [2, 3], [1, 2, 3, 4, 5, 6]).node('Neg', ['p'], ['priors']);
  await same(builder.output(end, 'float32', SHAPE).output('priors', 'float32', [2, 3]).encode());
});

test('an input that is an output as it is', async () => {
  const builder = new ModelBuilder().input('x', SHAPE);
  const end = chain(builder, 'x', 1);
  await same(builder.output(end, 'float32', SHAPE).output('x', 'float32', SHAPE).encode());
});

test('an input nobody reads', async () => {
  const builder = new ModelBuilder().input('x', SHAPE).input('unused', [1, 2]);
  const end = chain(builder, 'x', 1);
  await same(builder.output(end, 'float32', SHAPE).encode());
});

test('a map made of a constant alone joins a tiled one', async () => {
  const builder = new ModelBuilder().input('x', SHAPE);
  const end = chain(builder, 'x', 1);
  builder
    .random('base', [1, 4, 24, 16])
    .node('Sigmoid', ['base'], ['mask'])
    .node('Mul', [end, 'mask'], ['m']);
  const last = chain(builder, 'm', 1, 'd');
  await same(builder.output(last, 'float32', SHAPE).encode());
});

test('a node with an output nobody reads, and one read twice by the same node', async () => {
  const builder = new ModelBuilder().input('x', SHAPE);
  const end = chain(builder, 'x', 1);
  builder.node('Split', [end], ['left', 'right'], { axis: 1 }).node('Mul', ['left', 'left'], ['sq']);
  await same(builder.output('sq', 'float32', [1, 2, 24, 16]).encode());
});
