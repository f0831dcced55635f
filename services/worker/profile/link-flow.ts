/** How much a link carries in a stream, for a bounded time: what several devices at once can be compared by. */

import type { Bus } from '../../core/bus/bus.ts';
import { monotonicMs } from '../../core/runtime/clock.ts';
import { within } from '../../core/runtime/within.ts';

/** `out`: nothing but a few bytes comes back; `both`: all of it does. */
export type Way = 'out' | 'both';

export interface FlowDeps {
  /** Connected. */
  readonly data: Bus;
  /** A topic that only this flow listens to, and one that nobody listens to. */
  readonly back: string;
  readonly out: string;
  /** Asked before every message: the measurement ends at once, and says nothing. */
  readonly interrupted: () => boolean;
}

export interface FlowOptions {
  readonly way: Way;
  /** How long it sends, and how long after that what is on its way is waited for. */
  readonly sendMs: number;
  readonly drainMs: number;
  /** On their way at most: enough to keep the link busy, no more. */
  readonly windowBytes: number;
}

export interface Arrival {
  /** Monotonic milliseconds. */
  readonly at: number;
  /** Of all that has come back by then. */
  readonly bytes: number;
}

/** A flow on the fastest of links ends here, whatever the time. */
const MOST_BYTES = 8 << 20;
const LEAST_CHUNK = 1 << 10;
const MOST_CHUNK = 64 << 10;
/** Messages that a window has room for. */
const IN_WINDOW = 8;
/** Share of what has come back that a flow takes to get going, and the share of its time that this may take. */
const GOING = 0.25;
const MOST_GOING = 0.5;

export class LinkFlow {
  readonly #deps: FlowDeps;
  #undo: (() => Promise<void>) | undefined;
  /** Of the measurement under way: what is late belongs to an earlier one. */
  #mark = 0;
  #arrived: () => void = () => {};

  constructor(deps: FlowDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { data, back } = this.#deps;
    this.#undo = await data.subscribe(back, ({ payload }) => {
      if (payload[0] === this.#mark) this.#arrived();
    });
  }

  async stop(): Promise<void> {
    await this.#undo?.();
    this.#undo = undefined;
  }

  /** Bytes per millisecond; undefined where it was interrupted, or too little came back to tell. Rejects where the connection is away. */
  async measure({ way, sendMs, drainMs, windowBytes }: FlowOptions): Promise<number | undefined> {
    const { data, back, out, interrupted } = this.#deps;
    this.#mark = (this.#mark + 1) % 256;
    const mark = Buffer.of(this.#mark);
    const size = Math.min(MOST_CHUNK, Math.max(LEAST_CHUNK, Math.floor(windowBytes / IN_WINDOW)));
    const chunk = Buffer.alloc(Math.min(size, data.maxMessageBytes), this.#mark);
    const window = Math.max(windowBytes, 2 * chunk.length);
    const arrivals: Arrival[] = [];
    let [sent, arrived] = [0, 0];
    let wake = (): void => {};
    this.#arrived = () => {
      arrived += chunk.length;
      arrivals.push({ at: monotonicMs(), bytes: arrived });
      wake();
    };
    const news = (limitMs: number): Promise<boolean> => {
      const came = new Promise<void>((resolve) => {
        wake = resolve;
      });
      return within(limitMs, came);
    };
    const began = monotonicMs();
    const until = began + sendMs;
    for (let left = sendMs; left > 0 && sent < MOST_BYTES; left = until - monotonicMs()) {
      if (interrupted()) return undefined;
      if (sent - arrived >= window) {
        await news(left);
        continue;
      }
      sent += chunk.length;
      await data.publish(way === 'both' ? back : out, chunk);
      // Messages of one connection are taken in order: the mark is back when the broker has what was before it.
      if (way === 'out') await data.publish(back, mark);
    }
    const end = Math.min(until, monotonicMs()) + drainMs;
    for (let left = drainMs; left > 0 && arrived < sent; left = end - monotonicMs()) {
      if (interrupted()) return undefined;
      await news(left);
    }
    // All of it is there before the others stop.
    const whole = sent >= MOST_BYTES && arrived === sent ? arrivals.at(-1)?.at : undefined;
    return rateOf(arrivals, began, whole ?? until);
  }
}

/**
 * From when it was going until the others stopped too: what comes later has the link to itself. What a connection holds
 * back (a packet lost on a crowded medium) comes at once when it goes on, and took all the time since what was before it.
 */
export function rateOf(arrivals: readonly Arrival[], began: number, until: number): number | undefined {
  const counted = arrivals.filter(({ at }) => at <= until);
  const going = counted[Math.floor(GOING * counted.length)];
  if (going === undefined) return undefined;
  const from = Math.min(going.at, began + MOST_GOING * (until - began));
  const bytes = bytesAt(arrivals, began, until) - bytesAt(arrivals, began, from);
  return bytes > 0 ? bytes / (until - from) : undefined;
}

/** Bytes that have come by a time, those of a message evenly since the one before it. */
function bytesAt(arrivals: readonly Arrival[], began: number, at: number): number {
  const next = arrivals.findIndex((arrival) => arrival.at > at);
  const before = (next < 0 ? arrivals.at(-1) : arrivals[next - 1]) ?? { at: began, bytes: 0 };
  const after = arrivals[next];
  if (after === undefined || before.at >= at) return before.bytes;
  return before.bytes + ((after.bytes - before.bytes) * (at - before.at)) / (after.at - before.at);
}
