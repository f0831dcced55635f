/** How much slower than profiled something is now: a robust, quickly forgetting estimate from measured ratios. */

/** Ratios remembered. */
const KEPT = 32;
/** Age at which a ratio counts half. */
const HALF_LIFE_MS = 8_000;
/**
 * So many in a row, each this many times the estimate or more, or that part of it or less, are a change: what was before
 * counts no more. The more it is, the fewer witnesses it needs.
 */
const CHANGES = [
  { witnesses: 2, by: 2.5 },
  { witnesses: 4, by: 1.5 },
] as const;
/** Fewer ratios than these, and no change among them, say nothing yet. */
const ENOUGH = 6;
/** Measured over predicted beyond these says more of the prediction. */
const LEAST = 0.01;
const MOST = 1_000;

interface Sample {
  readonly ratio: number;
  readonly at: number;
}

export class SpeedFactor {
  /** Oldest first. */
  #samples: Sample[] = [];
  /** Whether a change was seen: then few ratios are enough. */
  #changed = false;
  /** Weights keep their proportions as time goes by, so the median changes with a new ratio only. */
  #median: number | undefined;

  /** A measured over a predicted time; `now` in monotonic milliseconds. */
  add(ratio: number, now: number): void {
    if (!(ratio > 0)) return;
    this.#samples.push({ ratio: Math.min(MOST, Math.max(LEAST, ratio)), at: now });
    if (this.#samples.length > KEPT) this.#samples.shift();
    const settled = weightedMedian(this.#samples, now);
    for (const { witnesses, by } of CHANGES) {
      const last = this.#samples.slice(-witnesses);
      const slower = last.every((sample) => sample.ratio >= settled * by);
      const faster = last.every((sample) => sample.ratio * by <= settled);
      if (last.length < witnesses || (!slower && !faster)) continue;
      this.#samples = last;
      this.#changed = true;
      this.#median = weightedMedian(last, now);
      return;
    }
    this.#median = settled;
  }

  /** The factor; undefined while too little was measured. */
  get value(): number | undefined {
    return this.#samples.length < (this.#changed ? 1 : ENOUGH) ? undefined : this.#median;
  }

  /** When something was measured last. */
  get lastAt(): number {
    return this.#samples.at(-1)?.at ?? Number.NEGATIVE_INFINITY;
  }
}

/** Half of the weight lies on either side; weights halve with age. */
function weightedMedian(samples: readonly Sample[], now: number): number {
  const sorted = samples
    .map(({ ratio, at }) => ({ ratio, weight: 2 ** (-Math.max(0, now - at) / HALF_LIFE_MS) }))
    .sort((a, b) => a.ratio - b.ratio);
  const half = sorted.reduce((sum, { weight }) => sum + weight, 0) / 2;
  let sum = 0;
  for (const { ratio, weight } of sorted) {
    sum += weight;
    if (sum >= half) return ratio;
  }
  return sorted.at(-1)?.ratio ?? 1;
}
