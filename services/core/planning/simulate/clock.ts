/** Simulated time: what is to happen, in order. */

import { Heap } from './heap.ts';

/** Something that waits for a moment. */
export interface Timer {
  /** `tag` is what was given to `after`: a timer that has changed its mind tells an old moment by it. */
  fire(tag: number): void;
}

export class Clock {
  #now = 0;
  readonly #moments = new Heap<{ readonly timer: Timer; readonly tag: number }>();

  /** Milliseconds since the simulation began. */
  get now(): number {
    return this.#now;
  }

  after(delayMs: number, timer: Timer, tag = 0): void {
    this.#moments.push(this.#now + delayMs, { timer, tag });
  }

  /** Until nothing is left to happen. */
  run(): void {
    for (;;) {
      const at = this.#moments.firstKey;
      const moment = this.#moments.pop();
      if (moment === undefined) return;
      this.#now = at;
      moment.timer.fire(moment.tag);
    }
  }
}
