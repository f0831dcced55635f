/** Says twice a second on the bus what a dispatcher has seen, where it has seen anything; sooner what is unusual. */

import type { Bus } from '../bus/bus.ts';
import type { Topics } from '../bus/topics.ts';
import type { WorkerSummary } from '../flow/dispatch.ts';
import { monotonicMs } from '../runtime/clock.ts';
import type { Telemetry } from '../schema/generated/telemetry.ts';
import { type Sample, TelemetryWindow } from './telemetry.ts';

/** A dispatcher as its telemetry names it. */
export type Teller = Pick<Telemetry, 'role' | 'id'>;

export interface TelemetryTellerDeps extends Teller {
  readonly control: Bus;
  readonly topics: Topics;
  /** The dispatcher's workers as they are now. */
  readonly workers: () => readonly WorkerSummary[];
}

const WINDOW_MS = 500;
/** A window in which something unusual came ends so soon after it, for a device that slows down is to be noticed at once. */
const HASTE_MS = 50;
/** But is no shorter than this. */
const SHORTEST_MS = 150;
/** While a task takes unusually long. */
const OVERDUE_MS = 100;
/** Where its timer comes this late the process was held up: answers may have come that it has not read yet. */
const LATE_MS = 100;

export class TelemetryTeller {
  readonly #deps: TelemetryTellerDeps;
  readonly #topic: string;
  readonly #window = new TelemetryWindow();
  #timer: NodeJS.Timeout | undefined;
  #number = 0;
  /** When the document before was told. */
  #since = 0;
  /** When this window began, and when it ends. */
  #began = 0;
  #endsAt = 0;

  constructor(deps: TelemetryTellerDeps) {
    this.#deps = deps;
    this.#topic = deps.topics.build('telemetry', { role: deps.role, id: deps.id });
  }

  start(): void {
    this.#since = monotonicMs();
    this.#began = this.#since;
    this.#tellAt(this.#since + WINDOW_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** An answer has come. */
  add(sample: Sample): void {
    if (this.#window.add(sample) && this.#timer !== undefined)
      this.#tellAt(Math.max(monotonicMs() + HASTE_MS, this.#began + SHORTEST_MS));
  }

  /** To be called every 50 ms or so: a task that takes unusually long is told of before it ends. */
  look(): void {
    if (this.#timer === undefined || this.#window.running(this.#deps.workers(), monotonicMs()).length === 0)
      return;
    this.#tellAt(Math.max(monotonicMs(), this.#began + OVERDUE_MS));
  }

  /** Unless it tells sooner anyway. */
  #tellAt(at: number): void {
    if (this.#timer !== undefined && at >= this.#endsAt) return;
    clearTimeout(this.#timer);
    this.#endsAt = at;
    // It may have come since it was reckoned, and Node 24 warns of times before now.
    this.#timer = setTimeout(() => this.#next(), Math.max(0, at - monotonicMs()));
    this.#timer.unref();
  }

  #next(): void {
    this.#began = monotonicMs();
    this.#timer = undefined;
    const late = this.#began - this.#endsAt > LATE_MS;
    this.#tellAt(this.#began + WINDOW_MS);
    this.#tell(late);
  }

  #tell(late: boolean): void {
    const { role, id, control, workers } = this.#deps;
    const now = monotonicMs();
    const summaries = workers();
    const running = late ? [] : this.#window.running(summaries, now);
    const told = this.#window.take(summaries);
    if (told === undefined) return;
    const windowMs = Math.round(now - this.#since);
    this.#since = now;
    const telemetry: Telemetry = {
      role,
      id,
      number: this.#number++,
      windowMs,
      ...told,
      ...(running.length === 0 ? {} : { running }),
    };
    if (!control.connected) return;
    // Lost with the connection: the next one says what matters then.
    control.publish(this.#topic, Buffer.from(JSON.stringify(telemetry))).catch(() => undefined);
  }
}
