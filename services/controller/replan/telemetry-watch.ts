/** Telemetry of every dispatcher, from bytes to checked documents. */

import type { Bus } from '../../core/bus/bus.ts';
import type { Topics } from '../../core/bus/topics.ts';
import { validator } from '../../core/runtime/validate.ts';
import { type Telemetry, telemetrySchema } from '../../core/schema/generated/telemetry.ts';

export interface TelemetryWatchDeps {
  readonly control: Bus;
  readonly topics: Topics;
  readonly told: (telemetry: Telemetry) => void;
}

const check = validator<Telemetry>(telemetrySchema, 'wire-invalid', { what: 'telemetry', firstOnly: true });
/** The largest document a dispatcher makes has some 500 rows of 300 bytes. */
const MOST_BYTES = 500_000;

export class TelemetryWatch {
  readonly #deps: TelemetryWatchDeps;
  #undo: (() => Promise<void>) | undefined;
  /** Messages that were no telemetry. */
  rejected = 0;

  constructor(deps: TelemetryWatchDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { control, topics } = this.#deps;
    const filter = topics.filter('telemetry', { role: '+', id: '+' });
    this.#undo = await control.subscribe(filter, ({ payload }) => this.#receive(payload));
  }

  async stop(): Promise<void> {
    await this.#undo?.();
    this.#undo = undefined;
  }

  #receive(payload: Buffer): void {
    const telemetry = parse(payload);
    if (telemetry === undefined) this.rejected++;
    else this.#deps.told(telemetry);
  }
}

function parse(payload: Buffer): Telemetry | undefined {
  if (payload.length > MOST_BYTES) return undefined;
  try {
    return check(JSON.parse(payload.toString('utf8')));
  } catch {
    return undefined;
  }
}
