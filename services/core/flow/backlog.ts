/** Items that wait for a worker, by the age of their frames and then in the order they came. */

export interface Waiting {
  readonly item: { readonly order: number };
  /** In the order they came. */
  readonly number: number;
}

export class Backlog<T extends Waiting> {
  readonly #waiting: T[] = [];

  get length(): number {
    return this.#waiting.length;
  }

  at(index: number): T | undefined {
    return this.#waiting[index];
  }

  has(waiting: T): boolean {
    return this.#waiting.includes(waiting);
  }

  /** Into its place: binary search, for a backlog may be long. */
  add(waiting: T): void {
    let low = 0;
    let high = this.#waiting.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#waiting[middle] as T;
      const after = waiting.item.order - other.item.order || waiting.number - other.number;
      if (after < 0) high = middle;
      else low = middle + 1;
    }
    this.#waiting.splice(low, 0, waiting);
  }

  removeAt(index: number): void {
    this.#waiting.splice(index, 1);
  }

  /** Nothing where it does not wait. */
  remove(waiting: T): void {
    const at = this.#waiting.indexOf(waiting);
    if (at >= 0) this.removeAt(at);
  }
}
