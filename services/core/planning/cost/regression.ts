/** Coefficients of a device from timed tasks: least squares on relative errors with no coefficient below zero. */

import { median } from '../../runtime/quantile.ts';
import type { KindCost } from './fleet.ts';
import type { Work } from './work.ts';

/** A task that was timed: its work, and milliseconds beside what every task costs. */
export interface Sample {
  /** The kind it was made to measure; its error counts there. */
  readonly kind: string;
  /** Samples of one name run the same layers in other sizes, and are left out of a fit together; absent: it has none like it. */
  readonly group?: string;
  readonly work: Work;
  readonly ms: number;
  /** How much it counts beside the others; 1 by default. */
  readonly trust?: number;
}

export interface FittedKind extends KindCost {
  /** Median relative error over samples left out of the fit, all of a group at once; undefined where there are too few groups. */
  readonly error?: number;
  readonly samples: number;
}

const FEATURES = ['runs', 'macs', 'bytes', 'weights'] as const;
const COSTS = ['run', 'mac', 'byte', 'weight'] as const;
/** Parts the groups of samples are divided into; each is predicted by a fit of the others. */
const FOLDS = 5;

/** One cost for each kind that occurs, with cross-validated errors. All kinds are fitted together: a task holds several. */
export function fitCosts(samples: readonly Sample[]): Map<string, FittedKind> {
  const kinds = [...new Set(samples.flatMap(({ work }) => work.map(({ kind }) => kind)))].sort();
  const groups = groupsOf(samples);
  const errors = heldOutErrors(kinds, samples, groups);
  const costs = solve(kinds, samples);
  return new Map(
    kinds.map((kind, at): [string, FittedKind] => {
      const own = errors.flatMap((error, index) => (samples[index]?.kind === kind ? [error] : []));
      const apart = new Set(groups.filter((_, index) => samples[index]?.kind === kind)).size;
      const [run, mac, byte, weight] = [...costs.slice(at * COSTS.length)] as [
        number,
        number,
        number,
        number,
      ];
      return [
        kind,
        {
          run,
          mac,
          byte,
          weight,
          samples: own.length,
          ...(apart < FOLDS ? {} : { error: median(own) }),
        },
      ];
    }),
  );
}

/** By sample: the number of its group, in order of their first samples. */
function groupsOf(samples: readonly Sample[]): number[] {
  const numbers = new Map<string | number, number>();
  return samples.map(({ group }, index) => {
    const key = group ?? index;
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
}

function heldOutErrors(
  kinds: readonly string[],
  samples: readonly Sample[],
  groups: readonly number[],
): number[] {
  const errors = new Array<number>(samples.length).fill(0);
  const foldOf = (index: number): number => (groups[index] as number) % FOLDS;
  for (let fold = 0; fold < FOLDS; fold++) {
    const costs = solve(
      kinds,
      samples.filter((_, index) => foldOf(index) !== fold),
    );
    for (const [index, { work, ms }] of samples.entries()) {
      if (foldOf(index) !== fold) continue;
      const row = rowOf(kinds, work);
      const predicted = row.reduce((sum, value, column) => sum + value * (costs[column] as number), 0);
      errors[index] = Math.abs(predicted - ms) / ms;
    }
  }
  return errors;
}

function rowOf(kinds: readonly string[], work: Work): Float64Array {
  const row = new Float64Array(kinds.length * FEATURES.length);
  for (const item of work) {
    const at = kinds.indexOf(item.kind) * FEATURES.length;
    for (const [offset, feature] of FEATURES.entries()) row[at + offset] = item[feature];
  }
  return row;
}

function solve(kinds: readonly string[], samples: readonly Sample[]): Float64Array {
  const rows = samples.map(({ work, ms, trust = 1 }) =>
    rowOf(kinds, work).map((value) => (value * trust) / ms),
  );
  const target = Float64Array.from(samples, ({ trust = 1 }) => trust);
  return nonNegativeLeastSquares(rows, target, kinds.length * COSTS.length);
}

/** Passes over all coefficients; each is set to its best value given the others. */
const MOST_PASSES = 20_000;
/** A pass that moves no prediction by more than this ends the search. */
const STEADY = 1e-9;

/**
 * Minimises |A x - b| with x >= 0 by coordinate descent on the normal equations; columns are scaled to length 1, so
 * that bytes and multiply-accumulates weigh alike. Columns of nothing get 0.
 */
export function nonNegativeLeastSquares(
  rows: readonly Float64Array[],
  target: Float64Array,
  columns: number,
): Float64Array {
  const scale = new Float64Array(columns);
  for (const row of rows)
    for (let i = 0; i < columns; i++) scale[i] = (scale[i] as number) + (row[i] as number) ** 2;
  for (let i = 0; i < columns; i++) scale[i] = Math.sqrt(scale[i] as number);
  const used = [...scale.keys()].filter((i) => (scale[i] as number) > 0);
  const gram = used.map(() => new Float64Array(used.length));
  const gradient = new Float64Array(used.length);
  for (const [at, row] of rows.entries()) {
    const scaled = used.map((column) => (row[column] as number) / (scale[column] as number));
    for (const [i, left] of scaled.entries()) {
      if (left === 0) continue;
      const line = gram[i] as Float64Array;
      for (const [j, right] of scaled.entries()) line[j] = (line[j] as number) + left * right;
      gradient[i] = (gradient[i] as number) - left * (target[at] as number);
    }
  }
  const found = descend(gram, gradient);
  const solution = new Float64Array(columns);
  for (const [i, column] of used.entries())
    solution[column] = (found[i] as number) / (scale[column] as number);
  return solution;
}

function descend(gram: readonly Float64Array[], gradient: Float64Array): Float64Array {
  const found = new Float64Array(gram.length);
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    let moved = 0;
    for (const [i, line] of gram.entries()) {
      const before = found[i] as number;
      const after = Math.max(0, before - (gradient[i] as number) / (line[i] as number));
      const change = after - before;
      if (change === 0) continue;
      found[i] = after;
      for (let j = 0; j < gradient.length; j++)
        gradient[j] = (gradient[j] as number) + change * (line[j] as number);
      moved = Math.max(moved, Math.abs(change));
    }
    if (moved < STEADY) break;
  }
  return found;
}
