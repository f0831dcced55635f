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

export function atMost(name: string, limit: number, value: number): Target {
  return { name, target: `<= ${limit}`, value: rounded(value), pass: value <= limit };
}

export function atLeast(name: string, limit: number, value: number): Target {
  return { name, target: `>= ${limit}`, value: rounded(value), pass: value >= limit };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
