/** What a bench prints last: one JSON line with its cells and whether its targets were met. */

export interface Target {
  readonly name: string;
  readonly target: string;
  readonly value: number;
  readonly pass: boolean;
}

export interface BenchReport {
  readonly bench: string;
  readonly cells: readonly Readonly<Record<string, string | number | readonly number[]>>[];
  readonly targets: readonly Target[];
}

/** Frames of one plan, as every comparison of plans has them. */
export interface PlanTimes {
  readonly plan: string;
  readonly medianMs: number;
  /** 95 % interval of the median; below six runs the range. */
  readonly interval: readonly [number, number];
  readonly n: number;
}

export function atMost(name: string, limit: number, value: number): Target {
  return { name, target: `<= ${limit}`, value: rounded(value), pass: value <= limit };
}

export function atLeast(name: string, limit: number, value: number): Target {
  return { name, target: `>= ${limit}`, value: rounded(value), pass: value >= limit };
}

export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
