/** A service process that is started again when it dies, unless it keeps dying. */

import type { ChildProcess } from 'node:child_process';
import type { Log } from '../services/core/runtime/log.ts';
import { endChild } from './child-service.ts';

export interface KeptProcessOptions {
  readonly name: string;
  readonly launch: () => ChildProcess;
  readonly log: Log;
  /** Delay before the first new start in milliseconds; doubled with every quick death. */
  readonly delayMs?: number;
}

const DELAY_MS = 1_000;
/** A process that lived for less died of something that will be there again. */
const QUICK_MS = 30_000;
const MOST_QUICK_DEATHS = 5;

export class KeptProcess {
  readonly #options: KeptProcessOptions;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #quickDeaths = 0;

  constructor(options: KeptProcessOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    this.#launch();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#child = undefined;
    if (child !== undefined) await endChild(child);
  }

  #launch(): void {
    const startedAt = performance.now();
    const child = this.#options.launch();
    this.#child = child;
    const ended = (why: object): void => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#again(why, performance.now() - startedAt);
    };
    child.once('exit', (code, signal) => ended({ code, signal }));
    child.once('error', (error) => ended({ error: error.message }));
  }

  #again(why: object, livedMs: number): void {
    const { name, log, delayMs = DELAY_MS } = this.#options;
    this.#quickDeaths = livedMs < QUICK_MS ? this.#quickDeaths + 1 : 0;
    if (this.#quickDeaths >= MOST_QUICK_DEATHS) {
      log.error(why, `${name} has ended ${this.#quickDeaths} times in a row: it is not started again`);
      return;
    }
    const delay = delayMs * 2 ** Math.max(0, this.#quickDeaths - 1);
    log.warn({ ...why, delayMs: delay }, `${name} has ended: it is started again`);
    this.#timer = setTimeout(() => this.#launch(), delay);
  }
}
