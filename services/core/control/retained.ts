/** Retained documents of many publishers, the newest of each by its id: statuses, profiles. */

import type { Bus, Incoming } from '../bus/bus.ts';

export interface RetainedDeps<T> {
  readonly control: Bus;
  readonly filter: string;
  /** The publisher a topic names; undefined where the topic is none of these. */
  readonly idOf: (topic: string) => string | undefined;
  /** The document of that publisher, or undefined where the payload is not one. */
  readonly parse: (payload: Buffer, id: string) => T | undefined;
  /**
   * A document has come, and is kept; `retained`: from before the subscription. `before`: what was kept of its publisher
   * until now.
   */
  readonly came: (document: T, retained: boolean, before: T | undefined) => void;
  /** A kept document was erased for good. */
  readonly erased?: (document: T) => void;
}

export class Retained<T> {
  readonly #deps: RetainedDeps<T>;
  readonly #documents = new Map<string, T>();
  #undo: (() => Promise<void>) | undefined;
  /** Messages that were no document of the publisher they came from. */
  rejected = 0;

  constructor(deps: RetainedDeps<T>) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { control, filter } = this.#deps;
    this.#undo = await control.subscribe(filter, (message) => this.#receive(message), { qos: 1 });
  }

  async stop(): Promise<void> {
    await this.#undo?.();
    this.#undo = undefined;
    this.#documents.clear();
  }

  /** In order of id. */
  all(): T[] {
    return [...this.#documents].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, document]) => document);
  }

  get(id: string): T | undefined {
    return this.#documents.get(id);
  }

  /** Not kept any longer; the next one of its publisher is. */
  forget(id: string): void {
    this.#documents.delete(id);
  }

  #receive({ topic, payload, retained }: Incoming): void {
    const { idOf, parse, came, erased } = this.#deps;
    const id = idOf(topic);
    // An empty retained message is how a document is erased for good.
    if (payload.length === 0 && id !== undefined) {
      const known = this.#documents.get(id);
      if (known === undefined) return;
      this.#documents.delete(id);
      erased?.(known);
      return;
    }
    const document = id === undefined ? undefined : parse(payload, id);
    if (id === undefined || document === undefined) {
      this.rejected++;
      return;
    }
    const before = this.#documents.get(id);
    this.#documents.set(id, document);
    came(document, retained, before);
  }
}
