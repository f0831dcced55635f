import { beforeAll, expect, test } from 'vitest';
import { readGraph } from '../../../../services/core/graph/read-graph.ts';
import type { Fleet } from '../../../../services/core/planning/cost/fleet.ts';
import { openSpace, type SearchSpace } from '../../../../services/core/planning/search/search.ts';
import { analyse } from '../../../../services/core/tiling/analyse.ts';
import { mostModels } from '../../../../tools/bench/deepthings/packed.ts';
import { packedGrid, strips } from '../../../../tools/bench/deepthings/plans.ts';
import { residualNetwork } from '../../../support/networks.ts';

const ids = ['device-1', 'device-2', 'device-3'];
const fleet: Fleet = {
  hub: { messageMs: 0.1, byteMs: 1e-6 },
  media: new Map(ids.map((id) => [id, { name: id, bytesPerMs: 1e4, duplex: 'full', latencyMs: 0.3 }])),
  devices: ids.map((id) => ({
    id,
    kinds: new Map([['other', { run: 0.01, mac: 1e-6, byte: 0, weight: 0 }]]),
    taskMs: 0.1,
    byteMs: 0,
    memoryBytes: Number.POSITIVE_INFINITY,
    idleBytes: 0,
    medium: id,
    estimated: true,
  })),
};

let space: SearchSpace;
beforeAll(async () => {
  const graph = await readGraph(residualNetwork());
  space = openSpace(graph, analyse(graph));
});

test('every tile is bound to one device, few sub-models to each, and the work is shared', () => {
  const { draft } = packedGrid(space, fleet, { cuts: [], rows: 4, columns: 4 });
  const parts = draft.blocks.flatMap((block) => block.parts);
  expect(parts.map(({ devices }) => devices.length)).toEqual(parts.map(() => 1));
  const patterns = new Set(parts.map(({ tile }) => tile.pattern));
  expect(patterns.size).toBe(9);
  expect(mostModels(draft)).toBeLessThan(patterns.size);
  const total = parts.reduce((sum, { tile }) => sum + tile.macs, 0);
  const largest = Math.max(...parts.map(({ tile }) => tile.macs));
  for (const id of ids) {
    const own = parts.filter(({ devices }) => devices[0] === id);
    expect(own.reduce((sum, { tile }) => sum + tile.macs, 0)).toBeLessThanOrEqual(total / 3 + largest);
  }
});

test('strips that reuse do less, and those that others wait for come first', () => {
  const [again, reused] = strips(space, fleet).map(({ draft }) => draft.blocks[0]?.parts ?? []);
  const macs = (parts: typeof again): number => (parts ?? []).reduce((sum, { tile }) => sum + tile.macs, 0);
  expect(macs(reused)).toBeLessThan(macs(again));
  const given = reused?.findLastIndex(({ tile }) =>
    [...tile.outputs.keys()].some((name) => name.includes('@')),
  );
  const taken = reused?.findIndex(({ tile }) => [...tile.inputs.keys()].some((name) => name.includes('@')));
  expect(taken).toBeGreaterThan(given ?? Number.POSITIVE_INFINITY);
});
