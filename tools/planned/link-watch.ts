/** Has the links of a fleet measured all at once: before the first plan, and again when other workers came and nothing happens. */

import type { ControllerPart } from '../../services/controller/part.ts';
import { monotonicMs } from '../../services/core/runtime/clock.ts';
import type { Log } from '../../services/core/runtime/log.ts';

export interface LinkWatchDeps {
  readonly part: Pick<ControllerPart, 'controller' | 'profiles' | 'links'>;
  readonly log: Log;
  /** Devices whose links are known otherwise: on the hub, or of a file. */
  readonly known: ReadonlySet<string>;
  /** A round is over, whole or not. */
  readonly asked: () => void;
  /** Milliseconds without a change of workers before they are asked; 5 s by default. */
  readonly quietMs?: number;
}

const QUIET_MS = 5_000;
const LOOK_MS = 1_000;
/** Before the first plan: a round fails where a device stood still for a moment. */
const FIRST_TRIES = 2;
/** The same workers are asked again after so long, and twice as long each time. */
const AGAIN_MS = 30_000;
const MOST_AGAIN_MS = 3_600_000;

export class LinkWatch {
  readonly #deps: LinkWatchDeps;
  #timer: NodeJS.Timeout | undefined;
  #present = '';
  #notBefore = 0;
  #againMs = AGAIN_MS;
  #asking = false;

  constructor(deps: LinkWatchDeps) {
    this.#deps = deps;
  }

  /** Asks at once where that would tell something new. */
  async now(): Promise<void> {
    const ids = this.#ids();
    this.#changed(ids);
    for (let tries = 0; tries < FIRST_TRIES && this.#deps.part.links.wanted(ids); tries++)
      await this.#ask(ids);
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  /** A round under way is the controller's to end. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** Workers online whose profiles have a link. */
  #ids(): string[] {
    const { part, known } = this.#deps;
    const linked = new Set(part.profiles.all().flatMap(({ device, link }) => (link ? [device] : [])));
    return part.controller
      .workers()
      .map(({ id }) => id)
      .filter((id) => linked.has(id) && !known.has(id));
  }

  /** Other workers than before are worth another try, once they have been the same for a while. */
  #changed(ids: readonly string[]): void {
    const present = ids.join();
    if (present === this.#present) return;
    this.#present = present;
    this.#againMs = AGAIN_MS;
    this.#notBefore = monotonicMs() + (this.#deps.quietMs ?? QUIET_MS);
  }

  #look(): void {
    const { links } = this.#deps.part;
    const ids = this.#ids();
    this.#changed(ids);
    if (this.#asking || monotonicMs() < this.#notBefore) return;
    if (links.wanted(ids) && !links.flowing) void this.#ask(ids);
  }

  async #ask(ids: readonly string[]): Promise<void> {
    this.#asking = true;
    const why = await this.#deps.part.links.ask(ids);
    this.#asking = false;
    this.#notBefore = monotonicMs() + this.#againMs;
    this.#againMs = Math.min(2 * this.#againMs, MOST_AGAIN_MS);
    if (why !== undefined)
      this.#deps.log.info({ devices: ids.length }, `who shares a medium is not known: ${why}`);
    this.#deps.asked();
  }
}
