/** When frames start: by credit alone, or as they arrive, with a bound on those that wait (services/splitter/stream.ts). */

import type { Clock, Timer } from './clock.ts';
import { Fifo } from './fifo.ts';
import type { SimulateOptions } from './types.ts';

/** The splitter's default. */
const MAX_WAITING = 16;

/** A frame as it comes from its source. */
export interface Arrival {
  /** Position of its source; 0 where there is one. */
  readonly source: number;
  /** Running number at its source. */
  readonly sequence: number;
  readonly at: number;
}

export interface FrameFeedDeps {
  readonly clock: Clock;
  readonly options: SimulateOptions;
  /** How many there are in all. */
  readonly devices: number;
  readonly start: (arrival: Arrival) => void;
  readonly dropped: (arrival: Arrival) => void;
  /** The last frame has been offered: the load falls from now on. */
  readonly exhausted: () => void;
}

/** Frames that share credit and a queue. */
interface Stream {
  readonly waiting: Fifo<Arrival>;
  readonly credit: number;
  underWay: number;
}

export class FrameFeed {
  readonly #deps: FrameFeedDeps;
  /** By source; sources that share devices share one. */
  readonly #streams: readonly Stream[];
  #offered = 0;

  constructor(deps: FrameFeedDeps) {
    this.#deps = deps;
    this.#streams = streamsOf(deps.options, deps.devices);
  }

  begin(): void {
    const sources = sourcesOf(this.#deps.options);
    for (const [source, { periodMs }] of sources.entries()) {
      if (periodMs === undefined) {
        this.#pump(source);
        continue;
      }
      const camera = new Camera(this.#deps.clock, periodMs, (sequence) => this.#arrived(source, sequence));
      // Cameras that all start at once would meet at the hub for ever.
      this.#deps.clock.after((periodMs * source) / sources.length, camera);
    }
  }

  /** A frame of a source has ended. */
  ended(source: number): void {
    (this.#streams[source] as Stream).underWay--;
    this.#pump(source);
  }

  /** Returns whether the source goes on. */
  #arrived(source: number, sequence: number): boolean {
    const { options, clock } = this.#deps;
    if (this.#offered >= options.frames) return false;
    const { waiting, underWay, credit } = this.#streams[source] as Stream;
    this.#offer();
    waiting.push({ source, sequence, at: clock.now });
    if (waiting.length > (options.maxWaiting ?? MAX_WAITING) && underWay >= credit) {
      this.#deps.dropped(waiting.shift() as Arrival);
    }
    this.#pump(source);
    return this.#offered < options.frames;
  }

  #pump(source: number): void {
    const { options, clock, start } = this.#deps;
    const stream = this.#streams[source] as Stream;
    const byCredit = options.sources === undefined && options.periodMs === undefined;
    while (stream.underWay < stream.credit) {
      let next = stream.waiting.shift();
      if (next === undefined && byCredit && this.#offered < options.frames) {
        next = { source, sequence: this.#offered, at: clock.now };
        this.#offer();
      }
      if (next === undefined) return;
      stream.underWay++;
      start(next);
    }
  }

  #offer(): void {
    this.#offered++;
    if (this.#offered === this.#deps.options.frames) this.#deps.exhausted();
  }
}

/** One stream for all; with static binding one for each source with devices of its own, and credit by their number. */
function streamsOf({ sources, inFlight, binding }: SimulateOptions, devices: number): Stream[] {
  const stream = (credit: number): Stream => ({ waiting: new Fifo(), credit, underWay: 0 });
  const common = stream(inFlight);
  if (sources === undefined) return [common];
  return sources.map(({ devices: own }) => {
    if (binding === 'late' || own === undefined) return common;
    return stream(Math.max(1, Math.round((inFlight * own.length) / devices)));
  });
}

/** Sends by the clock until it is told to stop. */
class Camera implements Timer {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #send: (sequence: number) => boolean;
  #sequence = 0;

  constructor(clock: Clock, periodMs: number, send: (sequence: number) => boolean) {
    this.#clock = clock;
    this.#periodMs = periodMs;
    this.#send = send;
  }

  fire(): void {
    if (this.#send(this.#sequence++)) this.#clock.after(this.#periodMs, this);
  }
}

/** Where frames come from; a source without a period always has one waiting. */
export function sourcesOf({ periodMs, sources }: SimulateOptions): readonly { readonly periodMs?: number }[] {
  return sources ?? [periodMs === undefined ? {} : { periodMs }];
}
