/** The controller as a service: the model store beside it lives and ends with it. */

import { announcedHost } from '../core/bus/broker-host.ts';
import { isLoopback } from '../core/bus/connections.ts';
import type { BlobCache } from '../core/runtime/blobs.ts';
import { monotonicMs } from '../core/runtime/clock.ts';
import type { Part, Service } from '../core/runtime/service.ts';
import type { Status } from '../core/schema/generated/status.ts';
import { Controller } from './controller.ts';
import { LinkRounds } from './link-rounds.ts';
import { Profiles } from './profiles.ts';
import { LinkGlances } from './replan/link-glances.ts';
import { Replanning, type ReplanOptions } from './replan/replanning.ts';
import { TelemetryWatch } from './replan/telemetry-watch.ts';
import { ModelStore } from './store.ts';

export interface ControllerOptions {
  readonly blobs: BlobCache;
  /**
   * Where the store listens, loopback and any free port by default, and the address workers are told; without `url`
   * it is worked out from where the broker is.
   */
  readonly store?: {
    readonly host?: string | undefined;
    readonly port?: number | undefined;
    readonly url?: string | undefined;
  };
}

const LOOPBACK = '127.0.0.1';

export class ControllerPart implements Part {
  readonly #store: ModelStore;
  readonly #host: string;
  readonly #url: string | undefined;
  #controller: Controller | undefined;
  #profiles: Profiles | undefined;
  #telemetry: TelemetryWatch | undefined;
  #links: LinkRounds | undefined;
  #glances: LinkGlances | undefined;
  #service: Service | undefined;
  /** By pipeline. */
  readonly #replannings = new Map<string, Replanning>();

  constructor({ blobs, store = {} }: ControllerOptions) {
    this.#host = store.host ?? LOOPBACK;
    this.#url = store.url;
    this.#store = new ModelStore({ blobs, host: this.#host, port: store.port ?? 0 });
  }

  /** The running controller; only between `start` and `stop`. */
  get controller(): Controller {
    if (this.#controller === undefined) throw new Error('the controller has not started');
    return this.#controller;
  }

  /** What workers measured of themselves; only between `start` and `stop`. */
  get profiles(): Profiles {
    if (this.#profiles === undefined) throw new Error('the controller has not started');
    return this.#profiles;
  }

  /** What dispatchers say of their tasks; only between `start` and `stop`. */
  get telemetry(): TelemetryWatch {
    if (this.#telemetry === undefined) throw new Error('the controller has not started');
    return this.#telemetry;
  }

  /** Has workers measure their links; only between `start` and `stop`. */
  get links(): LinkRounds {
    if (this.#links === undefined) throw new Error('the controller has not started');
    return this.#links;
  }

  /**
   * From now on a pipeline's plan, which has been rolled out, is changed when its devices change. A second call for
   * the same pipeline takes the place of the first.
   */
  async replan(options: ReplanOptions): Promise<Replanning> {
    const { log } = this.#service as Service;
    const { controller, telemetry } = this;
    const glances = this.#glances as LinkGlances;
    const { pipeline } = options.running.plan.plan;
    const before = this.#replannings.get(pipeline);
    const replanning = new Replanning({ log, controller, telemetry, glances }, options);
    // Its place is taken before anything is waited for: of calls that come together the last one counts.
    this.#replannings.set(pipeline, replanning);
    await before?.stop();
    if (this.#replannings.get(pipeline) === replanning) replanning.start();
    return replanning;
  }

  /** Ends a pipeline: its plan is changed no more, and its announcement is erased. */
  async withdraw(pipeline: string): Promise<void> {
    const replanning = this.#replannings.get(pipeline);
    this.#replannings.delete(pipeline);
    await replanning?.stop();
    await this.controller.withdraw(pipeline);
  }

  async start(service: Service): Promise<void> {
    const {
      id,
      channels: { control, topics },
      log,
    } = service;
    this.#service = service;
    await this.#store.start();
    this.#controller = new Controller({
      id,
      control,
      topics,
      log,
      store: this.#storeUrl(service),
    });
    await this.#controller.start();
    this.#profiles = new Profiles({ control, topics });
    await this.#profiles.start();
    this.#telemetry = new TelemetryWatch({ control, topics });
    await this.#telemetry.start();
    const { profiles, telemetry } = this;
    this.#links = new LinkRounds({ id, control, topics, profiles, telemetry, log });
    await this.#links.start();
    this.#glances = new LinkGlances({ control, topics, log, now: monotonicMs });
    await this.#glances.start();
  }

  /** Where workers find the store: it may listen everywhere, and be known by another name. */
  #storeUrl({ channels: { facing }, log }: Service): string {
    if (this.#url !== undefined) return this.#url;
    if (facing !== undefined && isLoopback(this.#host))
      log.warn('the model store listens on loopback: workers of other machines need another store.host');
    return this.#store.url(announcedHost(this.#host, facing));
  }

  async drain(): Promise<void> {}

  async stop(): Promise<void> {
    for (const replanning of this.#replannings.values()) await replanning.stop();
    this.#replannings.clear();
    await this.#glances?.stop();
    this.#glances = undefined;
    await this.#links?.stop();
    this.#links = undefined;
    await this.#telemetry?.stop();
    this.#telemetry = undefined;
    await this.#profiles?.stop();
    this.#profiles = undefined;
    await this.#controller?.stop();
    this.#controller = undefined;
    await this.#store.stop();
  }

  ready(): boolean {
    return this.#controller !== undefined;
  }

  details(): Partial<Status> {
    const replannings = [...this.#replannings.values()].map((each) => each.counters());
    const own = { ...this.#store.counters(), 'profiles.rejected': this.#profiles?.rejected ?? 0 };
    return { counters: Object.assign(own, ...replannings) };
  }
}
