/** Figures of the steady state: neither the first frames, which find everything idle, nor the last, which no others follow. */

import { spread } from '../../runtime/quantile.ts';
import type { Usage } from './server.ts';
import type { Quantiles, SourceSummary } from './types.ts';

/** A frame that has ended. */
export interface Completion {
  readonly source: number;
  readonly at: number;
  readonly latencyMs: number;
}

/** The busy time of every resource at one moment, after so many completions. */
export interface Snapshot {
  readonly at: number;
  readonly completions: number;
  readonly usage: readonly Usage[];
}

/** Fewer completions than these say less about the steady state than the whole run does. */
const LEAST_COMPLETIONS = 4;

/**
 * Completions after which the load counts as steady: a slow device's queue takes several rounds of the credit to fill,
 * and until then the others run as if it were not there. With frames for eight rounds most of them count.
 */
export function warmUp(frames: number, inFlight: number): number {
  return Math.min(Math.max(3 * inFlight, Math.ceil(frames / 5)), Math.floor(frames / 2));
}

/** The stretch between two snapshots. */
export class SteadyState {
  readonly #all: readonly Completion[];
  readonly #steady: readonly Completion[];
  readonly #from: Snapshot;
  readonly #to: Snapshot;

  /** From `warm` to `exhausted` where enough frames ended between them; else from `start` to `end`, the whole run. */
  constructor(
    completions: readonly Completion[],
    start: Snapshot,
    end: Snapshot,
    warm: Snapshot | undefined,
    exhausted: Snapshot | undefined,
  ) {
    this.#from = start;
    this.#to = end;
    if (warm !== undefined && exhausted !== undefined) {
      if (exhausted.completions - warm.completions >= LEAST_COMPLETIONS) {
        this.#from = warm;
        this.#to = exhausted;
      }
    }
    this.#all = completions;
    this.#steady = completions.slice(this.#from.completions, this.#to.completions);
  }

  /**
   * Slope of a line through the completions: the first and the last alone would say little where frames end in
   * bunches, as replicas' do. A run without a steady state counts all its frames over its time.
   */
  framesPerSecond(): number {
    const completions = this.#steady;
    const count = completions.length;
    const elapsed = this.#to.at - this.#from.at;
    const overAll = elapsed > 0 ? (1000 * count) / elapsed : 0;
    if (this.#from.completions === 0) return overAll;
    const meanAt = completions.reduce((sum, { at }) => sum + at, 0) / count;
    let products = 0;
    let squares = 0;
    for (const [number, { at }] of completions.entries()) {
      products += (at - meanAt) * (number - (count - 1) / 2);
      squares += (at - meanAt) ** 2;
    }
    return squares > 0 ? (1000 * products) / squares : overAll;
  }

  latency(): Quantiles {
    return quantiles(this.#steady.map(({ latencyMs }) => latencyMs));
  }

  /** What became of each source's frames, given how many of them were dropped. */
  bySource(drops: readonly number[]): SourceSummary[] {
    return drops.map((dropped, source) => {
      const own = (of: readonly Completion[]) => of.filter((completion) => completion.source === source);
      const latency = quantiles(own(this.#steady).map(({ latencyMs }) => latencyMs));
      return { finished: own(this.#all).length, dropped, latency };
    });
  }

  /** Busy share of every resource that was busy at all. */
  utilisation(): Record<string, number> {
    const elapsed = this.#to.at - this.#from.at;
    const before = new Map(this.#from.usage.map(({ name, busyMs }) => [name, busyMs]));
    const shares: Record<string, number> = {};
    for (const { name, busyMs } of this.#to.usage) {
      const busy = busyMs - (before.get(name) ?? 0);
      // Sums of many small intervals may exceed their whole by a rounding error.
      if (busy > 0 && elapsed > 0) shares[name] = Math.min(1, busy / elapsed);
    }
    return shares;
  }
}

/** The busiest resource; where the hub is, and one of the devices on it does most of its work, that device. */
export function bottleneckOf(
  utilisation: Readonly<Record<string, number>>,
  onHub: readonly string[],
): string {
  let busiest = '';
  for (const [name, share] of Object.entries(utilisation)) {
    if (busiest === '' || share > (utilisation[busiest] as number)) busiest = name;
  }
  if (busiest !== 'hub') return busiest;
  const share = utilisation.hub as number;
  return onHub.find((id) => (utilisation[id] ?? 0) > share / 2) ?? busiest;
}

function quantiles(values: readonly number[]): Quantiles {
  return values.length === 0 ? { median: 0, p90: 0, max: 0 } : spread(values);
}
