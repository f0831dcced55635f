/** What this worker gathers, of every plan that frames have come for; plans without such tasks gather nothing. */

import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import type { Want } from '../core/flow/wants.ts';
import { Counters } from '../core/runtime/counters.ts';
import { Gathering } from './gathering.ts';

export class Gatherings {
  readonly #worker: string;
  readonly #gatherings = new Map<string, Gathering>();

  constructor(worker: string) {
    this.#worker = worker;
  }

  /** That of a plan, begun if there is none. */
  of(plan: AnnouncedPlan): Gathering {
    let gathering = this.#gatherings.get(plan.digest);
    if (gathering === undefined) {
      gathering = new Gathering(plan, this.#worker);
      this.#gatherings.set(plan.digest, gathering);
    }
    return gathering;
  }

  /** Strips that others have to send again. */
  overdue(now: number): Want[] {
    return [...this.#gatherings.values()].flatMap((gathering) => gathering.overdue(now));
  }

  /** Gives up frames past their deadline. */
  expire(now: number): void {
    for (const gathering of this.#gatherings.values()) gathering.expire(now);
  }

  /** What was gathered for plans that have gone. */
  forget(digests: readonly string[]): void {
    for (const digest of digests) this.#gatherings.delete(digest);
  }

  counters(): Record<string, number> {
    const all = new Counters();
    for (const gathering of this.#gatherings.values())
      for (const [name, count] of Object.entries(gathering.counters())) all.add(name, count);
    return all.snapshot();
  }
}
