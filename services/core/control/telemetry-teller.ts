/** Says twice a second on the bus what a dispatcher has seen, where it has seen anything. */

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

/** A device that slows down is to be noticed within two or three of these. */
const WINDOW_MS = 500;

export class TelemetryTeller {
  readonly #deps: TelemetryTellerDeps;
  readonly #topic: string;
  readonly #window = new TelemetryWindow();
  #timer: NodeJS.Timeout | undefined;
  #number = 0;
  #since = 0;

  constructor(deps: TelemetryTellerDeps) {
    this.#deps = deps;
    this.#topic = deps.topics.build('telemetry', { role: deps.role, id: deps.id });
  }

  start(): void {
    this.#since = monotonicMs();
    this.#timer = setInterval(() => this.#tell(), WINDOW_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** An answer has come. */
  add(sample: Sample): void {
    this.#window.add(sample);
  }

  #tell(): void {
    const { role, id, control, workers } = this.#deps;
    const told = this.#window.take(workers());
    if (told === undefined) return;
    const now = monotonicMs();
    const windowMs = Math.round(now - this.#since);
    this.#since = now;
    const telemetry: Telemetry = { role, id, number: this.#number++, windowMs, ...told };
    if (!control.connected) return;
    // Lost with the connection: the next one says what matters then.
    control.publish(this.#topic, Buffer.from(JSON.stringify(telemetry))).catch(() => undefined);
  }
}
