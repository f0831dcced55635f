/** The accuracy of a configuration as the planner asks for it: frames of a folder, the real executor. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenedModel } from '../../../services/controller/prepare.ts';
import type { Draft } from '../../../services/core/planning/draft.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import type { PipelineConfig } from '../../../tools/config.ts';
import { codecCheck, modelSource, openSource } from '../../../tools/planned/model-source.ts';
import { temporaryFolder } from '../../support/cluster.ts';
import { draftOf } from '../../support/drafts.ts';
import { residualNetwork } from '../../support/networks.ts';
import { problem } from '../../support/tensors.ts';

const folder = temporaryFolder();
const blobs = new BlobCache({ folder: folder.path });
let model: OpenedModel;

type Accuracy = NonNullable<NonNullable<PipelineConfig['plan']>['accuracy']>;

const source = (accuracy?: Accuracy) =>
  modelSource(
    {
      name: 'p',
      model: 'network.onnx',
      preprocess: { resize: 'stretch' },
      maxWaiting: 1,
      deadlineMs: 1000,
      attempts: 1,
      plan: accuracy === undefined ? {} : { accuracy },
    },
    folder.path,
  );
const check = (accuracy?: Accuracy) => codecCheck(source(accuracy), model, blobs);

beforeAll(async () => {
  writeFileSync(join(folder.path, 'network.onnx'), residualNetwork());
  await sharp({ create: { width: 40, height: 30, channels: 3, background: '#8030ff' } })
    .jpeg()
    .toFile(join(folder.path, 'sample.jpg'));
  model = await openSource(source());
});
afterAll(() => folder.remove());

test('plans are exact unless samples are named', () => {
  expect(check()).toBeUndefined();
  expect(check('exact')).toBeUndefined();
});

test('samples give ranges, or refuse', async () => {
  const cut = draftOf(model, [
    { upTo: 'Tanh', mode: 'whole' },
    { upTo: 'Add', mode: 'whole' },
    { mode: 'whole' },
  ]);
  const draft: Draft = {
    ...cut,
    strategy: 'pipeline',
    inFlight: 1,
    codecs: { b: 'uint8', f: 'fp16' },
  };
  const checked = await check({ samples: '.', relativeRms: 0.5 })?.(draft);
  expect(Object.keys(checked?.ranges ?? {})).toEqual(['b']);
  expect(checked?.ranges.b?.max).toBeLessThanOrEqual(1);
  expect(checked?.loss).toMatchObject({ samples: 1 });
  await expect(check({ samples: '.', relativeRms: 0 })?.(draft)).rejects.toEqual(
    problem('accuracy-refused', '1 tensor as uint8, 1 tensor as fp16: output "out" is off by'),
  );
  await expect(check({ samples: 'nowhere' })?.(draft)).rejects.toEqual(
    problem('config-invalid', 'nowhere cannot be read'),
  );
});
