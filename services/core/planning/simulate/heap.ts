/** A binary heap of values by a number; equal numbers come out in the order they went in, so that runs repeat exactly. */

export class Heap<T> {
  // Parallel arrays: an object per entry would cost more than the sifting.
  readonly #keys: number[] = [];
  readonly #serials: number[] = [];
  readonly #values: T[] = [];
  #serial = 0;

  get size(): number {
    return this.#keys.length;
  }

  /** The smallest key; Infinity when empty. */
  get firstKey(): number {
    return this.#keys[0] ?? Number.POSITIVE_INFINITY;
  }

  push(key: number, value: T): void {
    const serial = this.#serial++;
    let at = this.#keys.length;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      // The newcomer has the highest serial: an equal parent stays above it.
      if ((this.#keys[parent] as number) <= key) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#put(at, key, serial, value);
  }

  /** Removes and returns the value with the smallest key; undefined when empty. */
  pop(): T | undefined {
    if (this.#keys.length === 0) return undefined;
    const first = this.#values[0] as T;
    const key = this.#keys.pop() as number;
    const serial = this.#serials.pop() as number;
    const value = this.#values.pop() as T;
    if (this.#keys.length > 0) this.#sink(key, serial, value);
    return first;
  }

  #sink(key: number, serial: number, value: T): void {
    const size = this.#keys.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#before(child + 1, child)) child++;
      const childKey = this.#keys[child] as number;
      if (key < childKey || (key === childKey && serial < (this.#serials[child] as number))) break;
      this.#move(child, at);
      at = child;
    }
    this.#put(at, key, serial, value);
  }

  #before(a: number, b: number): boolean {
    const difference = (this.#keys[a] as number) - (this.#keys[b] as number);
    return difference !== 0 ? difference < 0 : (this.#serials[a] as number) < (this.#serials[b] as number);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#keys[from] as number, this.#serials[from] as number, this.#values[from] as T);
  }

  #put(at: number, key: number, serial: number, value: T): void {
    this.#keys[at] = key;
    this.#serials[at] = serial;
    this.#values[at] = value;
  }
}
