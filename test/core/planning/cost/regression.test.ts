import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  fitCosts,
  nonNegativeLeastSquares,
  type Sample,
} from '../../../../services/core/planning/cost/regression.ts';
import { median } from '../../../../services/core/runtime/quantile.ts';

const RUNS = Number(process.env.TILEPIPE_PROPERTY_RUNS ?? 50);
const cost = fc.double({ min: 0.01, max: 10, noNaN: true });
const size = fc.double({ min: 1, max: 1000, noNaN: true });

/** Samples of one kind that obey known coefficients, in units far apart, as macs and bytes are. */
function samplesOf(
  [run, mac, byte, weight]: readonly number[],
  sizes: readonly (readonly number[])[],
): Sample[] {
  return sizes.map(([macs = 0, bytes = 0, weights = 0], index) => {
    const runs = 1 + (index % 3);
    const work = [{ kind: 'conv', runs, macs: macs * 1e6, bytes: bytes * 1e3, weights: weights * 1e3 }];
    const ms =
      (run as number) * runs +
      (mac as number) * macs +
      (byte as number) * bytes +
      (weight as number) * weights;
    return { kind: 'conv', work, ms };
  });
}

const problem = fc.tuple(
  fc.tuple(cost, cost, cost, cost),
  fc.array(fc.tuple(size, size, size), { minLength: 24, maxLength: 40 }),
);

describe('the regression of costs', () => {
  test('predicts what obeys known coefficients, also what it was not given', () => {
    fc.assert(
      fc.property(problem, ([costs, sizes]) => {
        const samples = samplesOf(costs, sizes);
        const fitted = fitCosts(samples.slice(4)).get('conv');
        for (const { work, ms } of samples.slice(0, 4)) {
          const [item] = work as [Sample['work'][number]];
          const predicted =
            (fitted?.run ?? 0) * item.runs +
            (fitted?.mac ?? 0) * item.macs +
            (fitted?.byte ?? 0) * item.bytes +
            (fitted?.weight ?? 0) * item.weights;
          expect(Math.abs(predicted / ms - 1)).toBeLessThan(0.05);
        }
        expect(fitted?.error ?? 1).toBeLessThan(0.05);
      }),
      { numRuns: RUNS },
    );
  });

  test('its error is that of layers it has not seen, where each layer was timed in several sizes', () => {
    const layer = fc.record({ macs: size, bytes: size, slow: fc.double({ min: 0.5, max: 2, noNaN: true }) });
    const layersOf = fc.array(layer, { minLength: 10, maxLength: 14 });
    fc.assert(
      fc.property(layersOf, (known) => {
        const shares = [1, 0.5, 0.25, 0.125];
        const timed = known.flatMap(({ macs, bytes, slow }, at) =>
          shares.map((share): Sample => {
            const work = [{ kind: 'conv', runs: 1, macs: macs * share, bytes: bytes * share, weights: 0 }];
            return { kind: 'conv', group: `layer ${at}`, work, ms: slow * share * macs + share * bytes };
          }),
        );
        const group = (at: number): string => `layer ${at}`;
        // As if by hand: a fit without a fifth of the layers, held against them.
        const errors = Array.from({ length: 5 }).flatMap((_, fold) => {
          const left = known.flatMap((_, at) => (at % 5 === fold ? [group(at)] : []));
          const fit = fitCosts(timed.filter((sample) => !left.includes(sample.group ?? ''))).get('conv');
          return timed.flatMap(({ work, ms, ...sample }) => {
            const [item] = work as [Sample['work'][number]];
            if (fit === undefined || !left.includes(sample.group ?? '')) return [];
            return [Math.abs(fit.run + fit.mac * item.macs + fit.byte * item.bytes - ms) / ms];
          });
        });
        expect(fitCosts(timed).get('conv')?.error).toBeCloseTo(median(errors), 6);
      }),
      { numRuns: Math.min(RUNS, 20) },
    );
  });

  test('gives no cost below zero, and none to features that never occur', () => {
    const noisy = fc.array(fc.tuple(size, size, size, fc.double({ min: 0.1, max: 100, noNaN: true })), {
      minLength: 5,
      maxLength: 20,
    });
    fc.assert(
      fc.property(noisy, (rows) => {
        const samples = rows.map(([macs, bytes, , ms]): Sample => {
          return { kind: 'pool', work: [{ kind: 'pool', runs: 1, macs, bytes, weights: 0 }], ms };
        });
        const fitted = fitCosts(samples).get('pool');
        expect(Math.min(fitted?.run ?? -1, fitted?.mac ?? -1, fitted?.byte ?? -1)).toBeGreaterThanOrEqual(0);
        expect(fitted?.weight).toBe(0);
      }),
      { numRuns: RUNS },
    );
  });

  test('does not depend on the unit of a feature', () => {
    fc.assert(
      fc.property(problem, fc.integer({ min: -6, max: 6 }), ([costs, sizes], power) => {
        const scale = 10 ** power;
        const samples = samplesOf(costs, sizes);
        const scaled = samples.map(({ work, ...rest }) => ({
          ...rest,
          work: work.map((item) => ({ ...item, bytes: item.bytes * scale })),
        }));
        const [plain, other] = [fitCosts(samples).get('conv'), fitCosts(scaled).get('conv')];
        expect((other?.byte ?? 0) * scale).toBeCloseTo(plain?.byte ?? 1, 5);
      }),
      { numRuns: Math.min(RUNS, 20) },
    );
  });

  test('tells apart kinds that occur together', () => {
    const samples: Sample[] = Array.from({ length: 20 }, (_, index) => {
      const [a, b] = [1 + (index % 4), 1 + (index % 5)];
      const entry = (kind: string, runs: number) => ({ kind, runs, macs: 0, bytes: 0, weights: 0 });
      return { kind: 'a', work: [entry('a', a), entry('b', b)], ms: 2 * a + 5 * b };
    });
    const fitted = fitCosts(samples);
    expect(fitted.get('a')?.run).toBeCloseTo(2, 4);
    expect(fitted.get('b')?.run).toBeCloseTo(5, 4);
    expect(fitted.get('b')?.samples).toBe(0);
    expect(fitted.get('b')?.error).toBeUndefined();
  });

  test('leaves at zero what would have to be negative', () => {
    const rows = [Float64Array.of(1, 1), Float64Array.of(1, 2), Float64Array.of(1, 3)];
    const [constant, slope] = nonNegativeLeastSquares(rows, Float64Array.of(3, 2, 1), 2);
    expect(slope).toBe(0);
    expect(constant).toBeCloseTo(2, 6);
  });
});
