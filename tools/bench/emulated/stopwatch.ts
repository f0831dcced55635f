/** How long each cell of a bench took, printed beside the figures, and the whole of it, which has a limit. */

import { print } from '../../output.ts';
import { atMost, type Target } from '../report.ts';

/** Of every bench with all its cells. */
const LIMIT_S = 1200;

/** Runs from when it is made. */
export class Stopwatch {
  readonly #began = performance.now();

  /** Does some work, several at once if need be, and prints how long each took. */
  async time<T>(what: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const done = await work();
    print(`[${this.#since(this.#began)} s] ${what}: ${this.#since(began)} s`);
    return done;
  }

  get elapsedMs(): number {
    return performance.now() - this.#began;
  }

  /** For the end of a bench. */
  get total(): Target {
    return atMost('the bench took, s', LIMIT_S, this.#since(this.#began));
  }

  #since(began: number): number {
    return Math.round((performance.now() - began) / 1000);
  }
}
