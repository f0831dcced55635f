/** How the choice between pixels and tensors is told: with the figures of the plan that is shown. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenedModel } from '../../services/controller/prepare.ts';
import { figure, timeText } from '../../services/core/planning/advise/units.ts';
import { search, type WireOptions } from '../../services/core/planning/search/search.ts';
import { chooseInput } from '../../tools/plan/pixel-choice.ts';
import { fleetOfSpeeds } from '../core/planning/advise/fleets.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { ModelBuilder } from '../support/model-builder.ts';
import { openModel } from '../support/open-model.ts';

const folder = temporaryFolder();
let model: OpenedModel;

/** Its weights fit on no device alone, so that maps travel. */
function network(): Uint8Array {
  const builder = new ModelBuilder().input('t0', [1, 3, 8, 8]);
  for (let i = 1; i <= 3; i++)
    builder
      .random(`w${i}`, [64, i === 1 ? 3 : 64, 3, 3])
      .node('Conv', [`t${i - 1}`, `w${i}`], [`t${i}`], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
  return builder.output('t3', 'float32', [1, 64, 8, 8]).encode();
}

beforeAll(async () => {
  model = await openModel(folder.path, network(), { name: 'network' });
});
afterAll(() => folder.remove());

test.each(['latency', 'throughput'] as const)(
  'the figures for %s are those of the plan, whatever its codecs',
  (objective) => {
    const fleet = fleetOfSpeeds({ speeds: [1, 1], mbit: 20, memoryBytes: 64e6 + 3e5 });
    const { space, input, why } = chooseInput(model, fleet, { objective }, 'auto');
    const texts = ([undefined, { lossy: ['fp16', 'uint8'] }] as (WireOptions | undefined)[]).map((wire) => {
      const options = { objective, ...(wire === undefined ? {} : { wire }) };
      const { latencyMs, framesPerSecond } = search(space, fleet, options).best.predicted;
      const text = why?.(wire);
      const shown = objective === 'latency' ? timeText(latencyMs) : `${figure(framesPerSecond)} frames/s`;
      expect(text).toContain(`${input === 'pixels' ? 'pixels (pixels: true)' : 'tensors'}, ${shown}`);
      return text;
    });
    expect(new Set(texts).size).toBe(2);
  },
);

test('there is nothing to tell where there is no choice', () => {
  const fleet = fleetOfSpeeds({ speeds: [1] });
  expect(chooseInput(model, fleet, { objective: 'latency' }, 'off').why).toBeUndefined();
  expect(chooseInput(model, fleet, { objective: 'latency' }, 'on').why?.(undefined)).toMatch(/as asked/);
});
