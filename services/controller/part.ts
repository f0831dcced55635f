/** The controller as a service: the model store beside it lives and ends with it. */

import type { BlobCache } from '../core/runtime/blobs.ts';
import type { Part, Service } from '../core/runtime/service.ts';
import type { Status } from '../core/schema/generated/status.ts';
import { Controller } from './controller.ts';
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

  constructor({ blobs, store = {} }: ControllerOptions) {
    this.#host = store.host ?? LOOPBACK;
    this.#store = new ModelStore({ blobs, host: this.#host, port: store.port ?? 0 });
  }

  /** The running controller; only between `start` and `stop`. */
  get controller(): Controller {
    if (this.#controller === undefined) throw new Error('the controller has not started');
    return this.#controller;
  }

  async start({ id, channels: { control, topics }, log }: Service): Promise<void> {
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
    await this.#controller?.stop();
    this.#controller = undefined;
    await this.#store.stop();
  }

  ready(): boolean {
    return this.#controller !== undefined;
  }

  details(): Partial<Status> {
    return { counters: this.#store.counters() };
  }
}
