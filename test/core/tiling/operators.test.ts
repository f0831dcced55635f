/** Every operator with a rule, with awkward attributes, cut several ways: tiles merge to the uncut output. */

import { describe, expect, it } from 'vitest';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import { analyse } from '../../../services/core/tiling/analyse.ts';
import { bandCover, gridCover } from '../../../services/core/tiling/cover.ts';
import { describeRules, RULES } from '../../../services/core/tiling/rules/table.ts';
import { difference, inputFor, runModel } from '../../support/graph-reference.ts';
import { ModelBuilder } from '../../support/model-builder.ts';
import { runTiled } from '../../support/tiled.ts';
import { BORDERS } from './operators/borders.ts';
import type { Case } from './operators/case.ts';
import { CHANNELS } from './operators/channels.ts';
import { MOVES } from './operators/moves.ts';
import { POINTS } from './operators/points.ts';
import { RESIZES } from './operators/resizes.ts';
import { WINDOWS } from './operators/windows.ts';

const COVERS = {
  '2x2': gridCover(2, 2),
  unequal: bandCover([
    { share: 5, columns: [1, 3, 2] },
    { share: 1, columns: [2, 1] },
    { share: 3, columns: [1] },
  ]),
  '5x1': gridCover(5, 1),
};

const tried = new Set<string>();

async function expectExact({ opset = 17, build, tolerance = 1e-4 }: Case): Promise<void> {
  const bytes = build(new ModelBuilder(opset)).encode();
  const graph = await readGraph(bytes);
  const analysis = analyse(graph);
  expect([...analysis.refusals.values()]).toEqual([]);
  for (const { op, domain } of graph.nodes) tried.add(domain === '' ? op : `${domain}:${op}`);
  const reference = await runModel(bytes, graph.inputs);
  for (const [name, cover] of Object.entries(COVERS)) {
    const run = await runTiled(graph, analysis, cover, graph.inputs.map(inputFor));
    expect(run.refusals, name).toEqual([]);
    for (const output of graph.outputs) {
      expect(
        difference(run.outputs.get(output.name), reference.get(output.name)),
        `${name} ${output.name}`,
      ).toBeLessThanOrEqual(tolerance);
    }
  }
}

const GROUPS = {
  windows: WINDOWS,
  resizes: RESIZES,
  borders: BORDERS,
  moves: MOVES,
  channels: CHANNELS,
  points: POINTS,
};

for (const [group, cases] of Object.entries(GROUPS)) {
  describe(group, () => {
    it.each(cases.map((item): [string, Case] => [item.name, item]))('%s', (_, item) => expectExact(item));
  });
}

/** Operators with a rule that this table cannot run, and why. */
const UNTRIED: Readonly<Record<string, string>> = {
  Identity: 'removed when a model is read',
  Dropout: 'removed when a model is read',
};

describe('the table of rules', () => {
  it('is described in full', () => {
    for (const { op, tiled, region, pads, limits } of describeRules()) {
      expect(limits.length, op).toBeGreaterThan(4);
      if (tiled) expect(Math.min(region.length, pads.length), op).toBeGreaterThan(4);
    }
  });

  it('has no rule but for pointwise operators that is not tried here', () => {
    const untried = [...RULES.keys()].filter((key) => !tried.has(key) && !(key in UNTRIED));
    process.stdout.write(`${tried.size} operators tried; not: ${untried.join(' ')}\n`);
    expect(
      untried.filter((key) => !RULES.get(key)?.region.startsWith('The same rectangle of each input')),
    ).toEqual(['CumProd', 'RMSNormalization']);
  });
});
