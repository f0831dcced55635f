/** The controller as a service: the model store beside it lives and ends with it. */

import type { BlobCache } from '../core/runtime/blobs.ts';
import type { Part, Service } from '../core/runtime/service.ts';
import type { Status } from '../core/schema/generated/status.ts';
import { Controller } from './controller.ts';
import { Replanning, type ReplanOptions } from './replan/replanning.ts';
import { ModelStore } from './store.ts';

export interface ControllerOptions {
  readonly blobs: BlobCache;
  /** Where the store listens; loopback and any free port by default. */
  readonly store?: { readonly host?: string; readonly port?: number };
}

const LOOPBACK = '127.0.0.1';

export class ControllerPart implements Part {
  readonly #store: ModelStore;
  readonly #host: string;
  #controller: Controller | undefined;
  #service: Service | undefined;
  /** By pipeline. */
  readonly #replannings = new Map<string, Replanning>();

  constructor({ blobs, store = {} }: ControllerOptions) {
    this.#host = store.host ?? LOOPBACK;
    this.#store = new ModelStore({ blobs, host: this.#host, port: store.port ?? 0 });
  }

  /** The running controller; only between `start` and `stop`. */
  get controller(): Controller {
    if (this.#controller === undefined) throw new Error('the controller has not started');
    return this.#controller;
  }

  /**
   * From now on a pipeline's plan, which has been rolled out, is changed when its devices change. A second call for
   * the same pipeline takes the place of the first.
   */
  async replan(options: ReplanOptions): Promise<Replanning> {
    const { channels, log } = this.#service as Service;
    const { pipeline } = options.running.plan.plan;
    await this.#replannings.get(pipeline)?.stop();
    const replanning = new Replanning({ ...channels, log, controller: this.controller }, options);
    this.#replannings.set(pipeline, replanning);
    await replanning.start();
    return replanning;
  }

  async start(service: Service): Promise<void> {
    const {
      id,
      channels: { control, topics },
      log,
    } = service;
    this.#service = service;
    await this.#store.start();
    // Beyond loopback the store is reached on the machine that the workers know as the broker's.
    const host = this.#host === LOOPBACK ? LOOPBACK : 'broker';
    this.#controller = new Controller({
      id,
      control,
      topics,
      log,
      store: `http://${host}:${this.#store.port}`,
    });
    await this.#controller.start();
  }

  async drain(): Promise<void> {}

  async stop(): Promise<void> {
    for (const replanning of this.#replannings.values()) await replanning.stop();
    this.#replannings.clear();
    await this.#controller?.stop();
    this.#controller = undefined;
    await this.#store.stop();
  }

  ready(): boolean {
    return this.#controller !== undefined;
  }

  details(): Partial<Status> {
    const replannings = [...this.#replannings.values()].map((each) => each.counters());
    return { counters: Object.assign({ ...this.#store.counters() }, ...replannings) };
  }
}
