/** Whole frames through real services: broker, splitter, merger, controller, and worker processes. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseGrid } from '../../services/core/planning/grid.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { compare } from '../../tools/compare.ts';
import { startCluster, type TestCluster } from '../support/cluster.ts';
import { residualNetwork, squeezeNetwork } from '../support/networks.ts';
import { wholeModel } from '../support/ort.ts';
import { randomValues } from '../support/random-values.ts';
import { floatTensor } from '../support/tensors.ts';

const LIMIT_MS = 30_000;

function frame(shape: readonly number[], seed: number): TensorData {
  return floatTensor('image', shape, randomValues(`frame ${seed}`, shape));
}

describe('frames through a cluster of three workers', () => {
  let it: TestCluster;
  beforeAll(async () => {
    it = await startCluster({ workers: 3 });
  });
  afterAll(() => it.stop());

  async function same(model: Uint8Array, shape: readonly number[], seed: number): Promise<void> {
    const input = frame(shape, seed);
    const reference = await (await wholeModel(model)).run([input]);
    const { result, tensors } = await it.client.send([input], LIMIT_MS);
    expect(result.error).toBeUndefined();
    const { maxRelDiff } = compare(tensors, reference);
    expect(maxRelDiff).not.toBeNull();
    expect(maxRelDiff).toBeLessThanOrEqual(1e-4);
  }

  for (const grid of ['1x1', '2x2', '3x1', '5x3']) {
    test(`a residual network cut ${grid} answers as uncut`, async () => {
      const { rows, columns } = parseGrid(grid);
      const model = residualNetwork();
      const plan = await it.deploy(await it.open(model, `residual-${grid}`), gridCover(rows, columns));
      expect(plan.tasks.filter(({ shape }) => shape === 'tile').length).toBeGreaterThanOrEqual(
        rows * columns > 1 ? rows * columns : 0,
      );
      await same(model, [1, 3, 24, 32], 1);
    });
  }

  test('unequal tiles whose columns split their rows differently', async () => {
    const model = residualNetwork();
    const bands = [
      { share: 0.6, columns: [0.25, 0.75] },
      { share: 0.1, columns: [1] },
      { share: 0.3, columns: [0.5, 0.3, 0.2] },
    ];
    const plan = await it.deploy(await it.open(model, 'residual-unequal'), { bands });
    expect(plan.tasks.some(({ index }) => index === 5)).toBe(true);
    await same(model, [1, 3, 24, 32], 2);
  });

  test('whole blocks between tiled ones: the network keeps its global operators', async () => {
    const model = squeezeNetwork();
    const plan = await it.deploy(await it.open(model, 'squeeze'), gridCover(2, 2));
    expect(new Set(plan.blocks.map(({ kind }) => kind))).toEqual(new Set(['tile', 'whole']));
    await same(model, [1, 3, 20, 20], 3);
  });

  test('sixty frames at once come back, each with its own answer', async () => {
    const model = residualNetwork();
    await it.deploy(await it.open(model, 'residual-many'), gridCover(2, 2));
    const uncut = await wholeModel(model);
    const frames = Array.from({ length: 60 }, (_, seed) => frame([1, 3, 24, 32], 100 + seed));
    const outcomes = await Promise.all(frames.map((input) => it.client.send([input], LIMIT_MS)));
    for (const [at, { result, tensors }] of outcomes.entries()) {
      expect(result.error).toBeUndefined();
      const reference = await uncut.run([frames[at] as TensorData]);
      expect(compare(tensors, reference).maxRelDiff).toBeLessThanOrEqual(1e-4);
    }
  });

  test('a bad frame ends as an error of its own, the next one works', async () => {
    const model = residualNetwork();
    await it.deploy(await it.open(model, 'residual-bad'), gridCover(2, 1));
    const nan = frame([1, 3, 24, 32], 5);
    new Float32Array(nan.bytes.buffer)[7] = Number.NaN;
    const bad: [readonly TensorData[] | Buffer, string][] = [
      [[frame([1, 3, 24, 31], 4)], 'tensor-invalid'],
      [[nan], 'tensor-invalid'],
      [[{ ...frame([1, 3, 24, 32], 6), dtype: 'int32' }], 'tensor-invalid'],
      [Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70]), 'image-invalid'],
      [Buffer.alloc(0), 'image-invalid'],
    ];
    for (const [input, code] of bad) {
      const { result } = await it.client.send(input, LIMIT_MS);
      expect(result.ok).toBe(false);
      expect(result.error?.code).toBe(code);
      await same(model, [1, 3, 24, 32], 7);
    }
  });

  test('killing workers mid-stream still gives the right result for every frame', async () => {
    const model = residualNetwork();
    await it.deploy(await it.open(model, 'residual-kill'), gridCover(2, 2));
    const uncut = await wholeModel(model);
    const frames = Array.from({ length: 120 }, (_, seed) => frame([1, 3, 24, 32], 1000 + seed));
    const [first, second] = it.cluster.workers;
    const outcomes = await Promise.all(
      frames.map(async (input, at) => {
        const outcome = await it.client.send([input], LIMIT_MS);
        if (at === 10) first?.kill('SIGKILL');
        if (at === 50) second?.kill('SIGKILL');
        return outcome;
      }),
    );
    for (const [at, { result, tensors }] of outcomes.entries()) {
      expect(result.error).toBeUndefined();
      const reference = await uncut.run([frames[at] as TensorData]);
      expect(compare(tensors, reference).maxRelDiff).toBeLessThanOrEqual(1e-4);
    }
  });
});
