/** The merger as a service: its channels come with the service's life. */

import type { Part, Service } from '../core/runtime/service.ts';
import type { Status } from '../core/schema/generated/status.ts';
import { Merger } from './merger.ts';

const DRAIN_MS = 10_000;

export class MergerPart implements Part {
  #merger: Merger | undefined;

  async start(service: Service): Promise<void> {
    const { id, channels, log } = service;
    const { control, data, topics } = channels;
    this.#merger = new Merger({ id, control, data, topics, log, changed: () => void service.say() });
    await this.#merger.start();
  }

  async drain(): Promise<void> {
    await this.#merger?.drain(DRAIN_MS);
  }

  async stop(): Promise<void> {
    await this.#merger?.stop();
    this.#merger = undefined;
  }

  ready(): boolean {
    return this.#merger?.ready() ?? false;
  }

  details(): Partial<Status> {
    return this.#merger === undefined
      ? {}
      : { plans: this.#merger.plans(), counters: this.#merger.counters() };
  }
}
