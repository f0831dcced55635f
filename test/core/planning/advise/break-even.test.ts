/** The bisection, against a step that is known. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { breakEven } from '../../../../services/core/planning/advise/break-even.ts';
import { slowestLink } from '../../../../services/core/planning/advise/changed-fleet.ts';
import { MBIT } from '../../../../services/core/planning/advise/units.ts';
import { fleetOfSpeeds } from './fleets.ts';

const fleet = fleetOfSpeeds({ speeds: [1, 1], mbit: 100 });

test('finds any step within two per cent, in few questions', () => {
  fc.assert(
    fc.property(fc.double({ min: -1.9, max: 4.9, noNaN: true }), (exponent) => {
      const step = 10 ** exponent * MBIT;
      let asked = 0;
      const found = breakEven(fleet, (at) => {
        asked++;
        return slowestLink(at) >= step;
      });
      if (found.kind !== 'link') throw new Error(found.kind);
      expect(found.bytesPerMs / step).toBeGreaterThanOrEqual(1 - 1e-9);
      expect(found.bytesPerMs / step).toBeLessThanOrEqual(1.02);
      expect(asked).toBeLessThanOrEqual(15);
    }),
  );
});

test('never, always, and nothing to vary', () => {
  expect(breakEven(fleet, () => false)).toEqual({ kind: 'never' });
  expect(breakEven(fleet, () => true)).toEqual({ kind: 'always' });
  expect(breakEven({ ...fleet, media: new Map() }, () => true)).toEqual({ kind: 'no-link' });
});
