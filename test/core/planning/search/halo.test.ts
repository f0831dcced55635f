/** Plans in which tiles stay on their devices: when they are chosen, what they may use, and how they are shared out. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Fleet } from '../../../../services/core/planning/cost/fleet.ts';
import type { Draft } from '../../../../services/core/planning/draft.ts';
import { movedLines, snapped } from '../../../../services/core/planning/search/cover-lines.ts';
import { viewOf } from '../../../../services/core/planning/search/fleet-view.ts';
import { keptFormsFor } from '../../../../services/core/planning/search/kept-form.ts';
import { LEAST_GAIN, type SearchOptions, search } from '../../../../services/core/planning/search/search.ts';
import { CutFacts } from '../../../../services/core/planning/search/wire-form.ts';
import { simulate } from '../../../../services/core/planning/simulate/simulate.ts';
import { asTilepipeError } from '../../../../services/core/runtime/errors.ts';
import { coverSize, gridCover } from '../../../../services/core/tiling/cover.ts';
import { ModelBuilder } from '../../../support/model-builder.ts';
import { classifier, fleetOf, maps, spaceOf } from './small.ts';

const RUNS = Math.min(Number(process.env.TILEPIPE_PROPERTY_RUNS ?? 12), 200);

const networks = [await spaceOf(maps()), await spaceOf(classifier())];
const [space] = networks as [(typeof networks)[number]];

/** Devices too slow for anything to be computed twice, over links that are slower than deflating. */
const slow = (more: Partial<Parameters<typeof fleetOf>[0]> = {}): Fleet =>
  fleetOf({ slowness: [400, 400, 400], link: { bytesPerMs: 4000 }, hubLink: { bytesPerMs: 8000 }, ...more });

function halo(fleet: Fleet, options: Partial<SearchOptions> = {}): Draft {
  return search(space, fleet, { objective: 'latency', strategies: ['halo'], ...options }).best;
}

function aloneMs({ blocks }: Draft, fleet: Fleet): number {
  return simulate(blocks, fleet, { frames: 1, inFlight: 1, binding: 'late' }).latency.median;
}

/** Devices that need help, unequal or not, over links that carry a map in a few milliseconds or many. */
const helpful = fc.record({
  slowness: fc.array(fc.double({ min: 100, max: 1000, noNaN: true }), { minLength: 2, maxLength: 3 }),
  wifi: fc.boolean(),
  link: fc.record({ bytesPerMs: fc.double({ min: 2_000, max: 100_000, noNaN: true }) }),
});

it('tiles stay where nothing else is as quick by the simulator', () => {
  let kept = 0;
  fc.assert(
    fc.property(fc.constantFrom(...networks), helpful, (network, spec) => {
      const fleet = fleetOf(spec);
      const { best, alternatives } = search(network, fleet, { objective: 'latency' });
      if (best.strategy !== 'halo') return;
      kept += 1;
      const ms = aloneMs(best, fleet);
      expect(ms).toBeCloseTo(best.predicted.latencyMs, 6);
      for (const other of alternatives) {
        const least = other.strategy === 'one-device' ? 1 - LEAST_GAIN : 1;
        expect(ms).toBeLessThanOrEqual(other.predicted.latencyMs * least * (1 + 1e-6));
      }
    }),
    {
      numRuns: RUNS,
      examples: [[space, { slowness: [800, 800, 800], wifi: false, link: { bytesPerMs: 20_000 } }]],
    },
  );
  expect(kept).toBeGreaterThan(0);
});

describe('codecs of what stays', () => {
  it('an exact plan deflates at most, and only over links slower than that', () => {
    const { wire, codecs, packed = [] } = halo(slow());
    expect(wire).toBeUndefined();
    expect(codecs).toBeUndefined();
    expect(packed.length).toBeGreaterThan(0);
    const fast = { link: { bytesPerMs: 1e6 }, hubLink: { bytesPerMs: 1e6 } };
    expect(halo(slow(fast)).packed).toBeUndefined();
  });

  it('strips as bytes take less time where that is allowed, and the tensors of the network stay as they are', () => {
    const fleet = slow();
    const lossy = halo(fleet, { wire: { lossy: ['fp16', 'uint8', 'jpeg'] } });
    expect(lossy.predicted.latencyMs).toBeLessThan(halo(fleet).predicted.latencyMs);
    expect(new Set(Object.values(lossy.wire ?? {}))).toContain('uint8');
    for (const { name } of [...space.graph.inputs, ...space.graph.outputs])
      expect(lossy.wire?.[name]).toBeUndefined();
  });

  it('no codec that some device does not know', () => {
    const fleet = slow();
    const devices = fleet.devices.map((device, at) => (at === 1 ? { ...device, codecs: ['fp16'] } : device));
    const { wire = {}, packed } = halo({ ...fleet, devices }, { wire: { lossy: ['fp16', 'uint8'] } });
    expect(new Set(Object.values(wire))).toEqual(new Set(['fp16']));
    expect(packed).toBeUndefined();
  });
});

describe('pictures that are given', () => {
  const pixels = (width: number): Uint8Array =>
    new ModelBuilder()
      .input('image', [1, 3, 8, width], 'uint8')
      .random('w', [4, 3, 3, 3])
      .node('Cast', ['image'], ['f'], { to: 1 })
      .node('Conv', ['f', 'w'], ['y'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
      .output('y')
      .encode();
  const picture = async (width: number, known: readonly string[], lossy: ('fp16' | 'jpeg')[] = []) => {
    const { graph } = await spaceOf(pixels(width));
    const fleet = slow();
    const devices = fleet.devices.map((device) => ({ ...device, codecs: known }));
    const forms = keptFormsFor(viewOf({ ...fleet, devices }), new CutFacts(graph), { lossy });
    return forms.map((form) => form.of('image').wire);
  };

  it('lossless WebP where all know it, else PNG; JPEG in plans that may change values', async () => {
    expect(await picture(8, ['png', 'webp', 'jpeg'])).toEqual([undefined, 'webp']);
    expect(await picture(8, ['png', 'jpeg'])).toEqual([undefined, 'png']);
    expect(await picture(8, ['fp16', 'webp', 'jpeg'], ['fp16', 'jpeg'])).toEqual([undefined, 'webp', 'jpeg']);
    expect(await picture(8, ['fp16', 'webp'], ['fp16', 'jpeg'])).toEqual([undefined, 'webp', 'webp']);
    expect(await picture(8, [])).toEqual([undefined]);
  });

  it('none that are too wide for the codec', async () => {
    expect(await picture(16_383, ['png', 'webp'])).toEqual([undefined, 'webp']);
    expect(await picture(16_384, ['png', 'webp'])).toEqual([undefined, 'png']);
    expect(await picture(16_384, ['webp'])).toEqual([undefined, undefined]);
  });
});

describe('devices', () => {
  it('a slower one keeps a smaller tile', () => {
    const { blocks } = halo(slow({ slowness: [400, 400, 1000] }));
    const macs = new Map<string, number>();
    for (const { parts } of blocks)
      for (const { devices, tile } of parts)
        macs.set(devices[0] as string, (macs.get(devices[0] as string) ?? 0) + tile.macs);
    expect(macs.get('d2') ?? 0).toBeLessThan(0.75 * (macs.get('d0') as number));
  });

  it('direct links are quicker, most of all through the air', () => {
    const fleet = slow({ wifi: true });
    const direct = { ...fleet, devices: fleet.devices.map((device) => ({ ...device, endpoint: true })) };
    expect(halo(direct).predicted.latencyMs).toBeLessThan(halo(fleet).predicted.latencyMs);
  });

  it('their memory holds what they are given', () => {
    const free = halo(slow());
    const most = Math.max(...Object.values(free.predicted.memoryBytes));
    const fleet = slow();
    const devices = fleet.devices.map((device) => ({ ...device, memoryBytes: most * 0.9 }));
    let draft: Draft | undefined;
    try {
      draft = halo({ ...fleet, devices });
    } catch (error) {
      expect(asTilepipeError(error).code).toBe('plan-impossible');
    }
    for (const bytes of Object.values(draft?.predicted.memoryBytes ?? {}))
      expect(bytes).toBeLessThanOrEqual(most * 0.9);
  });

  it('a stream is no slower than one frame after the other', () => {
    const { predicted, inFlight } = halo(slow(), { objective: 'throughput' });
    expect(inFlight).toBeGreaterThan(1);
    expect(predicted.framesPerSecond).toBeGreaterThanOrEqual((1000 / predicted.latencyMs) * 0.99);
  });
});

describe('lines between tiles', () => {
  it('moved by one row or column, all others as they were', () => {
    const moved = movedLines(gridCover(2, 3), { rows: 10, columns: 12 });
    // One line between two bands, two in each band, both ways.
    expect(moved).toHaveLength(2 * (1 + 2 * 2));
    for (const cover of moved) {
      expect(coverSize(cover)).toBe(6);
      expect(cover.bands.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
    }
  });

  it('never so far that nothing is left of a tile', () => {
    expect(movedLines(gridCover(2, 1), { rows: 2, columns: 1 })).toEqual([]);
    expect(snapped(gridCover(4, 1), { rows: 3, columns: 1 })).toBeUndefined();
  });

  it('at whole rows', () => {
    const shares = snapped(gridCover(4, 1), { rows: 7, columns: 7 })?.bands.map(({ share }) => share * 7);
    expect(shares?.map(Math.round)).toEqual([2, 2, 1, 2]);
  });
});
