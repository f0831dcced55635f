/** Telemetry of every dispatcher, from bytes to checked documents, and who takes how much of the devices. */

import type { Bus } from '../../core/bus/bus.ts';
import type { Topics } from '../../core/bus/topics.ts';
import { type Contention, DeviceLoads } from '../../core/planning/replan/device-loads.ts';
import { TasksOut } from '../../core/planning/replan/tasks-out.ts';
import { monotonicMs } from '../../core/runtime/clock.ts';
import { documentReader } from '../../core/runtime/document-reader.ts';
import { type Telemetry, telemetrySchema } from '../../core/schema/generated/telemetry.ts';

export interface TelemetryWatchDeps {
  readonly control: Bus;
  readonly topics: Topics;
}

/** The largest document a dispatcher makes has some 500 rows of 300 bytes. */
const MOST_BYTES = 500_000;
const parse = documentReader<Telemetry>(telemetrySchema, { what: 'telemetry', mostBytes: MOST_BYTES });

export class TelemetryWatch {
  readonly #deps: TelemetryWatchDeps;
  readonly #loads = new DeviceLoads();
  readonly #out = new TasksOut();
  readonly #listeners = new Set<(telemetry: Telemetry) => void>();
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

  /** Hears every document; the returned function ends it. */
  onTelemetry(listener: (telemetry: Telemetry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What a pipeline meets on a device; `own` says which plans are its own. */
  contention(device: string, own: (plan: string) => boolean): Contention {
    return this.#loads.contention(device, monotonicMs(), own);
  }

  #receive(payload: Buffer): void {
    const telemetry = parse(payload);
    if (telemetry === undefined) {
      this.rejected++;
      return;
    }
    this.#loads.add(telemetry, monotonicMs());
    this.#out.add(telemetry);
    const { running, ...told } = telemetry;
    // One that may be waiting behind another dispatcher's says nothing.
    const alone = running?.filter(({ worker }) => !this.#out.elsewhere(worker, telemetry)) ?? [];
    for (const listener of this.#listeners) listener({ ...told, running: alone });
  }
}
