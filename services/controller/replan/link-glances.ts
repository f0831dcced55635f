/**
 * Has links looked at that no task tells of: a plan that does not use them would never hear that they have changed. Bytes
 * are as many as take a moment at the speed seen last, so that a slow link has little to carry; where they come back faster
 * than can be told they become more.
 */

import type { Bus, Incoming } from '../../core/bus/bus.ts';
import type { Topics } from '../../core/bus/topics.ts';
import { parseLinkGlance } from '../../core/control/documents.ts';
import { asTilepipeError } from '../../core/runtime/errors.ts';
import type { Log } from '../../core/runtime/log.ts';

export interface LinkGlancesDeps {
  readonly control: Pick<Bus, 'publish' | 'subscribe'>;
  readonly topics: Topics;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** What a link carries, in bytes per millisecond; Infinity: more than can be told. */
export type GlanceListener = (device: string, bytesPerMs: number) => void;

/** What a look should take each way, in milliseconds: several times what a hub pauses that computes as well. */
const EACH_WAY_MS = 100;
/** Pauses of the hub and of the worker are as long: less than this says nothing. */
const NOISE_MS = 20;
/** As the schema has them. */
const LEAST_BYTES = 1_024;
const MOST_BYTES = 131_072;
/**
 * A slow link that stays as it is is looked at so often, and a fast one, whose becoming slow harms no plan that does not use
 * it; one that has changed, or is not known yet, again at once.
 */
const EVERY_MS = { slow: 2_000, fast: 8_000 };
/** So many times faster or slower is a change. */
const CHANGED = 1.5;
/** An answer may be lost. */
const LOST_MS = 20_000;
/** An answer that has not come after so long says at every further look how much the link carries at most. */
const LATE_MS = 1_000;

/** An answer says how the link is for so long. */
const LATELY_MS = 500;

interface Looked {
  readonly bytesPerMs: number;
  /** When it may be asked for again. */
  readonly next: number;
  /** What it was asked with, and when; undefined once it has answered. */
  readonly asked?: { readonly bytes: number; readonly at: number };
  /** When it answered last. */
  readonly answeredAt?: number;
}

export class LinkGlances {
  readonly #deps: LinkGlancesDeps;
  readonly #looked = new Map<string, Looked>();
  readonly #listeners = new Set<GlanceListener>();
  #undo: (() => Promise<void>) | undefined;

  constructor(deps: LinkGlancesDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { control, topics } = this.#deps;
    this.#undo = await control.subscribe(topics.filter('glance', { id: '+' }), (message) =>
      this.#heard(message),
    );
  }

  async stop(): Promise<void> {
    await this.#undo?.();
    this.#undo = undefined;
  }

  /** Hears what was seen, whoever asked; the returned function ends it. */
  onGlance(listener: GlanceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Has a device's link looked at, unless that was done just now; `bytesPerMs` is what it is taken to carry. */
  want(device: string, bytesPerMs: number): void {
    const { control, topics, log, now } = this.#deps;
    const known = this.#looked.get(device) ?? { bytesPerMs, next: Number.NEGATIVE_INFINITY };
    const at = now();
    if (at < known.next) {
      if (known.asked !== undefined && at - known.asked.at >= LATE_MS)
        this.#tell(device, (2 * known.asked.bytes) / (at - known.asked.at));
      return;
    }
    const bytes = Math.round(Math.min(MOST_BYTES, Math.max(LEAST_BYTES, EACH_WAY_MS * known.bytesPerMs)));
    this.#looked.set(device, { ...known, next: at + LOST_MS, asked: { bytes, at } });
    const request = Buffer.from(JSON.stringify({ format: 1, bytes }));
    control
      .publish(topics.build('glance', { id: device }), request)
      .catch((error: unknown) => log.debug({ device }, asTilepipeError(error).message));
  }

  /** Whether a device that answers such questions has not done so lately; it is asked now. */
  inDoubt(device: string, bytesPerMs: number): boolean {
    const known = this.#looked.get(device);
    if (known?.answeredAt === undefined || this.#deps.now() - known.answeredAt <= LATELY_MS) return false;
    if (known.asked === undefined) this.#looked.set(device, { ...known, next: this.#deps.now() });
    this.want(device, bytesPerMs);
    return true;
  }

  #heard({ topic, payload }: Incoming): void {
    const { topics, now } = this.#deps;
    const device = topics.parse('glance', topic)?.id;
    const known = device === undefined ? undefined : this.#looked.get(device);
    const { bytes, ms } = parseLinkGlance(payload) ?? {};
    if (device === undefined || known === undefined || bytes === undefined || ms === undefined) return;
    const tooFast = ms < 2 * NOISE_MS;
    const bytesPerMs = (2 * bytes) / Math.max(NOISE_MS, ms - NOISE_MS);
    const change = Math.max(bytesPerMs / known.bytesPerMs, known.bytesPerMs / bytesPerMs);
    const most = bytes === MOST_BYTES;
    const everyMs = most ? EVERY_MS.fast : EVERY_MS.slow;
    const again = (tooFast && !most) || change > CHANGED;
    this.#looked.set(device, { bytesPerMs, next: again ? now() : now() + everyMs, answeredAt: now() });
    if (tooFast && !most) return;
    this.#tell(device, tooFast ? Number.POSITIVE_INFINITY : bytesPerMs);
  }

  #tell(device: string, bytesPerMs: number): void {
    for (const listener of this.#listeners) listener(device, bytesPerMs);
  }
}
