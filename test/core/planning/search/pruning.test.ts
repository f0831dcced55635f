/** What the search leaves out: nothing that would win, and nothing that cannot be written. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Draft } from '../../../../services/core/planning/draft.ts';
import { codedSpace } from '../../../../services/core/planning/search/coded-space.ts';
import { evenCover } from '../../../../services/core/planning/search/covers.ts';
import { draftOf } from '../../../../services/core/planning/search/fixed.ts';
import { viewOf } from '../../../../services/core/planning/search/fleet-view.ts';
import { latencyPlans } from '../../../../services/core/planning/search/latency.ts';
import { holdingsOf } from '../../../../services/core/planning/search/memory-of.ts';
import { sharedOptions, wholeOptions } from '../../../../services/core/planning/search/options.ts';
import { cutTensors, refined } from '../../../../services/core/planning/search/refine.ts';
import { schedule } from '../../../../services/core/planning/search/schedule.ts';
import { search } from '../../../../services/core/planning/search/search.ts';
import type { Span } from '../../../../services/core/planning/search/span.ts';
import type { Step } from '../../../../services/core/planning/search/step.ts';
import { CutFacts, RAW_FORM, uniformForm } from '../../../../services/core/planning/search/wire-form.ts';
import { gridCover } from '../../../../services/core/tiling/cover.ts';
import { ModelBuilder } from '../../../support/model-builder.ts';
import { anyFleet, fleetOf, maps, spaceOf } from './small.ts';

const RUNS = Math.min(10, Math.ceil(Number(process.env.TILEPIPE_PROPERTY_RUNS ?? 60) / 12));
const space = await spaceOf(maps());

test('the quick search finds what working out every option finds', () => {
  fc.assert(
    fc.property(anyFleet, (spec) => {
      const view = viewOf(fleetOf(spec));
      const least = [0];
      for (let to = 1; to <= space.end; to++) {
        least[to] = Number.POSITIVE_INFINITY;
        for (let from = 0; from < to; from++) {
          const span = space.span(from, to);
          if (span === undefined) continue;
          const shared = sharedOptions(view, span, view.members).flatMap(
            (option) => option.estimate()?.build() ?? [],
          );
          for (const { ms } of [...wholeOptions(view, span, view.members), ...shared])
            least[to] = Math.min(least[to] as number, (least[from] as number) + ms);
        }
      }
      const { whole, shared } = latencyPlans(space, view);
      const found = [whole, shared].flatMap((steps) => (steps === undefined ? [] : [total(steps)]));
      function total(steps: readonly Step[]): number {
        return steps.reduce((sum, { parts }) => sum + schedule(view, parts).ms, 0);
      }
      expect(Math.min(...found) / (least[space.end] as number)).toBeCloseTo(1, 6);
    }),
    { numRuns: RUNS },
  );
});

test('more tiles than devices where much is sent, whether memory is short or not', async () => {
  const large = new ModelBuilder()
    .input('image', [1, 3, 256, 256])
    .random('w', [8, 3, 1, 1])
    .node('Conv', ['image', 'w'], ['y'], { kernel_shape: [1, 1] })
    .output('y', 'float32', [1, 8, 256, 256])
    .encode();
  const opened = await spaceOf(large);
  const spec = { slowness: [2000], hubLink: { bytesPerMs: 1500 }, link: { bytesPerMs: 1500 } };
  const best = (memoryBytes?: number) =>
    search(opened, fleetOf(memoryBytes === undefined ? spec : { ...spec, memoryBytes }), {
      objective: 'latency',
    }).best.predicted.latencyMs;
  const [short, ample] = [best(1.5e6), best()];
  expect(ample).toBeLessThanOrEqual(short * (1 + 1e-6));
  const alone = search(opened, fleetOf(spec), { objective: 'latency', strategies: ['one-device'] }).best;
  expect(ample).toBeLessThan(0.9 * alone.predicted.latencyMs);
});

const handing = ((): Step => {
  const span = space.span(0, 2) as Span;
  const cover = evenCover([1, 1, 1, 1]);
  const parts = (span.reuse(cover) ?? []).map((cost) => ({ cost, on: [0] }));
  return { span, mode: 'tile', parts, cover, reuse: true };
})();

test('tensors at the ends of tiles that hand strips on keep their values', () => {
  const facts = new CutFacts(space.graph);
  const halves = uniformForm(facts, 'fp16', false);
  expect(handing.parts).toHaveLength(4);
  const coded = codedSpace(space, facts, halves).span(0, 2) as Span;
  expect(coded.tiles(evenCover([1, 1, 1, 1]))).toBeDefined();
  expect(coded.reuse(evenCover([1, 1, 1, 1]))).toBeUndefined();
  const view = viewOf(fleetOf({ slowness: [1000] }));
  const after = [space.span(2, 3), space.span(3, space.end)].map((span): Step => {
    return { span: span as Span, mode: 'whole', parts: [{ cost: (span as Span).whole, on: [0] }] };
  });
  const steps = [handing, ...after];
  const [kept, free] = cutTensors(steps);
  const plan = refined(
    { steps, form: RAW_FORM },
    {
      view,
      forms: [RAW_FORM, halves],
      predict: (recoded, form) => ({ steps: recoded, form }),
      score: ({ steps: all }) =>
        all.flatMap(({ parts }) => parts).reduce((sum, { cost }) => sum + cost.bytesIn, 0),
    },
  );
  expect(plan.form.of(kept as string).codec).toBe('raw');
  expect(plan.form.of(free as string).codec).toBe('fp16');
});

test('a device is charged the sub-models of the places whose tiles it may get', () => {
  const fleet = fleetOf({ slowness: [1000, 1000, 1000, 1000] });
  const devices = ['d0', 'd1', 'd2', 'd3'];
  const patterns = (draft: Draft, id: string): number =>
    new Set(
      draft.blocks[0]?.parts.flatMap(({ tile, devices: on }) => (on.includes(id) ? [tile.pattern] : [])),
    ).size;
  const span = space.span(0, 2) as Span;
  for (const late of [true, false]) {
    const cuts = [space.line.positions[2] as number];
    const draft = draftOf(space, fleet, { cuts, covers: gridCover(4, 4), devices, late });
    const cover = gridCover(4, 4);
    const parts = (span.tiles(cover) ?? []).map((cost, at) => ({ cost, on: late ? [0, 1, 2, 3] : [at % 4] }));
    const held = holdingsOf({ mode: 'tile', parts, cover });
    for (const [index, id] of devices.entries()) {
      expect(held.get(index)?.subModels).toBe(patterns(draft, id));
      expect(held.get(index)?.subModels).toBe(late ? 9 : 3);
    }
  }
});
