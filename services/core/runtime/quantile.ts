/** Medians and quantiles of samples. */

/** The middle of the values, or halfway between the two there; NaN where there is none. */
export function median(values: ArrayLike<number>): number {
  return medianOf(sorted(values));
}

/** The smallest value that at least the given share of all do not exceed; NaN where there is none. */
export function quantile(values: ArrayLike<number>, share: number): number {
  return quantileOf(sorted(values), share);
}

/** Both and the largest, sorted once. */
export function spread(values: ArrayLike<number>): { median: number; p90: number; max: number } {
  const all = sorted(values);
  return { median: medianOf(all), p90: quantileOf(all, 0.9), max: quantileOf(all, 1) };
}

function sorted(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values).sort();
}

function medianOf(all: Float64Array): number {
  const middle = all.length >> 1;
  const upper = all[middle] ?? Number.NaN;
  return all.length % 2 === 1 ? upper : ((all[middle - 1] ?? Number.NaN) + upper) / 2;
}

function quantileOf(all: Float64Array, share: number): number {
  return all[Math.max(0, Math.ceil(share * all.length) - 1)] ?? Number.NaN;
}
