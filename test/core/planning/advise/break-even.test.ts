/** The bisection, against steps that are known; and what it says beside the plan that was chosen. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Advice, advise } from '../../../../services/core/planning/advise/advise.ts';
import {
  breakEven,
  FASTEST_LINK,
  SLOWEST_LINK,
} from '../../../../services/core/planning/advise/break-even.ts';
import { slowestLink } from '../../../../services/core/planning/advise/changed-fleet.ts';
import type { Fleet } from '../../../../services/core/planning/cost/fleet.ts';
import { MBIT } from '../../../../services/core/planning/units.ts';
import { classifier, fleetOf, slowness, spaceOf } from '../search/small.ts';
import { fleetOfSpeeds } from './fleets.ts';

/** Each is some thirty searches. */
const RUNS = 2;
const SLOWEST_MS = 600_000;
const PRESENT = 100 * MBIT;
const fleet = fleetOfSpeeds({ speeds: [1, 1], mbit: 100 });

test('finds any step within two per cent, in few questions', () => {
  fc.assert(
    fc.property(fc.double({ min: -1.9, max: 4.9, noNaN: true }), (exponent) => {
      const step = 10 ** exponent * MBIT;
      let asked = 0;
      const found = breakEven(fleet, PRESENT >= step, (at) => {
        asked++;
        return slowestLink(at) >= step;
      });
      if (found.kind !== 'link') throw new Error(found.kind);
      expect(found.bytesPerMs / step).toBeGreaterThanOrEqual(1 - 1e-9);
      expect(found.bytesPerMs / step).toBeLessThanOrEqual(1.02);
      expect(asked).toBeLessThanOrEqual(20);
    }),
  );
});

test('never, always, and nothing to vary', () => {
  expect(breakEven(fleet, false, () => false)).toEqual({ kind: 'never' });
  expect(breakEven(fleet, true, () => true)).toEqual({ kind: 'always' });
  expect(breakEven({ ...fleet, media: new Map() }, true, () => true)).toEqual({ kind: 'no-link' });
});

test('where the answer changes more than once, what holds now and from where to where', () => {
  const exponents = fc.uniqueArray(fc.double({ min: -1.9, max: 4.9, noNaN: true }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(exponents, fc.boolean(), (at, first) => {
      const steps = at.map((exponent) => 10 ** exponent * MBIT);
      const truth = (speed: number): boolean =>
        first !== steps.filter((step) => step <= speed).length % 2 > 0;
      const found = breakEven(fleet, truth(PRESENT), (one) => truth(slowestLink(one)));
      consistent(found, PRESENT, truth(PRESENT));
      const ends = found.kind === 'between' ? [found.from, found.to] : [];
      if (found.kind === 'link') ends.push(found.bytesPerMs);
      for (const end of ends)
        if (end !== undefined)
          expect(steps.some((step) => Math.abs(Math.log(end / step)) <= 0.02)).toBe(true);
    }),
  );
});

/** What is said of link speeds is true of the present one. */
function consistent(
  found: Advice['breakEven'] | ReturnType<typeof breakEven>,
  present: number,
  now: boolean,
): void {
  if (found.kind === 'never' || found.kind === 'always') expect(now).toBe(found.kind === 'always');
  if (found.kind === 'link') expect(present >= found.bytesPerMs).toBe(now);
  if (found.kind !== 'between') return;
  const { several, from = SLOWEST_LINK, to = FASTEST_LINK } = found;
  expect(several).toBe(now);
  expect(present).toBeGreaterThanOrEqual(from);
  expect(present).toBeLessThanOrEqual(to);
}

const space = await spaceOf(classifier());

test('an advice never contradicts itself', { timeout: SLOWEST_MS }, () => {
  const link = fc.double({ min: 3, max: 5, noNaN: true }).map((power) => 10 ** power);
  const fleets: fc.Arbitrary<Fleet> = fc
    .record({
      slow: fc.array(slowness, { minLength: 2, maxLength: 3 }),
      links: fc.array(link, { minLength: 4, maxLength: 4 }),
      local: fc.boolean(),
      rooms: fc.option(
        fc.array(fc.integer({ min: 2_000_000, max: 9_000_000 }), { minLength: 3, maxLength: 3 }),
      ),
    })
    .map(({ slow: [here = 1, ...others], links, local, rooms }) => {
      const made = fleetOf({
        slowness: local ? others : [here, ...others],
        ...(local ? { local: here } : {}),
      });
      const media = [...made.media].map(
        ([name, medium], at) => [name, { ...medium, bytesPerMs: links[at] as number }] as const,
      );
      const devices = made.devices.map((device, at) => {
        return rooms === null ? device : { ...device, memoryBytes: device.idleBytes + (rooms[at] as number) };
      });
      return { ...made, media: new Map(media), devices };
    });
  fc.assert(
    fc.property(
      fleets,
      fc.constantFrom('latency' as const, 'throughput' as const),
      (someFleet, objective) => {
        const advice = tried(() => advise({ space, fleet: someFleet, objective }));
        if (advice === undefined) return;
        const { chosen, verdict, alternatives, breakEven: said } = advice;
        const now = chosen.strategy !== 'one-device';
        consistent(said, slowestLink(someFleet), now);
        expect(verdict.startsWith('Stay on one device')).toBe(!now);
        expect(alternatives[0]?.draft).toBe(chosen);
        const [gain] = /[\d.]+(?=x (faster|the frames))/.exec(verdict) ?? ['1'];
        expect(Number(gain)).toBeGreaterThanOrEqual(1);
      },
    ),
    { numRuns: RUNS },
  );
});

/** Where nothing fits there is no advice. */
function tried(ask: () => Advice): Advice | undefined {
  try {
    return ask();
  } catch (error) {
    expect(error).toMatchObject({ code: 'plan-impossible' });
    return undefined;
  }
}
