/** Asks workers to measure their links, each in its turn and then all at once, and hears what they found. */

import { randomBytes } from 'node:crypto';
import type { Bus, Incoming } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { parseLinkRound } from '../core/control/documents.ts';
import { measuredTogether } from '../core/planning/cost/link-sharing.ts';
import { monotonicMs } from '../core/runtime/clock.ts';
import { asTilepipeError } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import type { LinkRound } from '../core/schema/generated/link-round.ts';
import type { Telemetry } from '../core/schema/generated/telemetry.ts';
import type { Profiles } from './profiles.ts';
import type { TelemetryWatch } from './replan/telemetry-watch.ts';

export interface LinkRoundsDeps {
  /** Who asks. */
  readonly id: string;
  readonly control: Pick<Bus, 'publish' | 'subscribe'>;
  readonly topics: Topics;
  /** Started, as the next. */
  readonly profiles: Profiles;
  readonly telemetry: TelemetryWatch;
  readonly log: Log;
  /** Milliseconds of a slot: of 2 for every device, and 2 for all together. */
  readonly slotMs?: number;
  /** How long answers are waited for when a round is over; 3 s by default. */
  readonly answerMs?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/** More take too long by turns. */
export const MOST_DEVICES = 32;
const SLOT_MS = 400;
/** For what is still on its way when a round is over. */
const ANSWER_MS = 3_000;
/** Frames have stopped when nobody has told of any for so long: dispatchers tell twice a second. */
const STILL_MS = 2_000;

export class LinkRounds {
  readonly #deps: LinkRoundsDeps;
  #unhear: (() => void) | undefined;
  #undo: (() => Promise<void>) | undefined;
  readonly #now: () => number;
  #framesAt = Number.NEGATIVE_INFINITY;
  /** Rounds follow each other. */
  #queue: Promise<unknown> = Promise.resolve();
  /** Requests that are not over. */
  #open = 0;
  /** Ends the round under way; undefined where there is none. */
  #end: ((why: string) => void) | undefined;
  #stopped = false;

  constructor(deps: LinkRoundsDeps) {
    this.#deps = deps;
    this.#now = deps.now ?? monotonicMs;
  }

  async start(): Promise<void> {
    const { control, topics, telemetry } = this.#deps;
    this.#unhear = telemetry.onTelemetry((document) => this.#told(document));
    const filter = topics.filter('links', { id: '+' });
    this.#undo = await control.subscribe(filter, (message) => this.#heard(message), { qos: 1 });
  }

  async stop(): Promise<void> {
    this.#unhear?.();
    this.#stopped = true;
    this.#end?.('the controller stops');
    await this.#queue;
    await this.#undo?.();
    this.#undo = undefined;
  }

  /** Whether frames are under way, as far as dispatchers told. */
  get flowing(): boolean {
    return this.#now() - this.#framesAt < STILL_MS;
  }

  /** Whether a round is under way: profiles that come now may be of a part of it. */
  get asking(): boolean {
    return this.#end !== undefined;
  }

  /**
   * Whether there is something to find out: several devices that have not all measured their links in one round, or not
   * since they were started: they may have been moved.
   */
  wanted(ids: readonly string[]): boolean {
    const { profiles } = this.#deps;
    if (ids.length < 2) return false;
    return ids.some((id) => profiles.isCarried(id)) || !measuredTogether(profiles.all(), ids);
  }

  /**
   * Resolves when all of these workers have answered, with undefined, or with the reason why there are no figures: they
   * are more than 32, frames flow, or somebody did not answer in time. What they answered is in their profiles. Who has
   * waited for another round is content with that one, where it was of the same workers.
   */
  ask(ids: readonly string[]): Promise<string | undefined> {
    const waits = this.#open++ > 0;
    const asked = this.#queue.then(() => (waits && !this.wanted(ids) ? undefined : this.#round(ids)));
    this.#queue = asked
      .catch(() => undefined)
      .finally(() => {
        this.#open--;
      });
    return asked;
  }

  async #round(ids: readonly string[]): Promise<string | undefined> {
    if (this.#stopped) return 'the controller stops';
    if (ids.length > MOST_DEVICES) return `${ids.length} devices are more than ${MOST_DEVICES}`;
    if (this.flowing) return 'frames flow';
    const { profiles, log, slotMs = SLOT_MS, answerMs = ANSWER_MS } = this.#deps;
    const devices = [...ids].sort();
    const round = randomBytes(8).toString('hex');
    const missing = new Set(devices);
    log.info({ round, devices: devices.length }, 'links are measured, in turns and all at once');
    const why = await new Promise<string | undefined>((resolve) => {
      const end = (reason?: string): void => {
        // A request may be refused when its round is long over, and another under way.
        if (this.#end !== end) return;
        clearTimeout(timer);
        unhear();
        this.#end = undefined;
        resolve(reason);
      };
      const limitMs = 2 * (devices.length + 1) * slotMs + answerMs;
      const timer = setTimeout(() => end(`no answer from ${[...missing].join(', ')}`), limitMs);
      const unhear = profiles.onProfile(({ device, link }) => {
        if (link?.together?.round !== round) return;
        missing.delete(device);
        if (missing.size === 0) end();
      });
      this.#end = end;
      this.#publish({ format: 1, round, devices, slotMs }).catch((error: unknown) =>
        end(asTilepipeError(error).message),
      );
    });
    if (why === undefined) return undefined;
    log.info({ round }, `links were not measured all at once: ${why}`);
    // Whoever is at it still stops; where that cannot be said, it ends by itself.
    await this.#publish({ format: 1, round, devices: [], slotMs }).catch(() => undefined);
    return why;
  }

  #publish(round: LinkRound): Promise<void> {
    const { id, control, topics } = this.#deps;
    return control.publish(topics.build('links', { id }), Buffer.from(JSON.stringify(round)), { qos: 1 });
  }

  /** Workers measure for whoever asked last. */
  #heard({ topic, payload }: Incoming): void {
    const { id, topics } = this.#deps;
    const other = topics.parse('links', topic)?.id;
    if (other === undefined || other === id) return;
    const devices = parseLinkRound(payload)?.devices ?? [];
    if (devices.length > 0) this.#end?.(`another round was asked for by ${other}`);
  }

  #told({ tasks, workers }: Telemetry): void {
    if (tasks.length === 0 && workers.every(({ active }) => active === 0)) return;
    this.#framesAt = this.#now();
    this.#end?.('frames flow');
  }
}
