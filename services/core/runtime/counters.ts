/** Numbers a service keeps of itself, by name. */

/** With `rejected.reason` for what was refused. */
export function withRefusals(
  counts: Readonly<Record<string, number>>,
  rejected: Readonly<Partial<Record<string, number>>>,
): Record<string, number> {
  const refusals = Object.entries(rejected).map(([reason, count = 0]) => [`rejected.${reason}`, count]);
  return { ...counts, ...Object.fromEntries(refusals) };
}

/** Those of one part under its name: `part.count`, and `part.rejected.reason` for what it refused. */
export function named(part: string, ...of: Parameters<typeof withRefusals>): Record<string, number> {
  const all = Object.entries(withRefusals(...of));
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
