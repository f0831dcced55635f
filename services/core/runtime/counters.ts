/** Numbers a service keeps of itself, by name. */

/** Those of one part under its name: `part.count`, and `part.rejected.reason` for what it refused. */
export function named(
  part: string,
  counts: Readonly<Record<string, number>>,
  rejected: Readonly<Partial<Record<string, number>>>,
): Record<string, number> {
  const refusals = Object.entries(rejected).map(
    ([reason, count = 0]) => [`rejected.${reason}`, count] as const,
  );
  const all = [...Object.entries(counts), ...refusals];
  return Object.fromEntries(all.map(([name, count]) => [`${part}.${name}`, count]));
}

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
