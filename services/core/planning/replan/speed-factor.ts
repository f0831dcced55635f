/** How much slower than profiled something is now: a robust, quickly forgetting estimate from measured ratios. */

import { Doubt } from './doubt.ts';

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
/** A task that still runs, and has taken this many times the estimate, is as good as two that have ended. */
const OVERDUE = 2.5;
/** And so many milliseconds more than it should: shorter ones are any machine's hiccups. */
const OVERDUE_MS = 500;
/** One that has taken so long is taken to need half as long again: too slow a guess costs little, too quick a one a frame. */
const STILL = 1.5;
/** What it took in the end, at least, as a share of the guess, for it to have been the processor. */
const CONFIRMED = 1 / 2;
/** Fewer ratios than these, and no change among them, say nothing yet. */
const ENOUGH = 6;
/** Measured over predicted beyond these says more of the prediction. */
const LEAST = 0.01;
const MOST = 1_000;

/** Short tasks that seem faster by more than this are doubted; less is the factor's ups and downs. */
const NOISE = 1.5;

/** Of a task so short that it may have been over before the processor was slowed. */
export interface Short {
  /** The factor that it seems fast or slow against, where none is known yet. */
  readonly typical: number;
  /** Milliseconds for which most must seem fast before they count. */
  readonly waitMs: number;
}

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
  /** What tasks that still run say, until they end. */
  #overdue: number | undefined;
  readonly #doubt = new Doubt();

  /** A measured over a predicted time; `now` in monotonic milliseconds. */
  add(ratio: number, now: number): void {
    this.#doubt.clear();
    this.#count(ratio, now);
  }

  /**
   * The same of a short task. Such as seem fast count once most have for long enough, and then for no more than that all
   * is as profiled. Returns whether by this one, which seems fast, what was slow no longer is; undefined: it does not.
   */
  addShort(ratio: number, now: number, { typical, waitMs }: Short): boolean | undefined {
    const before = this.value ?? typical;
    const seemsFast = ratio * NOISE < before;
    const fastMs = this.#doubt.add(seemsFast, now);
    if (!seemsFast) {
      this.#count(ratio, now);
      return undefined;
    }
    if (fastMs >= waitMs) this.#count(Math.max(1, ratio), now);
    return before > NOISE && (this.value ?? typical) <= NOISE;
  }

  /** Something else says so: what was before counts no more. */
  changeTo(ratio: number, now: number): void {
    this.#changeTo([{ ratio: Math.min(MOST, Math.max(LEAST, ratio)), at: now }], now);
  }

  #count(ratio: number, now: number): void {
    if (!(ratio > 0)) return;
    const sample = { ratio: Math.min(MOST, Math.max(LEAST, ratio)), at: now };
    const overdue = this.#overdue !== undefined && sample.ratio >= CONFIRMED * this.#overdue;
    this.#overdue = undefined;
    this.#samples.push(sample);
    if (this.#samples.length > KEPT) this.#samples.shift();
    const settled = weightedMedian(this.#samples, now);
    if (overdue) {
      // It was overdue, and has ended as late as that.
      this.#changeTo([sample], now);
      return;
    }
    for (const { witnesses, by } of CHANGES) {
      const last = this.#samples.slice(-witnesses);
      const slower = last.every((sample) => sample.ratio >= settled * by);
      const faster = last.every((sample) => sample.ratio * by <= settled);
      if (last.length < witnesses || (!slower && !faster)) continue;
      this.#changeTo(last, now);
      return;
    }
    this.#median = settled;
  }

  /**
   * A task runs for so many times its predicted time already, `lateMs` longer than by the factor it should. Counts until
   * the next one ends: then that says whether it was the processor.
   */
  running(ratio: number, lateMs: number): void {
    const settled = this.#settled;
    if (settled === undefined || !(ratio > 0)) return;
    const before = this.#samples.at(-1)?.ratio ?? 0;
    const second = before >= settled * OVERDUE;
    if (ratio < settled * OVERDUE || (!second && lateMs < OVERDUE_MS)) return;
    const guess = Math.max(STILL * ratio, second ? before : 0);
    this.#overdue = Math.min(MOST, Math.max(guess, this.#overdue ?? 0));
  }

  /** The factor; undefined while too little was measured. */
  get value(): number | undefined {
    return this.#overdue ?? this.#settled;
  }

  get #settled(): number | undefined {
    return this.#samples.length < (this.#changed ? 1 : ENOUGH) ? undefined : this.#median;
  }

  #changeTo(samples: Sample[], now: number): void {
    this.#doubt.clear();
    this.#samples = samples;
    this.#changed = true;
    this.#median = weightedMedian(samples, now);
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
