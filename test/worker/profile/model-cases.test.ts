import { expect, test } from 'vitest';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import { analyse } from '../../../services/core/tiling/analyse.ts';
import { modelCases } from '../../../services/worker/profile/model-cases.ts';
import { residualNetwork } from '../../support/networks.ts';

test('cases of another seed leave out those that were measured, and are no more than asked for', async () => {
  const graph = await readGraph(residualNetwork());
  const analysis = analyse(graph);
  const measured = modelCases(graph, analysis);
  const others = modelCases(graph, analysis, { seed: 7, most: 3, without: measured.slice(1) });
  const keyOf = ({ work, inputs }: (typeof measured)[number]): string => JSON.stringify([work, inputs]);
  const known = new Set(measured.slice(1).map(keyOf));
  expect(others.length).toBeLessThanOrEqual(3);
  expect(others.length).toBeGreaterThan(0);
  expect(others.filter((item) => known.has(keyOf(item)))).toEqual([]);
});
