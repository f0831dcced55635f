/** Pictures whose tiles travel as pixels, through real services: the same answer for a quarter of the bytes. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAnalysed } from '../../services/controller/prepare.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import { monotonicMs } from '../../services/core/runtime/clock.ts';
import type { Pipeline } from '../../services/core/schema/generated/pipeline.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { Assembler } from '../../services/core/wire/assembler.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { compare } from '../../tools/compare.ts';
import { encodeJpeg } from '../../tools/demo/jpeg.ts';
import { modelSettings } from '../../tools/settings.ts';
import { startCluster, type TestCluster, temporaryFolder } from '../support/cluster.ts';
import { residualNetwork } from '../support/networks.ts';
import { problem } from '../support/tensors.ts';

const LIMIT_MS = 30_000;
const CONFIGURED: Pipeline = {
  preprocess: {
    resize: 'letterbox',
    color: 'BGR',
    divide: 255,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  },
  answer: { task: 'tensors' },
};

/** Another size and other proportions than the input of the network. */
function photograph(): Promise<Buffer> {
  const [width, height] = [70, 40];
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return 128 + 100 * Math.sin(x / 9 + (i % 3)) * Math.cos(y / 7);
  });
  return encodeJpeg(pixels, width, height, 92);
}

describe('frames as pixels', () => {
  const folder = temporaryFolder();
  const path = join(folder.path, 'residual.onnx');
  let it: TestCluster;
  let listener: Connections;
  beforeAll(async () => {
    writeFileSync(path, residualNetwork());
    it = await startCluster({ workers: 2 });
    listener = new Connections({ ...it.cluster.address, service: 'listener' });
    await listener.start();
  });
  afterAll(async () => {
    await listener.stop();
    await it.stop();
    folder.remove();
  });

  async function deploy(pixels: boolean): Promise<Plan> {
    const model = await openAnalysed(path, pixels ? { pixels: CONFIGURED } : {});
    return it.deploy(model, undefined, modelSettings(model, CONFIGURED).settings);
  }

  /** Bytes of input tiles that workers are sent, once every tile of the frame has come by. */
  async function tileBytes(plan: Plan, send: () => Promise<unknown>): Promise<number> {
    const assembler = new Assembler({ now: monotonicMs });
    const sources = plan.tasks.filter(
      ({ kind, inputs }) => kind === 'run' && inputs.some(({ tensor }) => plan.inputs.includes(tensor)),
    );
    const seen = new Map<string, number>();
    let complete: () => void = () => {};
    const all = new Promise<void>((resolve) => {
      complete = resolve;
    });
    const filter = listener.topics.filter('inbox', { role: 'worker', id: '+' });
    const undo = await listener.data.subscribe(filter, ({ topic, payload }) => {
      const message = assembler.accept(topic, payload);
      const task = message?.meta.kind === 'task' ? (message.meta.task ?? '') : '';
      if (message === undefined || !sources.some(({ id }) => id === task)) return;
      const inputs = message.tensors.filter(({ name }) => plan.inputs.includes(name));
      seen.set(
        task,
        inputs.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
      );
      if (seen.size === sources.length) complete();
    });
    await send();
    await all;
    await undo();
    return [...seen.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  test('a JPEG is answered as with floats, its tiles sent in a quarter of the bytes', async () => {
    const jpeg = await photograph();
    const answer = async (pixels: boolean): Promise<{ outputs: readonly TensorData[]; bytes: number }> => {
      const plan = await deploy(pixels);
      expect(plan.tasks.filter(({ shape }) => shape === 'tile').length).toBeGreaterThanOrEqual(4);
      let outputs: readonly TensorData[] = [];
      const bytes = await tileBytes(plan, async () => {
        const { result, tensors } = await it.client.send(jpeg, LIMIT_MS);
        expect(result.error).toBeUndefined();
        outputs = tensors;
      });
      return { outputs, bytes };
    };
    const [floats, pixels] = [await answer(false), await answer(true)];
    const { maxRelDiff } = compare(pixels.outputs, floats.outputs);
    expect(maxRelDiff).not.toBeNull();
    expect(maxRelDiff).toBeLessThan(1e-6);
    expect(floats.bytes).toBe(4 * pixels.bytes);
  });

  test('a tensor frame brings the pixels themselves, and floats are refused', async () => {
    const plan = await deploy(true);
    expect(plan.inputs).toEqual(['image/pixels']);
    expect(plan.tensors['image/pixels']).toMatchObject({ dtype: 'uint8', shape: [1, 24, 32, 3] });
    const bytes = new Uint8Array(24 * 32 * 3).fill(200);
    const frame = { name: 'image/pixels', dtype: 'uint8', shape: [1, 24, 32, 3], bytes } as const;
    const { result, tensors } = await it.client.send([frame], LIMIT_MS);
    expect(result.error).toBeUndefined();
    expect(tensors[0]?.shape).toEqual([1, 4, 24, 32]);
    const floats = { name: 'image', dtype: 'float32', shape: [1, 3, 24, 32], bytes: new Uint8Array(9216) };
    const refused = await it.client.send([floats as TensorData], LIMIT_MS);
    expect(refused.result.error?.code).toBe('tensor-invalid');
  });

  test('what is recognised is enough, and a model without a picture says so', async () => {
    const { preprocess, graph } = await openAnalysed(path, { pixels: true });
    expect(graph.inputs[0]?.name).toBe('image/pixels');
    expect(preprocess).toMatchObject({ layout: 'NHWC', divide: 1, mean: [0], std: [1], resize: 'stretch' });
    await expect(openAnalysed(path, { pixels: { preprocess: { layout: 'NHWC' } } })).rejects.toEqual(
      problem('config-invalid', 'takes no picture'),
    );
  });
});
