import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inGrains } from '../../../../services/core/planning/search/grains.ts';

test('a device that is a little slower or faster keeps its share; a slow one gets a sixteenth', () => {
  expect(inGrains([0.26, 0.25, 0.25, 0.24])).toEqual([1, 1, 1, 1]);
  expect(inGrains([1, 1, 1, 0.25])).toEqual([5, 5, 5, 1]);
  expect(inGrains([1.05, 1, 0.97, 0.23])).toEqual([5, 5, 5, 1]);
  expect(inGrains([2, 1])).toEqual([11, 5]);
});

test('any shares: whole numbers, none empty, each within a grain or two of what it should be', () => {
  const positive = fc.double({ min: 0.01, max: 100, noNaN: true });
  fc.assert(
    fc.property(fc.array(positive, { minLength: 1, maxLength: 40 }), (shares) => {
      const grains = inGrains(shares);
      expect(grains.every((share) => Number.isInteger(share) && share >= 1)).toBe(true);
      const whole = grains.reduce((sum, share) => sum + share, 0);
      expect([Math.max(16, 2 * shares.length), shares.length]).toContain(whole);
      expect(inGrains(grains.map((share) => share * 7))).toEqual(grains);
    }),
  );
});
