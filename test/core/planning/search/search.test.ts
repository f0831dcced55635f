/** What the search chooses, and that its drafts are whole plans. */

import { describe, expect, test } from 'vitest';
import type { Device, Fleet } from '../../../../services/core/planning/cost/fleet.ts';
import type { Draft } from '../../../../services/core/planning/draft.ts';
import { draftOf, evenDraft } from '../../../../services/core/planning/search/fixed.ts';
import { search } from '../../../../services/core/planning/search/search.ts';
import { simulate } from '../../../../services/core/planning/simulate/simulate.ts';
import { gridCover } from '../../../../services/core/tiling/cover.ts';
import { residualNetwork, squeezeNetwork } from '../../../support/networks.ts';
import { classifier, fleetOf, spaceOf } from './small.ts';

const space = await spaceOf(classifier());
const slow = { slowness: [1000, 1000, 1000, 1000] };

function check(draft: Draft): void {
  for (const [id, { block, parts, mode }] of draft.blocks.entries()) {
    expect(block.id).toBe(id);
    expect(block.kind).toBe(mode);
    for (const [index, { tile, devices }] of parts.entries()) {
      expect(tile).toMatchObject({ block: id, index });
      expect(devices.length).toBeGreaterThan(0);
    }
  }
  const nodes = draft.blocks.flatMap(({ block }) => block.nodes.map(({ index }) => index));
  expect(nodes.toSorted((a, b) => a - b)).toEqual(space.graph.nodes.map(({ index }) => index));
}

describe('latency', () => {
  test('slow devices over fast links share the work', () => {
    const { best, alternatives } = search(space, fleetOf(slow), { objective: 'latency' });
    expect(best.strategy).toBe('parallel');
    const one = alternatives.find(({ strategy }) => strategy === 'one-device') as Draft;
    expect(best.predicted.latencyMs).toBeLessThan(0.7 * one.predicted.latencyMs);
    for (const draft of alternatives) check(draft);
  });

  test('over slow links one device does it alone, the one with the frames if it can', () => {
    const spec = { ...slow, hubLink: { bytesPerMs: 5 } };
    expect(search(space, fleetOf(spec), { objective: 'latency' }).best.strategy).toBe('one-device');
    const { best } = search(space, fleetOf({ ...spec, local: 1000 }), { objective: 'latency' });
    expect(best.strategy).toBe('one-device');
    expect(best.blocks[0]?.parts[0]?.devices).toEqual(['local']);
    expect(best.predicted.bytesPerFrame).toBe(0);
  });

  test('a slower device gets a smaller tile', () => {
    const fleet = fleetOf({ slowness: [2500, 1000] });
    const { best } = search(space, fleet, { objective: 'latency' });
    expect(best.predicted.latencyMs).toBeLessThan(0.9 * evenDraft(space, fleet).predicted.latencyMs);
    const shared = best.blocks.find(({ mode, parts }) => mode === 'tile' && parts.length === 2);
    const macs = new Map(shared?.parts.map(({ devices, tile }) => [devices[0], tile.macs]));
    expect(macs.get('d0')).toBeLessThan(0.6 * (macs.get('d1') ?? 0));
  });

  test('a helper on the hub saves its own transfers', () => {
    const without = search(space, fleetOf(slow), { objective: 'latency' }).best.predicted.latencyMs;
    const { best } = search(space, fleetOf({ ...slow, local: 1000 }), { objective: 'latency' });
    expect(best.predicted.latencyMs).toBeLessThan(without);
  });

  test('only the strategies asked for', () => {
    const { alternatives } = search(space, fleetOf(slow), { objective: 'latency', strategies: ['pipeline'] });
    expect(alternatives.map(({ strategy }) => strategy)).toEqual(['pipeline']);
    expect(new Set(alternatives[0]?.blocks.map(({ parts }) => parts[0]?.devices[0])).size).toBeGreaterThan(1);
  });
});

test('workers on processors of their own share a frame where those that share one do not', () => {
  const { devices } = fleetOf({ slowness: [1000, 1000] });
  const [a, b] = devices.map(({ medium: _, ...device }) => device) as [Device, Device];
  const fleet = (processors: readonly [string, string]): Fleet => ({
    hub: { messageMs: 0.05, byteMs: 1e-6 },
    media: new Map(),
    devices: [
      { ...a, processor: processors[0] },
      { ...b, processor: processors[1] },
    ],
  });
  const apart = search(space, fleet(['x', 'y']), { objective: 'latency' });
  const one = apart.alternatives.find(({ strategy }) => strategy === 'one-device') as Draft;
  expect(apart.best.strategy).toBe('parallel');
  expect(apart.best.predicted.latencyMs).toBeLessThan(0.7 * one.predicted.latencyMs);
  expect(apart.best.predicted.bytesPerFrame).toBe(0);
  const options = { frames: 3, inFlight: 1, binding: 'late' } as const;
  const { latency } = simulate(apart.best.blocks, fleet(['x', 'y']), options);
  expect(Math.abs(latency.median / apart.best.predicted.latencyMs - 1)).toBeLessThan(0.1);
  expect(search(space, fleet(['x', 'x']), { objective: 'latency' }).best.strategy).toBe('one-device');
});

describe('throughput', () => {
  test('replicas are nearly as many times as fast', () => {
    const { best, alternatives } = search(space, fleetOf(slow), { objective: 'throughput' });
    const one = alternatives.find(({ strategy }) => strategy === 'one-device') as Draft;
    expect(best.strategy).toBe('replicas');
    expect(best.predicted.framesPerSecond / one.predicted.framesPerSecond).toBeCloseTo(4, 1);
    for (const draft of alternatives) check(draft);
  });

  test('where no device holds the model, its heavy layer is shared out and the rest replicated', () => {
    // The first fully-connected layer has 5.2 MB of weights.
    const { best, alternatives } = search(space, fleetOf({ ...slow, memoryBytes: 3e6 }), {
      objective: 'throughput',
    });
    expect(best.strategy).toBe('mixed');
    expect(best.blocks.some(({ mode }) => mode === 'shard')).toBe(true);
    expect(alternatives.map(({ strategy }) => strategy)).not.toContain('replicas');
    for (const { predicted } of alternatives)
      for (const bytes of Object.values(predicted.memoryBytes)) expect(bytes).toBeLessThanOrEqual(4e6);
    const unlimited = search(space, fleetOf(slow), { objective: 'throughput' }).best;
    expect(best.predicted.framesPerSecond).toBeGreaterThan(0.8 * unlimited.predicted.framesPerSecond);
  });

  test('frames in flight bound it', () => {
    const { best } = search(space, fleetOf(slow), { objective: 'throughput', inFlight: 1 });
    expect(best.predicted.framesPerSecond).toBeCloseTo(1000 / best.predicted.latencyMs, 6);
  });
});

test('a fleet too small is told what it lacks', () => {
  expect(() => search(space, fleetOf({ ...slow, memoryBytes: 1000 }), { objective: 'latency' })).toThrow(
    expect.objectContaining({ code: 'plan-impossible', message: expect.stringContaining('d0 lacks') }),
  );
  expect(() => search(space, fleetOf({ slowness: [] }), { objective: 'latency' })).toThrow(
    expect.objectContaining({ code: 'plan-impossible' }),
  );
});

describe('plans by hand', () => {
  const fleet = fleetOf(slow);
  const devices = ['d0', 'd1', 'd2', 'd3'];
  const relu = space.line.nodes.filter(({ op }) => op === 'Relu').map(({ name }) => name);

  test('blocks end where they are cut, tiles go to the devices named', () => {
    const draft = draftOf(space, fleet, { cuts: [relu[1] as string], covers: gridCover(2, 2), devices });
    check(draft);
    expect(draft.blocks.map(({ mode }) => mode)).toEqual(['tile', 'tile', 'whole']);
    expect(draft.blocks[0]?.parts.map((part) => part.devices)).toEqual(devices.map((id) => [id]));
    expect(draft.strategy).toBe('parallel');
    const { best } = search(space, fleet, { objective: 'latency' });
    expect(best.predicted.latencyMs).toBeLessThanOrEqual(draft.predicted.latencyMs);
  });

  test('without covers blocks run whole where they are put', () => {
    const draft = draftOf(space, fleet, { cuts: [5, 7], devices: [['d0'], ['d1'], ['d2']] });
    check(draft);
    expect(draft.strategy).toBe('pipeline');
    expect(draft.blocks.map(({ parts }) => parts[0]?.devices)).toEqual([['d0'], ['d1'], ['d2']]);
  });

  test('mistakes are told', () => {
    expect(() => draftOf(space, fleet, { cuts: ['nothing'], devices })).toThrow(/no node "nothing"/);
    expect(() => draftOf(space, fleet, { cuts: [7, 5], devices })).toThrow(/do not rise/);
    expect(() => draftOf(space, fleet, { cuts: [5], devices: ['x'] })).toThrow(/no device "x"/);
    expect(() => draftOf(space, fleet, { cuts: [5], covers: gridCover(50, 1), devices })).toThrow(
      expect.objectContaining({ code: 'tiling-refused' }),
    );
  });
});

test('the simulator agrees with what is predicted', async () => {
  for (const model of [classifier(), residualNetwork(), squeezeNetwork()]) {
    const opened = await spaceOf(model);
    for (const spec of [slow, { ...slow, local: 1000 }, { ...slow, wifi: true }]) {
      const fleet = fleetOf(spec);
      for (const draft of search(opened, fleet, { objective: 'latency' }).alternatives) {
        const { latency } = simulate(draft.blocks, fleet, { frames: 3, inFlight: 1, binding: 'late' });
        const { latencyMs } = draft.predicted;
        // Blocks do not wait for all of the one before where they need not.
        expect(Math.abs(latency.median / latencyMs - 1), draft.strategy).toBeLessThan(0.1);
      }
    }
  }
});
