/** How many frames a merger keeps under way: the announced limit decides, for every splitter that is online. */

import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import { Roster } from '../core/control/roster.ts';
import { parseStatus } from '../core/runtime/status.ts';

/** Bounds of the frames under way on one plan. */
const LEAST = 64;
const MOST = 4096;

export class FrameLimit {
  readonly #splitters: Roster;

  constructor({ control, topics }: { readonly control: Bus; readonly topics: Topics }) {
    const changed = () => {};
    this.#splitters = new Roster({ control, topics, role: 'splitter', parse: parseStatus, changed });
  }

  async start(): Promise<void> {
    await this.#splitters.start();
  }

  async stop(): Promise<void> {
    await this.#splitters.stop();
  }

  /** Of a pipeline with these plans: all that its splitters may have under way, and as many whose end was not heard. */
  of(plans: readonly AnnouncedPlan[]): number {
    const each = Math.max(0, ...plans.map(({ announcement }) => announcement.frames.maxInFlight));
    const splitters = Math.max(1, this.#splitters.online().length);
    return Math.min(MOST, Math.max(LEAST, 2 * each * splitters));
  }
}
