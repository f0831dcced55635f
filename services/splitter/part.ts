/** The splitter as a service: its channels come with the service's life. */

import type { Part, Service } from '../core/runtime/service.ts';
import type { Status } from '../core/schema/generated/status.ts';
import { Splitter } from './splitter.ts';

export interface SplitterOptions {
  /** Only these pipelines; absent: every one that is announced. */
  readonly pipelines?: readonly string[];
  /** How long frames under way may take when the service stops, in milliseconds. */
  readonly drainMs?: number;
}

const DRAIN_MS = 10_000;

export class SplitterPart implements Part {
  readonly #options: SplitterOptions;
  #splitter: Splitter | undefined;

  constructor(options: SplitterOptions = {}) {
    this.#options = options;
  }

  async start(service: Service): Promise<void> {
    const { id, channels, log } = service;
    const { control, data, topics } = channels;
    const { pipelines } = this.#options;
    const intake = await channels.intake();
    this.#splitter = new Splitter({
      id,
      control,
      data,
      intake,
      topics,
      log,
      changed: () => void service.say(),
      ...(pipelines === undefined ? {} : { pipelines }),
    });
    await this.#splitter.start();
  }

  async drain(): Promise<void> {
    await this.#splitter?.drain(this.#options.drainMs ?? DRAIN_MS);
  }

  async stop(): Promise<void> {
    await this.#splitter?.stop();
    this.#splitter = undefined;
  }

  ready(): boolean {
    return this.#splitter?.ready() ?? false;
  }

  details(): Partial<Status> {
    return this.#splitter === undefined
      ? {}
      : { plans: this.#splitter.plans(), counters: this.#splitter.counters() };
  }
}
