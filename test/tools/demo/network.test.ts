import { readFileSync, statSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { answer } from '../../../services/core/vision/answer.ts';
import { settle } from '../../../services/core/vision/settings.ts';
import { decodeFrame, frameReader } from '../../../services/splitter/decode.ts';
import { sceneOfSeed } from '../../../tools/demo/dump.ts';
import { encodeJpeg } from '../../../tools/demo/jpeg.ts';
import { SCENE_HEIGHT, SCENE_WIDTH } from '../../../tools/demo/scene.ts';
import { LABELS } from '../../../tools/demo/shapes.ts';
import { Score } from './score.ts';

const demo = new URL('../../../tools/demo/', import.meta.url);
const model = new URL('scenes.onnx', demo).pathname;
const pipeline = JSON.parse(readFileSync(new URL('pipeline.json', demo), 'utf8'));
/** Seeds the training never saw are those below a million. */
const UNSEEN = Number(process.env.TILEPIPE_UNSEEN_SCENES ?? 30);
/** Far below the pipeline's own, so that average precision sees the whole curve. */
const LOWEST_SCORE = 0.05;

const input = {
  name: 'images',
  dtype: 'float32',
  shape: [1, 3, SCENE_HEIGHT, SCENE_WIDTH],
} as const;

describe('the demo network', () => {
  let session: InferenceSession;

  beforeAll(async () => {
    session = await InferenceSession.create(model, { intraOpNumThreads: 1 });
  });

  it('fits into the repository and takes the scene as it is drawn', () => {
    expect(statSync(model).size).toBeLessThan(2e6);
    const [images] = session.inputMetadata;
    const [grid] = session.outputMetadata;
    expect(images).toMatchObject({ name: 'images', type: 'float32', shape: input.shape });
    const cells = [SCENE_HEIGHT / 8, SCENE_WIDTH / 8];
    expect(grid).toMatchObject({ name: 'grid', type: 'float32', shape: [1, 5 + LABELS.length, ...cells] });
  });

  it('has its labels in the order of the drawing', () => {
    expect(pipeline.answer.labels).toEqual([...LABELS]);
  });

  it(`finds the objects of ${UNSEEN} scenes it has not seen, sent as JPEG`, async () => {
    const settings = settle(pipeline);
    const reader = frameReader(input, settings);
    const score = new Score();
    for (let seed = 0; seed < UNSEEN; seed++) {
      const scene = sceneOfSeed(seed, SCENE_WIDTH, SCENE_HEIGHT);
      const file = await encodeJpeg(scene.draw(), SCENE_WIDTH, SCENE_HEIGHT);
      const { tensor, letterbox } = await decodeFrame(reader, file);
      const { buffer, byteOffset, byteLength } = tensor.bytes;
      const values = new Float32Array(buffer, byteOffset, byteLength / 4);
      const { grid } = await session.run({ images: new Tensor('float32', values, tensor.shape) });
      const found = grid?.data as Float32Array;
      const output = {
        name: 'grid',
        dtype: 'float32',
        shape: grid?.dims as number[],
        bytes: new Uint8Array(found.buffer, found.byteOffset, found.byteLength),
      } as const;
      const { detections } = answer({ ...settings.answer, threshold: LOWEST_SCORE }, [output], letterbox);
      score.add(detections ?? [], scene.objects());
    }
    const { precision, recall, f1 } = score.at(settings.answer.threshold);
    const figures = `${score.objects} objects: precision ${precision.toFixed(4)}, recall ${recall.toFixed(4)}, F1 ${f1.toFixed(4)}, mAP50 ${score.map50().toFixed(4)}`;
    if (process.env.TILEPIPE_UNSEEN_SCENES) process.stdout.write(`${figures}\n`);
    expect(score.objects).toBeGreaterThan(6 * UNSEEN);
    expect(Math.min(precision, recall), figures).toBeGreaterThan(0.93);
    expect(score.map50(), figures).toBeGreaterThan(0.94);
  });
});
