/** Tasks that wait for the executor: first come, first served, within bounds. */

/** What the queue must know of an entry. */
export interface Queued {
  /** Frame and task: the same work again takes the place of the earlier. */
  readonly key: string;
  /** Who sent it; each dispatcher has its own slots. */
  readonly from: string;
  /** Monotonic milliseconds after which nobody waits for it. */
  readonly deadlineAt: number;
  /** Whether its inputs were gathered here: no dispatcher's credits stand behind it. */
  readonly gathered?: boolean;
}

export interface RunQueueOptions<T extends Queued> {
  readonly run: (entry: T) => Promise<void>;
  /** Told of an entry whose run rejected; must not throw. */
  readonly failed: (entry: T, error: unknown) => void;
  /** Told of an entry whose deadline passed while it waited. */
  readonly expired: (entry: T) => void;
  readonly now: () => number;
  /** Tasks each dispatcher may have here. */
  readonly slots: number;
  /** Entries handed to the executor at once: a second one is copied there while the first is computed. */
  readonly parallel?: number | undefined;
}

/** Beyond its slots a dispatcher may have re-issued as many as it gave up on. */
const MARGIN = 8;
/** Gathered entries that wait: strips of as many frames may have been held up and come at once. */
const MOST_GATHERED = 64;
const PARALLEL = 2;

export class RunQueue<T extends Queued> {
  readonly #options: RunQueueOptions<T>;
  /** By key, in order of arrival. */
  readonly #waiting = new Map<string, T>();
  readonly #idle: (() => void)[] = [];
  /** Who sent what runs, by key. */
  readonly #running = new Map<string, string>();

  constructor(options: RunQueueOptions<T>) {
    this.#options = options;
  }

  get length(): number {
    return this.#waiting.size;
  }

  /** Whether anything waits or runs. */
  get busy(): boolean {
    return this.#running.size > 0 || this.#waiting.size > 0;
  }

  /**
   * Takes an entry: `queued`, `replaced` where the same work was waiting, or `full`. Work that runs is not done again:
   * its answer is on its way, and a slow worker that is asked twice would be twice as slow.
   */
  push(entry: T): 'queued' | 'replaced' | 'full' {
    if (this.#running.get(entry.key) === entry.from) return 'replaced';
    const known = this.#waiting.has(entry.key);
    if (!known && this.#isFull(entry)) return 'full';
    this.#waiting.set(entry.key, entry);
    this.#pump();
    return known ? 'replaced' : 'queued';
  }

  /** Resolves when nothing waits and nothing runs. */
  async idle(): Promise<void> {
    if (!this.busy) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Forgets what waits of those that fit, and returns it. */
  drop(fits: (entry: T) => boolean): T[] {
    const dropped = [...this.#waiting.values()].filter(fits);
    for (const { key } of dropped) this.#waiting.delete(key);
    return dropped;
  }

  /** Forgets what waits; what runs goes on. */
  clear(): void {
    this.#waiting.clear();
  }

  #isFull({ from, gathered = false }: T): boolean {
    const alike = [...this.#waiting.values()].filter((each) => (each.gathered ?? false) === gathered);
    if (gathered) return alike.length >= MOST_GATHERED;
    const dispatchers = new Set([from, ...alike.map((each) => each.from)]);
    return alike.length >= this.#options.slots * dispatchers.size + MARGIN;
  }

  #pump(): void {
    const { parallel = PARALLEL, now, expired } = this.#options;
    for (const [key, entry] of this.#waiting) {
      if (this.#running.size >= parallel) return;
      if (this.#running.has(key)) continue;
      this.#waiting.delete(key);
      if (entry.deadlineAt <= now()) expired(entry);
      else void this.#run(entry);
    }
    if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #run(entry: T): Promise<void> {
    this.#running.set(entry.key, entry.from);
    try {
      await this.#options.run(entry);
    } catch (error) {
      this.#options.failed(entry, error);
    } finally {
      this.#running.delete(entry.key);
      this.#pump();
    }
  }
}
