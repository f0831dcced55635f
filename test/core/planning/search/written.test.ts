/** Drafts of the search, written as sub-models and carried out, against the uncut network in ORT. */

import { afterAll, expect, test } from 'vitest';
import { prepareDraft } from '../../../../services/controller/prepare.ts';
import type { Draft } from '../../../../services/core/planning/draft.ts';
import { openSpace, search } from '../../../../services/core/planning/search/search.ts';
import { simulate } from '../../../../services/core/planning/simulate/simulate.ts';
import { BlobCache } from '../../../../services/core/runtime/blobs.ts';
import { compare } from '../../../../tools/compare.ts';
import { temporaryFolder } from '../../../support/cluster.ts';
import { residualNetwork, squeezeNetwork } from '../../../support/networks.ts';
import { openModel } from '../../../support/open-model.ts';
import { wholeModel } from '../../../support/ort.ts';
import { randomValues } from '../../../support/random-values.ts';
import { runPlan } from '../../../support/run-plan.ts';
import { floatTensor } from '../../../support/tensors.ts';
import { classifier, fleetOf, maps } from './small.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const blobs = new BlobCache({ folder: folder.path });

test.each([
  ['classifier', classifier()],
  ['residual', residualNetwork()],
  ['squeeze', squeezeNetwork()],
])('%s: every draft computes what the network does', async (name, model) => {
  const opened = await openModel(folder.path, model, { name });
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

test('a device short of memory takes a frame strip by strip, and computes no row twice', async () => {
  const model = maps();
  const opened = await openModel(folder.path, model, { name: 'maps' });
  const space = openSpace(opened.graph, opened.analysis);
  const whole = space.span(0, space.end)?.whole;
  const memoryBytes = (whole?.weightBytes ?? 0) + 0.7 * (whole?.activationBytes ?? 0);
  const fleet = fleetOf({ slowness: [1000], memoryBytes });
  const { alternatives } = search(space, fleet, { objective: 'latency', strategies: ['parallel'] });
  const best = alternatives[0] as Draft;
  expect(best.blocks.some(({ reuse }) => reuse)).toBe(true);
  const macs = best.blocks.flatMap(({ parts }) => parts.map(({ tile }) => tile.macs));
  const uncutMacs = opened.graph.nodes.reduce((sum, node) => sum + opened.analysis.nodeMacs(node), 0);
  expect(macs.reduce((sum, count) => sum + count, 0)).toBeLessThan(1.05 * uncutMacs);
  const { latency } = simulate(best.blocks, fleet, { frames: 3, inFlight: 1, binding: 'late' });
  expect(Math.abs(latency.median / best.predicted.latencyMs - 1)).toBeLessThan(0.1);
  const { plan } = await prepareDraft(opened, 'test', best, blobs);
  const inputs = [floatTensor('image', [1, 8, 64, 64], randomValues('image', [1, 8, 64, 64]))];
  const uncut = await wholeModel(model);
  const difference = compare(await runPlan(plan, blobs, inputs), await uncut.run(inputs));
  expect(difference.maxRelDiff, difference.reason).toBeLessThanOrEqual(1e-5);
});
