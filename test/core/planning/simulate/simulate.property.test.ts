/** What holds for every plan: nothing is lost, nothing works more than all the time, equal runs are equal. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fleet } from '../../../../services/core/planning/cost/fleet.ts';
import type { DraftBlock } from '../../../../services/core/planning/draft.ts';
import { simulate } from '../../../../services/core/planning/simulate/simulate.ts';
import type { SimulateOptions } from '../../../../services/core/planning/simulate/types.ts';
import { device, fleet, type HandMadePart, medium, plan } from './hand-made.ts';

const RUNS = Math.min(400, Number(process.env.TILEPIPE_PROPERTY_RUNS ?? 200));

/** Runs with fewer frames have no steady state. */
const LEAST_COMPLETIONS = 4;
const bandwidth = fc.integer({ min: 1, max: 200 });

const fleets: fc.Arbitrary<Fleet> = fc
  .record({
    devices: fc.array(
      fc.record({ on: fc.constantFrom('hub', 'cable', 'air'), slowness: fc.integer({ min: 1, max: 4 }) }),
      {
        minLength: 1,
        maxLength: 5,
      },
    ),
    rate: bandwidth,
    latencyMs: fc.constantFrom(0, 1),
    hubMedium: fc.constantFrom(undefined, 'uplink', 'air'),
    messageMs: fc.constantFrom(0, 0.5),
  })
  .map(({ devices, rate, latencyMs, hubMedium, messageMs }) => {
    const made = devices.map(({ on, slowness }, at) =>
      device(`d${at}`, on === 'hub' ? undefined : on === 'air' ? 'air' : `cable${at}`, slowness, 0.001),
    );
    const cables = devices.map((_, at) => medium(`cable${at}`, rate, 'full', latencyMs));
    const shared = [medium('air', rate, 'half', latencyMs), medium('uplink', 2 * rate, 'full', latencyMs)];
    return fleet(made, [...cables, ...shared], {
      messageMs,
      byteMs: 0.0005,
      ...(hubMedium === undefined ? {} : { medium: hubMedium }),
    });
  });

function plansFor({ devices }: Fleet, mostParts: number): fc.Arbitrary<DraftBlock[]> {
  const ids = devices.map(({ id }) => id);
  const part: fc.Arbitrary<HandMadePart> = fc.record({
    ms: fc.integer({ min: 0, max: 30 }),
    devices: fc.shuffledSubarray(ids, { minLength: 1 }),
    bytesIn: fc.integer({ min: 0, max: 2000 }),
    bytesOut: fc.integer({ min: 0, max: 2000 }),
  });
  const block = fc.array(part, { minLength: 1, maxLength: mostParts });
  return fc.array(block, { minLength: 1, maxLength: 4 }).map((blocks) => plan(...blocks));
}

const cases = (mostParts = 5) =>
  fleets.chain((someFleet) => fc.tuple(fc.constant(someFleet), plansFor(someFleet, mostParts)));

const options: fc.Arbitrary<SimulateOptions> = fc.record(
  {
    frames: fc.integer({ min: 1, max: 60 }),
    inFlight: fc.integer({ min: 1, max: 9 }),
    binding: fc.constantFrom('late' as const, 'static' as const),
    sources: fc.array(fc.record({ periodMs: fc.integer({ min: 1, max: 80 }) }), {
      minLength: 1,
      maxLength: 3,
    }),
    maxWaiting: fc.integer({ min: 1, max: 6 }),
    jitter: fc.constantFrom(0, 0.4),
    seed: fc.integer(),
  },
  { requiredKeys: ['frames', 'inFlight', 'binding'] },
);

/** The same fleet with every medium so many times as fast. */
function faster(slow: Fleet, times: number): Fleet {
  const media = [...slow.media].map(
    ([name, one]) => [name, { ...one, bytesPerMs: one.bytesPerMs * times }] as const,
  );
  return { ...slow, media: new Map(media) };
}

describe('simulate', () => {
  test('every frame that was offered finishes or is dropped; each task computes once', () => {
    fc.assert(
      fc.property(cases(), options, ([someFleet, blocks], given) => {
        const {
          finished,
          dropped,
          timeline = [],
        } = simulate(blocks, someFleet, { ...given, timeline: true });
        expect(finished + dropped).toBe(given.frames);
        const computed = new Set(
          timeline
            .filter(({ kind }) => kind === 'compute')
            .map(({ frame, block, part }) => `${frame} ${block} ${part}`),
        );
        const lasting = blocks.flatMap(({ parts }) => parts).filter(({ work }) => (work[0]?.runs ?? 0) > 0);
        expect(computed.size).toBeGreaterThanOrEqual(finished * lasting.length);
      }),
      { numRuns: RUNS },
    );
  });

  test('no resource works for two at once, or for longer than the run', () => {
    fc.assert(
      fc.property(cases(), options, ([someFleet, blocks], given) => {
        const {
          timeline = [],
          utilisation,
          elapsedMs,
        } = simulate(blocks, someFleet, { ...given, timeline: true });
        const ends = new Map<string, number>();
        const onHub = new Set(
          someFleet.devices.filter((one) => one.medium === undefined).map(({ id }) => id),
        );
        const busy = new Map<string, number>();
        const overlaps = timeline.filter(({ resource, from, to }) => {
          const shared = onHub.has(resource) ? 'hub' : resource;
          const before = ends.get(shared) ?? 0;
          ends.set(shared, to);
          busy.set(shared, (busy.get(shared) ?? 0) + to - from);
          return from < before || to < from || to > elapsedMs;
        });
        expect(overlaps).toEqual([]);
        // Summed here from every interval: shares of the simulation's own are cut off at one.
        const most = Math.max(0, ...busy.values());
        expect(most).toBeLessThanOrEqual(elapsedMs * (1 + 1e-9));
        expect(Object.values(utilisation).filter((share) => !(share > 0 && share <= 1))).toEqual([]);
        // Below the steady state there is nothing but the whole run: both count the same.
        if (given.frames < LEAST_COMPLETIONS)
          for (const [name, share] of Object.entries(utilisation))
            if (!onHub.has(name)) expect(share).toBeCloseTo((busy.get(name) ?? 0) / elapsedMs, 9);
      }),
      { numRuns: RUNS },
    );
  });

  test('equal arguments, equal answers', () => {
    fc.assert(
      fc.property(cases(), options, ([someFleet, blocks], given) => {
        expect(simulate(blocks, someFleet, given)).toEqual(simulate(blocks, someFleet, given));
      }),
      { numRuns: RUNS },
    );
  });

  test('another seed, other times', () => {
    const blocks = plan([{ ms: 10, devices: ['a'] }]);
    const run = (seed: number) =>
      simulate(blocks, fleet([device('a')]), { frames: 20, inFlight: 1, binding: 'late', jitter: 0.3, seed });
    expect(run(1).elapsedMs).not.toBe(run(2).elapsedMs);
    expect(run(1).elapsedMs).toBeGreaterThan(140);
    expect(run(1).elapsedMs).toBeLessThan(260);
  });

  // Parts that compete for devices can meet in another order (Graham's anomalies): there only the bound holds.
  test('more bandwidth never slows a single frame of a chain', () => {
    fc.assert(
      fc.property(cases(1), fc.double({ min: 1, max: 20, noNaN: true }), ([someFleet, blocks], times) => {
        const run = (one: Fleet) =>
          simulate(blocks, one, { frames: 1, inFlight: 1, binding: 'static' }).latency.max;
        expect(run(faster(someFleet, times))).toBeLessThanOrEqual(run(someFleet) + 1e-6);
      }),
      { numRuns: RUNS },
    );
  });

  test('more bandwidth never slows a single frame of tiles on devices of their own', () => {
    const tiles = fc.record({
      parts: fc.array(
        fc.record({ ms: fc.integer({ max: 30, min: 0 }), bytes: fc.integer({ max: 3000, min: 0 }) }),
        {
          minLength: 2,
          maxLength: 6,
        },
      ),
      rate: bandwidth,
      times: fc.double({ min: 1, max: 20, noNaN: true }),
    });
    fc.assert(
      fc.property(tiles, ({ parts, rate, times }) => {
        const cabled = fleet(
          parts.map((_, at) => device(`d${at}`, `m${at}`)),
          parts.map((_, at) => medium(`m${at}`, rate)),
        );
        const block = (): HandMadePart[] =>
          parts.map(({ ms, bytes }, at) => ({ ms, devices: [`d${at}`], bytesIn: bytes, bytesOut: bytes }));
        const run = (one: Fleet) =>
          simulate(plan(block(), block()), one, { frames: 1, inFlight: 1, binding: 'late' }).latency.max;
        expect(run(faster(cabled, times))).toBeLessThanOrEqual(run(cabled) + 1e-6);
      }),
      { numRuns: RUNS },
    );
  });

  test('no stream is faster than its bottleneck allows', () => {
    fc.assert(
      fc.property(cases(), fc.integer({ min: 1, max: 12 }), ([someFleet, blocks], inFlight) => {
        const { framesPerSecond } = simulate(blocks, someFleet, { frames: 200, inFlight, binding: 'static' });
        const bound = capacity(blocks, someFleet);
        expect(framesPerSecond).toBeLessThanOrEqual(bound * 1.1 + 1e-6);
      }),
      { numRuns: RUNS },
    );
  });

  test('stealing keeps up with static sharing on equal devices under random loads', () => {
    const load = fc.record({
      tiles: fc.integer({ min: 1, max: 6 }),
      periods: fc.array(fc.integer({ min: 8, max: 120 }), { minLength: 2, maxLength: 4 }),
    });
    fc.assert(
      fc.property(load, ({ tiles, periods }) => {
        const ids = periods.flatMap((_, at) => [`d${2 * at}`, `d${2 * at + 1}`]);
        const equal = fleet(
          ids.map((id) => device(id, id)),
          ids.map((id) => medium(id, 1000)),
        );
        const sources = periods.map((periodMs, at) => ({
          periodMs,
          devices: [`d${2 * at}`, `d${2 * at + 1}`],
        }));
        const run = (binding: 'late' | 'static') =>
          simulate(plan(Array.from({ length: tiles }, () => ({ ms: 12, devices: ids }))), equal, {
            frames: 400,
            inFlight: 4 * ids.length,
            sources,
            binding,
          });
        expect(run('late').framesPerSecond).toBeGreaterThanOrEqual(0.97 * run('static').framesPerSecond);
      }),
      { numRuns: Math.min(RUNS, 100) },
    );
  });
});

/** Frames per second at which the busiest device would never rest, parts bound to their first or by turns. */
function capacity(blocks: readonly DraftBlock[], { devices }: Fleet): number {
  const busy = new Map<string, number>();
  for (const { parts } of blocks) {
    for (const part of parts) {
      const among = parts.length === 1 ? part.devices : part.devices.slice(0, 1);
      for (const id of among) {
        const slowness = devices.find((one) => one.id === id)?.kinds.get('other')?.run ?? 0;
        busy.set(id, (busy.get(id) ?? 0) + (slowness * (part.work[0]?.runs ?? 0)) / among.length);
      }
    }
  }
  return 1000 / Math.max(...busy.values());
}
