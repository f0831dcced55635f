/** Numbers a service keeps of itself: named counters, and the latest samples of a measurement. */

export class Counters {
  readonly #values = new Map<string, number>();

  add(name: string, amount = 1): void {
    this.#values.set(name, (this.#values.get(name) ?? 0) + amount);
  }

  get(name: string): number {
    return this.#values.get(name) ?? 0;
  }

  snapshot(): Record<string, number> {
    return Object.fromEntries(this.#values);
  }
}

/** The latest `size` samples of one measurement, in constant memory. */
export class SampleWindow {
  readonly #samples: Float64Array;
  #count = 0;

  constructor(size = 256) {
    this.#samples = new Float64Array(size);
  }

  add(value: number): void {
    this.#samples[this.#count++ % this.#samples.length] = value;
  }

  /** Samples ever added. */
  get count(): number {
    return this.#count;
  }

  get median(): number | undefined {
    return this.quantile(0.5);
  }

  get p95(): number | undefined {
    return this.quantile(0.95);
  }

  /** Linear between the two nearest ranks; undefined while there is no sample. `share` is in [0, 1]. */
  quantile(share: number): number | undefined {
    const filled = Math.min(this.#count, this.#samples.length);
    if (filled === 0) return undefined;
    const sorted = this.#samples.slice(0, filled).sort();
    const rank = share * (filled - 1);
    const below = sorted[Math.floor(rank)] as number;
    const above = sorted[Math.ceil(rank)] as number;
    return below + (above - below) * (rank - Math.floor(rank));
  }
}
