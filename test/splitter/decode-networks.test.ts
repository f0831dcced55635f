/** Pictures through networks that nobody on the project wrote: the whole way from a file to an answer, uncut. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Result } from '../../services/core/schema/generated/result.ts';
import { answer, checkAnswer } from '../../services/core/vision/answer.ts';
import { recognise } from '../../services/core/vision/recognise.ts';
import { settle } from '../../services/core/vision/settings.ts';
import { decodeFrame, frameReader } from '../../services/splitter/decode.ts';
import { haveModels, shared, wholeModel } from '../support/ort.ts';

async function look(name: string, ...pictures: readonly string[]): Promise<Partial<Result>[]> {
  const model = await wholeModel(shared(`models/${name}.onnx`));
  const { pipeline, image } = recognise({ ...model, name });
  if (image === undefined) throw new Error(`${name} takes no picture`);
  const settings = settle(pipeline);
  const frames = frameReader(image, settings);
  checkAnswer(settings.answer, model.outputs, frames.format);
  const results: Partial<Result>[] = [];
  for (const picture of pictures) {
    const { tensor, letterbox } = await decodeFrame(frames, readFileSync(shared(`images/${picture}`)));
    results.push(answer(settings.answer, await model.run([tensor]), letterbox));
  }
  return results;
}

function best(result: Partial<Result> | undefined, label: string) {
  return result?.detections?.find((detection) => detection.label === label);
}

describe.skipIf(!haveModels)('on real networks', () => {
  it('yolox_nano finds the dog, the bicycle and the car, each where it is', async () => {
    const [result] = await look('yolox_nano', 'dog.jpg');
    expect(best(result, 'dog')?.score).toBeCloseTo(0.84, 1);
    expect(best(result, 'bicycle')?.score).toBeCloseTo(0.81, 1);
    expect(best(result, 'car')?.score).toBeCloseTo(0.81, 1);
    expect(result?.image).toEqual({ width: 768, height: 576 });
    const dog = best(result, 'dog')?.box;
    expect(Math.abs((dog?.x ?? 0) - 131)).toBeLessThan(12);
    expect(Math.abs((dog?.y ?? 0) + (dog?.height ?? 0) - 542)).toBeLessThan(15);
  });

  it('nanodet finds the same three', async () => {
    const [result] = await look('nanodet_m_416', 'dog.jpg');
    expect(result?.detections?.map(({ label }) => label).sort()).toEqual(['bicycle', 'car', 'dog']);
    expect(best(result, 'bicycle')?.score).toBeCloseTo(0.7, 1);
    expect(best(result, 'car')?.score).toBeCloseTo(0.48, 1);
    expect(best(result, 'dog')?.score).toBeCloseTo(0.46, 1);
    const car = best(result, 'car')?.box;
    expect(Math.abs((car?.x ?? 0) - 462)).toBeLessThan(15);
  });

  it.each(['squeezenet1.0_fp32_derived', 'SqueezeNet_fp16'])(
    '%s knows the tabby and the goldfish',
    async (name) => {
      const [kitten, goldfish] = await look(name, 'kitten_224.png', 'goldfish.jpg');
      expect(kitten?.classes?.[0]).toMatchObject({
        label: 'tabby',
        index: 281,
        score: expect.closeTo(0.94, 1.5),
      });
      expect(goldfish?.classes?.[0]).toMatchObject({
        label: 'goldfish',
        index: 1,
        score: expect.closeTo(0.995, 2),
      });
    },
  );

  it('version-RFB-320 finds about 44 faces', async () => {
    const [result] = await look('version-RFB-320', 'faces_1.jpg');
    expect(result?.detections?.length).toBeGreaterThanOrEqual(42);
    expect(result?.detections?.length).toBeLessThanOrEqual(46);
    expect(new Set(result?.detections?.map(({ label }) => label))).toEqual(new Set(['face']));
  });
});
