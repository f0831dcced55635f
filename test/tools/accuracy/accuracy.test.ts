/** What codecs lose, measured on sample frames with the real executor. */

import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OpenedModel, prepareDraft } from '../../../services/controller/prepare.ts';
import { withCutCodecs } from '../../../services/core/graph/cut-codecs.ts';
import type { LossyCodec } from '../../../services/core/planning/draft.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import type { Detection } from '../../../services/core/schema/generated/result.ts';
import { settle } from '../../../services/core/vision/settings.ts';
import type { Executor } from '../../../services/worker/executor/executor.ts';
import { OrtExecutor } from '../../../services/worker/executor/ort.ts';
import { accuracyOf } from '../../../tools/accuracy/accuracy.ts';
import { agreement } from '../../../tools/accuracy/agreement.ts';
import {
  type AccuracyBudget,
  type CheckableDraft,
  CodecBudget,
  DEFAULT_BUDGET,
  overBudget,
} from '../../../tools/accuracy/budget.ts';
import { calibrate } from '../../../tools/accuracy/calibrate.ts';
import { lossesAlone } from '../../../tools/accuracy/codecs-alone.ts';
import { readSamples, type Sample, samplePictures } from '../../../tools/accuracy/samples.ts';
import { surveyCodec } from '../../../tools/accuracy/survey.ts';
import { temporaryFolder } from '../../support/cluster.ts';
import { draftOf } from '../../support/drafts.ts';
import { ModelBuilder } from '../../support/model-builder.ts';
import { openModel } from '../../support/open-model.ts';
import { problem } from '../../support/tensors.ts';

const folder = temporaryFolder();
const blobs = new BlobCache({ folder: folder.path });
const executor = new OrtExecutor({ threads: 1 });
const deps = { executor, blobs };
const SETTINGS = settle({
  preprocess: { resize: 'stretch', divide: 255 },
  answer: { task: 'classify', activation: 'softmax' },
});
let model: OpenedModel;
let samples: Sample[];

/** Its input times two, less one, is `t`; classes are sums over rows and columns of some of it. */
const network = () =>
  new ModelBuilder()
    .input('image', [1, 3, 8, 8])
    .constant('two', [], [2])
    .constant('one', [], [1])
    .random('w', [5, 192])
    .node('Mul', ['image', 'two'], ['doubled'])
    .node('Sub', ['doubled', 'one'], ['t'])
    .node('Flatten', ['t'], ['flat'])
    .node('Gemm', ['flat', 'w'], ['logits'], { transB: 1 })
    .output('logits', 'float32', [1, 5])
    .encode();

beforeAll(async () => {
  await executor.start();
  model = await openModel(folder.path, network());
  for (const [name, background] of Object.entries({ a: '#ff0000', b: '#00ff40', c: '#2040ff' }))
    await sharp({ create: { width: 8, height: 8, channels: 3, background } })
      .png()
      .toFile(join(folder.path, `${name}.png`));
  samples = await readSamples(model, SETTINGS, await samplePictures(folder.path));
});
afterAll(async () => {
  await executor.stop();
  folder.remove();
});

test('ranges are those of all samples, with zero; flat colours deflate well', async () => {
  const { ranges, ratios } = await calibrate(deps, model.graph, ['t', 'doubled'], samples, { ratios: true });
  expect(ranges.t).toEqual({ min: -1, max: 1 });
  expect(ranges.doubled).toEqual({ min: 0, max: 2 });
  expect(ratios.get('t')).toBeGreaterThan(5);
  expect((await calibrate(deps, model.graph, ['t'], samples)).ratios.size).toBe(0);
});

test('the loss of codecs, and of none', async () => {
  const same = await accuracyOf(deps, model.graph, model, samples, SETTINGS);
  expect(same).toMatchObject({ samples: 3, relativeRms: 0, maxRelDiff: 0, labels: 1 });
  const ranges = { t: { min: -1, max: 1 } };
  const bytes = withCutCodecs(model.graph, { t: 'uint8' }, ranges);
  const coded = await accuracyOf(deps, model.graph, bytes, samples, SETTINGS);
  expect(coded.relativeRms).toBeGreaterThan(0);
  expect(coded.relativeRms).toBeLessThan(0.1);
  expect(coded.outputs.map(({ name }) => name)).toEqual(['logits']);
  const tensors = await accuracyOf(
    deps,
    model.graph,
    bytes,
    samples,
    settle({ answer: { task: 'tensors' } }),
  );
  expect(tensors.labels).toBeUndefined();
});

test('a value that is not finite is a loss without bound', async () => {
  const [sample] = samples;
  const big = sample?.inputs.map((tensor) => {
    const bytes = new Uint8Array(Float32Array.from({ length: 192 }, () => 1e6).buffer);
    return { ...tensor, bytes };
  });
  const halves = withCutCodecs(model.graph, { t: 'fp16' });
  const frames = [{ name: 'big', inputs: big ?? [] }];
  const { relativeRms, maxRelDiff } = await accuracyOf(deps, model.graph, halves, frames, SETTINGS);
  expect([relativeRms, maxRelDiff]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
});

test('what a codec saves and loses, cut by cut', async () => {
  const input = { model, codec: 'uint8', samples, settings: SETTINGS, progress: () => {} } as const;
  const { name, samples: count, cuts } = await surveyCodec(deps, input);
  expect([name, count]).toEqual(['uint8', 3]);
  expect(cuts.map(({ tensor }) => tensor)).toContain('t');
  for (const { tensor, bytes, codedBytes, deflatedBytes, relativeRms } of cuts) {
    expect([bytes, codedBytes], tensor).toEqual([768, 192]);
    expect(deflatedBytes).toBeLessThan(codedBytes);
    expect(relativeRms).toBeLessThan(0.1);
  }
});

describe('the budget', () => {
  const budgetOf = (budget: AccuracyBudget) =>
    new CodecBudget({ ...deps, model, samples, settings: SETTINGS, budget });
  /** Cut after `t`. */
  const cut = (codecs: Pick<CheckableDraft, 'codecs' | 'wire'>): CheckableDraft => ({
    ...draftOf(model, [{ upTo: 'Sub', mode: 'whole' }, { mode: 'whole' }]),
    ...codecs,
  });

  /** Cut after `doubled` and after `t`. */
  const inThree = (): CheckableDraft =>
    draftOf(model, [{ upTo: 'Mul', mode: 'whole' }, { upTo: 'Sub', mode: 'whole' }, { mode: 'whole' }]);

  test('exact drafts are not measured', async () => {
    const nothing = new CodecBudget({
      ...deps,
      model,
      samples: [],
      settings: SETTINGS,
      budget: DEFAULT_BUDGET,
    });
    expect(await nothing.check(cut({ codecs: { t: 'raw' }, wire: { image: 'png' } }))).toEqual({
      ranges: {},
    });
  });

  test('what keeps to it has its ranges, what does not is refused with the figure', async () => {
    const draft = cut({ codecs: { t: 'uint8' } });
    const { ranges, loss } = await budgetOf({ relativeRms: 0.1, labels: 0 }).check(draft);
    expect(ranges).toEqual({ t: { min: -1, max: 1 } });
    expect(loss).toMatchObject({ samples: 3, labels: 1, equalLabels: 3 });
    expect(loss?.relativeRms).toBeGreaterThan(0);
    await expect(budgetOf({ relativeRms: 1e-9, labels: 0 }).check(draft)).rejects.toEqual(
      problem('accuracy-refused', '1 tensor as uint8: output "logits" is off by'),
    );
  });

  test('codecs of messages count as they do on the way: every piece by its own range', async () => {
    const lossBy = async (wire: CheckableDraft['wire'] & {}) => {
      const { ranges, loss } = await budgetOf({ relativeRms: 1, labels: 0 }).check(cut({ wire }));
      expect(ranges).toEqual({});
      return loss?.relativeRms ?? 0;
    };
    const halves = await lossBy({ t: 'fp16' });
    expect(halves).toBeGreaterThan(0);
    expect(await lossBy({ t: 'uint8' })).toBeGreaterThan(halves);
  });

  test('each codec alone, of sub-models and of messages, is what the draft with that one loses', async () => {
    const three = inThree();
    // Of values in the middle between two bytes either will do: here there are none.
    const ranges = { t: { min: -1.05, max: 1.2 } };
    const { outputs } = await calibrate(deps, model.graph, [], samples);
    const lossesOf = async (codecs: Pick<CheckableDraft, 'codecs' | 'wire'>) => {
      const draft = { ...three, ...codecs };
      const { plan } = await prepareDraft(model, 'p', { ...draft, ranges }, blobs);
      const coded = Object.entries({ ...codecs.codecs, ...codecs.wire });
      const lossy = coded.map(([tensor, codec]) => ({ tensor, codec: codec as LossyCodec }));
      return lossesAlone(
        { ...deps, model, settings: SETTINGS },
        { draft, plan, codecs: lossy },
        samples,
        outputs,
      );
    };
    const inside = await lossesOf({ codecs: { doubled: 'fp16', t: 'uint8' } });
    for (const [at, codecs] of [{ doubled: 'fp16' } as const, { t: 'uint8' } as const].entries()) {
      const coded = withCutCodecs(model.graph, codecs, ranges);
      const { relativeRms } = await accuracyOf(deps, model.graph, coded, samples, SETTINGS);
      expect(inside[at]).toBeCloseTo(relativeRms, 6);
    }
    const alone = async (wire: CheckableDraft['wire'] & {}) =>
      (await budgetOf({ relativeRms: 1, labels: 0 }).check({ ...three, wire })).loss?.relativeRms;
    const sent = await lossesOf({ wire: { doubled: 'fp16', t: 'uint8' } });
    expect(sent).toEqual([await alone({ doubled: 'fp16' }), await alone({ t: 'uint8' })]);
    expect(Math.min(...inside, ...sent)).toBeGreaterThan(0);
  });

  test('codecs that lose too much are told apart with one more loading of the sub-models', async () => {
    const three = inThree();
    let [loads, runs] = [0, 0];
    const counting: Executor = {
      start: () => executor.start(),
      stop: () => executor.stop(),
      describe: () => executor.describe(),
      unload: (session) => executor.unload(session),
      load: (path) => {
        loads++;
        return executor.load(path);
      },
      run: (session, inputs, wanted) => {
        runs++;
        return executor.run(session, inputs, wanted);
      },
    };
    const budget = new CodecBudget({
      ...deps,
      executor: counting,
      model,
      samples,
      settings: SETTINGS,
      budget: { relativeRms: 1e-9, labels: 0 },
    });
    const refused = budget.check({ ...three, codecs: { doubled: 'uint8', t: 'uint8' } });
    await expect(refused).rejects.toMatchObject({ code: 'accuracy-refused' });
    // The uncut model, the plan, and its blocks without codecs.
    expect(loads).toBe(1 + 3 + 3);
    // Of each sample: `doubled` alone runs three blocks, `t` alone the second without a codec and the last.
    expect(runs).toBe(samples.length * (1 + 3 + 3 + 2));
  });

  test('a codec after which no answer can be read is refused', async () => {
    const bytes = new Uint8Array(Float32Array.from({ length: 192 }, () => 1e6).buffer);
    const big = samples.map((sample) => ({
      ...sample,
      inputs: sample.inputs.map((tensor) => ({ ...tensor, bytes: Uint8Array.from(bytes) })),
    }));
    const budget = { relativeRms: 1, labels: 0 };
    const checked = new CodecBudget({ ...deps, model, samples: big, settings: SETTINGS, budget });
    await expect(checked.check(cut({ codecs: { t: 'fp16' } }))).rejects.toMatchObject({
      refused: [{ tensor: 't', codec: 'fp16' }],
    });
  });

  test('answers count beside numbers', () => {
    const accuracy = { samples: 1, outputs: [], relativeRms: 0, maxRelDiff: 0, labels: 0.9 };
    expect(overBudget(accuracy, { relativeRms: 0, labels: 0.9 })).toBeUndefined();
    expect(overBudget(accuracy, { relativeRms: 0, labels: 1 })).toContain('90 % of the answers agree');
    const twenty = { ...accuracy, samples: 20 };
    expect(overBudget({ ...twenty, equalLabels: 18 }, { relativeRms: 0, labels: 0.9 })).toBeUndefined();
    expect(overBudget({ ...twenty, equalLabels: 17 }, { relativeRms: 0, labels: 0.9 })).toContain('17 of 20');
  });
});

describe('agreement', () => {
  const image = { width: 100, height: 100 };
  const box = (index: number, x: number, width = 10): Detection => ({
    label: `class ${index}`,
    index,
    score: 0.5,
    box: { x, y: 0, width, height: 10 },
  });
  const found = (...detections: Detection[]) => ({ task: 'detect' as const, image, detections });

  test('detections need a partner of their class that overlaps by half', () => {
    expect(agreement(found(box(1, 0), box(2, 50)), found(box(2, 51), box(1, 1)))).toEqual({
      statements: 4,
      agreed: 4,
    });
    expect(agreement(found(box(1, 0)), found(box(1, 6)))).toEqual({ statements: 2, agreed: 0 });
    expect(agreement(found(box(1, 0)), found(box(2, 0)))).toEqual({ statements: 2, agreed: 0 });
    expect(agreement(found(box(1, 0)), found(box(1, 0), box(1, 1)))).toEqual({ statements: 3, agreed: 2 });
    expect(agreement(found(), found())).toEqual({ statements: 0, agreed: 0 });
  });

  test('of classes only the best counts', () => {
    const best = (index: number) => ({
      task: 'classify' as const,
      image,
      classes: [{ label: `class ${index}`, index, score: 1 }],
    });
    expect(agreement(best(1), best(1))).toEqual({ statements: 1, agreed: 1 });
    expect(agreement(best(1), best(2))).toEqual({ statements: 1, agreed: 0 });
  });
});

test('folders without pictures are refused', async () => {
  await expect(samplePictures(join(folder.path, 'nowhere'))).rejects.toEqual(
    problem('config-invalid', 'cannot be read'),
  );
  const empty = temporaryFolder();
  await expect(samplePictures(empty.path)).rejects.toEqual(problem('config-invalid', 'has no JPEG'));
  empty.remove();
});
