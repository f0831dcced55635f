/**
 * Has links looked at that no task tells of: a plan that does not use them would never hear that they have changed. Bytes
 * are as many as take a moment at the speed seen last, so that a slow link has little to carry; where they come back faster
 * than can be told they become more. One link is looked at after the other, for all of them may share the hub's; all at once
 * only to see what that carries.
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
/** So many times faster or slower than it is taken for is another link: the others may be others as well. */
const ANOTHER = 4;
/** An answer may be lost. */
const LOST_MS = 20_000;
/**
 * An answer that has not come after so long says at every further look how much the link carries at most; it is taken to
 * need as long again, for to take a link for too slow costs little.
 */
const LATE_MS = 1_000;
const STILL = 2;

/** One that is out for so long says enough: whatever it carries is next to nothing beside what it was asked with. */
const HOPELESS_MS = 1_500;
/** One that is out for longer does not keep the others waiting. */
const ALONE_MS = 3 * EACH_WAY_MS;
/** An answer says how the link is for so long. */
const LATELY_MS = 500;
/** Where one link has changed, the others are looked at as well, and nothing is decided for so long meanwhile. */
const SETTLE_MS = 5_000;
/** Then it may be for so long, though links change all the time. */
const FREE_MS = 2_000;
/** Looks at all links at once: for how long each one's answer is waited for, and all of them at least; how often there is one. */
const TOGETHER_MS = { each: 3 * EACH_WAY_MS, least: 2_000, every: 10_000 };

interface Looked {
  readonly bytesPerMs: number;
  /** When it may be asked for again. */
  readonly next: number;
  /** What it was asked with, when, and among how many at once; undefined once it has answered. */
  readonly asked?: { readonly bytes: number; readonly at: number; readonly among: number };
  /** When it answered last. */
  readonly answeredAt?: number;
  /** It is asked again at once: it has changed, or is not what it is taken for. */
  readonly unsure?: boolean;
  /** And what it said has been told. */
  readonly confirming?: boolean;
}

/** A look at all links at once. */
interface Together {
  readonly until: number;
  readonly waiting: Set<string>;
  /** Of the answers so far. */
  bytes: number;
  longestMs: number;
}

export class LinkGlances {
  readonly #deps: LinkGlancesDeps;
  readonly #looked = new Map<string, Looked>();
  readonly #listeners = new Set<GlanceListener>();
  /** By device, what its link is taken to carry. */
  readonly #taken = new Map<string, number>();
  /** Devices whose turn has not come. */
  readonly #turns = new Set<string>();
  readonly #togetherListeners = new Set<(bytesPerMs: number) => void>();
  #together: Together | undefined;
  #togetherAt = Number.NEGATIVE_INFINITY;
  /** When links began to change. */
  #changingAt = Number.NEGATIVE_INFINITY;
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

  /** Hears what all links carried at once; the returned function ends it. */
  onTogether(listener: (bytesPerMs: number) => void): () => void {
    this.#togetherListeners.add(listener);
    return () => this.#togetherListeners.delete(listener);
  }

  /**
   * Whether links are changing, and not all of these devices' have said how they are now: they are to be looked at. Never
   * for longer than some seconds.
   */
  unsettled(devices: Iterable<string>): boolean {
    const now = this.#deps.now();
    if (now >= this.#changingAt + SETTLE_MS) return false;
    return [...devices].some((device) => !this.#hasSaid(device, now));
  }

  /** Whether a link has said how it is since links began to change, be it by saying nothing. */
  #hasSaid(device: string, now: number): boolean {
    const { asked, answeredAt, unsure } = this.#looked.get(device) ?? {};
    if (asked !== undefined && now - asked.at >= HOPELESS_MS) return true;
    return !unsure && answeredAt !== undefined && answeredAt >= this.#changingAt;
  }

  /**
   * Has several links looked at at once, `links` being what each is taken to carry, unless that was done lately or a link is
   * being looked at. Returns whether answers are waited for.
   */
  together(links: ReadonlyMap<string, number>): boolean {
    const at = this.#deps.now();
    if (this.#together !== undefined && at >= this.#together.until) this.#endTogether();
    if (this.#together !== undefined) return true;
    if (at - this.#togetherAt < TOGETHER_MS.every) return false;
    const isOut = ({ asked }: Looked): boolean => asked !== undefined && at - asked.at < HOPELESS_MS;
    // One that still waits for its answer would only wait longer.
    const free = [...links].filter(([device]) => this.#looked.get(device)?.asked === undefined);
    if (free.length < 2 || [...this.#looked.values()].some(isOut)) return false;
    const until = at + Math.max(TOGETHER_MS.least, TOGETHER_MS.each * free.length);
    this.#togetherAt = at;
    this.#together = { until, waiting: new Set(free.map(([device]) => device)), bytes: 0, longestMs: 0 };
    for (const [device, bytesPerMs] of free) {
      const known = this.#looked.get(device) ?? { bytesPerMs, next: at };
      this.#ask(device, known, at, free.length);
    }
    return true;
  }

  /** Has a device's link looked at, unless that was done just now; `bytesPerMs` is what it is taken to carry. */
  want(device: string, bytesPerMs: number): void {
    this.#taken.set(device, bytesPerMs);
    this.#want(device, bytesPerMs);
  }

  #want(device: string, bytesPerMs: number): void {
    const known = this.#looked.get(device) ?? { bytesPerMs, next: Number.NEGATIVE_INFINITY };
    const at = this.#deps.now();
    if (at < known.next) {
      const { bytes, at: askedAt, among } = known.asked ?? { bytes: 0, at, among: 1 };
      if (at - askedAt >= LATE_MS * among) {
        const most = (2 * bytes * among) / (STILL * (at - askedAt));
        if (most * ANOTHER < bytesPerMs) this.#unsettle(device, at);
        this.#tell(device, most);
      }
      return;
    }
    if (this.#isLooking(at)) this.#turns.add(device);
    else this.#ask(device, known, at);
  }

  /** Whether a link is being looked at, by which the hub's is busy; where one is late already, little of it is. */
  #isLooking(at: number): boolean {
    const out = [...this.#looked.values()].flatMap(({ asked }) => (asked === undefined ? [] : at - asked.at));
    const lately = out.filter((ms) => ms < SETTLE_MS);
    return lately.length > 0 && lately.every((ms) => ms < ALONE_MS);
  }

  #ask(device: string, known: Looked, at: number, among = 1): void {
    const { control, topics, log } = this.#deps;
    const bytes = Math.round(Math.min(MOST_BYTES, Math.max(LEAST_BYTES, EACH_WAY_MS * known.bytesPerMs)));
    this.#looked.set(device, { ...known, next: at + LOST_MS, asked: { bytes, at, among } });
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
    const isMore = tooFast && !most;
    const taken = this.#taken.get(device) ?? bytesPerMs;
    // Where it is not what it is taken for, a second look at once tells whether that was an accident.
    const isOther = bytesPerMs > CHANGED * taken || (!tooFast && taken > CHANGED * bytesPerMs);
    const again = isMore || change > CHANGED || (isOther && !known.confirming);
    const at = now();
    if (known.asked !== undefined && known.asked.among > 1) {
      // What it shared the hub's link with says nothing of its own.
      this.#looked.set(device, { bytesPerMs: known.bytesPerMs, next: at + everyMs, answeredAt: at });
      this.#answeredTogether(device, bytes, ms);
      return;
    }
    const next = again ? at : at + everyMs;
    const confirming = again && !isMore;
    this.#looked.set(device, { bytesPerMs, next, answeredAt: at, unsure: again, confirming });
    if (bytesPerMs > ANOTHER * taken || (!tooFast && taken > ANOTHER * bytesPerMs))
      this.#unsettle(device, at);
    if (again) this.#turns.add(device);
    if (!tooFast || most) this.#tell(device, tooFast ? Number.POSITIVE_INFINITY : bytesPerMs);
    const [turn] = this.#turns;
    if (turn === undefined || this.#isLooking(at)) return;
    this.#turns.delete(turn);
    this.#want(turn, this.#taken.get(turn) ?? bytesPerMs);
  }

  /** In time, or too late to count. */
  #answeredTogether(device: string, bytes: number, ms: number): void {
    const together = this.#together;
    if (!together?.waiting.delete(device)) return;
    together.bytes += 2 * bytes;
    together.longestMs = Math.max(together.longestMs, ms);
    if (together.waiting.size === 0) this.#endTogether();
  }

  /** Those that have answered so far carried that much at least. */
  #endTogether(): void {
    const { bytes = 0, longestMs = 0 } = this.#together ?? {};
    this.#together = undefined;
    const bytesPerMs = bytes / Math.max(NOISE_MS, longestMs - NOISE_MS);
    if (bytes > 0) for (const listener of this.#togetherListeners) listener(bytesPerMs);
  }

  /** A link has changed: the others may have too, and are looked at as soon as they can be. */
  #unsettle(device: string, at: number): void {
    if (at < this.#changingAt + SETTLE_MS + FREE_MS) return;
    this.#changingAt = at;
    for (const [other, known] of this.#looked)
      if (other !== device && known.asked === undefined && known.answeredAt !== undefined)
        this.#looked.set(other, { ...known, next: at });
  }

  #tell(device: string, bytesPerMs: number): void {
    for (const listener of this.#listeners) listener(device, bytesPerMs);
  }
}
