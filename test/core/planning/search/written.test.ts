/** Drafts of the search, written as sub-models and carried out, against the uncut network in ORT. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openAnalysed, prepareDraft } from '../../../../services/controller/prepare.ts';
import { openSpace, search } from '../../../../services/core/planning/search/search.ts';
import { BlobCache } from '../../../../services/core/runtime/blobs.ts';
import { compare } from '../../../../tools/compare.ts';
import { temporaryFolder } from '../../../support/cluster.ts';
import { residualNetwork, squeezeNetwork } from '../../../support/networks.ts';
import { wholeModel } from '../../../support/ort.ts';
import { randomValues } from '../../../support/random-values.ts';
import { runPlan } from '../../../support/run-plan.ts';
import { floatTensor } from '../../../support/tensors.ts';
import { classifier, fleetOf } from './small.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const blobs = new BlobCache({ folder: folder.path });

test.each([
  ['classifier', classifier()],
  ['residual', residualNetwork()],
  ['squeeze', squeezeNetwork()],
])('%s: every draft computes what the network does', async (name, model) => {
  const path = join(folder.path, `${name}.onnx`);
  writeFileSync(path, model);
  const opened = await openAnalysed(path, {});
  const uncut = await wholeModel(model);
  const inputs = uncut.inputs.map(({ name: input, shape }) =>
    floatTensor(input, shape, randomValues(input, shape)),
  );
  const expected = await uncut.run(inputs);
  const space = openSpace(opened.graph, opened.analysis);
  const modes = new Set<string>();
  for (const slowness of [
    [1000, 1000, 1000],
    [1000, 3000],
  ]) {
    const fleet = fleetOf({ slowness });
    for (const objective of ['latency', 'throughput'] as const) {
      for (const draft of search(space, fleet, { objective }).alternatives) {
        const { plan } = await prepareDraft(opened, 'test', draft, blobs);
        const difference = compare(await runPlan(plan, blobs, inputs), expected);
        expect(difference.maxRelDiff, `${draft.strategy}: ${difference.reason}`).toBeLessThanOrEqual(1e-5);
        for (const { mode } of draft.blocks) modes.add(mode);
      }
    }
  }
  expect(modes.size).toBeGreaterThan(1);
});
