/** Measures a worker's link when it is asked to: in its own turn, then with all others at once. */

import { setTimeout } from 'node:timers/promises';
import type { Channels } from '../../core/bus/connections.ts';
import { parseLinkRound } from '../../core/control/documents.ts';
import { monotonicMs } from '../../core/runtime/clock.ts';
import { asTilepipeError } from '../../core/runtime/errors.ts';
import type { Log } from '../../core/runtime/log.ts';
import type { LinkRound } from '../../core/schema/generated/link-round.ts';
import type { Profile } from '../../core/schema/generated/profile.ts';
import type { Link } from './link.ts';
import { LinkFlow, type Way } from './link-flow.ts';

export interface LinkTurnsDeps {
  /** The worker's id. */
  readonly id: string;
  readonly channels: Pick<Channels, 'topics' | 'control' | 'data'>;
  readonly log: Log;
  /** As measured by this device alone, when it started. */
  readonly link: Link;
  /**
   * Begins to watch the worker. What it returns says why this is no moment: what the worker does, or has been sent since;
   * undefined where it is one.
   */
  readonly watch: () => () => string | undefined;
  /** Publishes the link with the figures of a round. */
  readonly measured: (link: Link) => Promise<void>;
}

type Together = NonNullable<NonNullable<Profile['link']>['together']>;

interface Asked {
  readonly round: LinkRound;
  readonly turn: number;
  /** Monotonic milliseconds. */
  readonly startAt: number;
  /** Of the round. */
  readonly end: AbortSignal;
}

/** From the request, which some devices have earlier than others, to the first slot. */
const START_MS = 100;
/** What a device on its own keeps on its way, in milliseconds of its link; with others all of them together do. */
const WINDOW_MS = 40;
const LEAST_WINDOW_MS = 8;
/** A longer round trip, as of devices that start together, would fill a shared medium for longer than a slot. */
const MOST_TRIP_MS = 40;

export class LinkTurns {
  readonly #deps: LinkTurnsDeps;
  #undo: (() => Promise<void>) | undefined;
  /** The round heard of last, and what ends it: the next one, whoever it is for. */
  #current: { readonly name: string; readonly end: AbortController } | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(deps: LinkTurnsDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { control, topics } = this.#deps.channels;
    const filter = topics.filter('links', { id: '+' });
    this.#undo = await control.subscribe(filter, ({ payload }) => this.#asked(payload), { qos: 1 });
  }

  async stop(): Promise<void> {
    await this.#undo?.();
    this.#undo = undefined;
    this.#current?.end.abort();
    await this.#ended;
  }

  #asked(payload: Buffer): void {
    const round = parseLinkRound(payload);
    // What MQTT brings twice is measured once, and the end of a round is none of another, whoever asked for that.
    if (round === undefined || (round.round === this.#current?.name) !== (round.devices.length === 0)) return;
    const startAt = monotonicMs() + START_MS;
    this.#current?.end.abort();
    const end = new AbortController();
    this.#current = { name: round.round, end };
    const turn = round.devices.indexOf(this.#deps.id);
    if (turn < 0) return;
    this.#ended = this.#ended.then(() => this.#measure({ round, turn, startAt, end: end.signal }));
  }

  async #measure(asked: Asked): Promise<void> {
    const { log, link, measured } = this.#deps;
    const { round } = asked.round;
    try {
      const together = await this.#figures(asked);
      if (typeof together === 'string') {
        log.info({ round }, `link not measured: ${together}`);
        return;
      }
      await measured({ ...link, together });
      const { outBytesPerMs, aloneOutBytesPerMs, devices } = together;
      log.info({ round, devices, aloneOutBytesPerMs, outBytesPerMs }, 'link measured with the others');
    } catch (error) {
      log.warn({ round }, `link not measured: ${asTilepipeError(error).message}`);
    }
  }

  /** The figures of a round, or why there are none. */
  async #figures({ round, turn, startAt, end }: Asked): Promise<Together | string> {
    const { id, channels, watch, link } = this.#deps;
    const { data, topics } = channels;
    const { devices, slotMs } = round;
    // Whatever came before the round is no reason.
    const busy = watch();
    let why: string | undefined;
    const interrupted = (): boolean => {
      why ??= end.aborted ? 'the round was ended' : busy();
      return why !== undefined;
    };
    const flow = new LinkFlow({
      data,
      back: topics.build('probe', { id, way: 'back' }),
      out: topics.build('probe', { id, way: 'out' }),
      interrupted,
    });
    const measure = async (slot: number, way: Way, ownMs: number): Promise<number | undefined> => {
      const waitMs = startAt + slot * slotMs - monotonicMs();
      // Ended while it waits: `interrupted` says so.
      if (waitMs > 0) await setTimeout(waitMs, undefined, { signal: end }).catch(() => undefined);
      if (interrupted()) return undefined;
      // Whoever comes late measures with fewer others, and whoever goes on with none.
      const sendMs = startAt + (slot + 0.5) * slotMs - monotonicMs();
      if (sendMs < slotMs / 8) return undefined;
      const windowBytes = link.upBytesPerMs * (Math.min(2 * link.latencyMs, MOST_TRIP_MS) + ownMs);
      return flow.measure({ way, sendMs, drainMs: slotMs / 2, windowBytes });
    };
    await flow.start();
    try {
      const sharedMs = Math.max(LEAST_WINDOW_MS, WINDOW_MS / devices.length);
      const aloneOutBytesPerMs = await measure(2 * turn, 'out', WINDOW_MS);
      const aloneBothBytesPerMs = await measure(2 * turn + 1, 'both', WINDOW_MS);
      const outBytesPerMs = await measure(2 * devices.length, 'out', sharedMs);
      const bothBytesPerMs = await measure(2 * devices.length + 1, 'both', sharedMs);
      if (why !== undefined) return why;
      if (!aloneOutBytesPerMs || !aloneBothBytesPerMs || !outBytesPerMs || !bothBytesPerMs)
        return 'too little came back in time';
      return {
        round: round.round,
        devices: devices.length,
        at: new Date().toISOString(),
        aloneOutBytesPerMs,
        aloneBothBytesPerMs,
        outBytesPerMs,
        bothBytesPerMs,
      };
    } finally {
      await flow.stop();
    }
  }
}
