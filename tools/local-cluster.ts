/** A whole Tilepipe on this machine: broker, splitter, merger and controller in this process, workers in their own. */

import { EmbeddedBroker } from '../services/broker/embedded-broker.ts';
import type { Controller } from '../services/controller/controller.ts';
import type { PreparedPlan } from '../services/controller/prepare.ts';
import type { BrokerAddress } from '../services/core/bus/connections.ts';
import type { BlobCache } from '../services/core/runtime/blobs.ts';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import { createLog } from '../services/core/runtime/log.ts';
import type { Announcement } from '../services/core/schema/generated/announcement.ts';
import { HubServices } from './hub-services.ts';
import { WorkerProcess, type WorkerSpec } from './worker-process.ts';

export interface ClusterOptions {
  readonly blobs: BlobCache;
  readonly workers: number;
  readonly threads?: number;
  /** A broker that is already there; absent: an embedded one, which the roles here use without a socket. */
  readonly broker?: BrokerAddress;
  /** Of the embedded broker; any free port by default. */
  readonly port?: number;
}

/** How long workers may take to load a plan: the first download and session of a large model are slow. */
const READY_LIMIT_MS = 300_000;

/** Ids of the workers a cluster starts with, from 0. */
export function workerId(index: number): string {
  return `worker-${index}`;
}

export class LocalCluster {
  readonly #options: ClusterOptions;
  readonly #embedded: EmbeddedBroker | undefined;
  readonly #hub: HubServices;
  #workers: WorkerProcess[] = [];
  #stopping = false;

  constructor(options: ClusterOptions) {
    this.#options = options;
    if (options.broker === undefined) {
      this.#embedded = new EmbeddedBroker({ port: options.port ?? 0, log: createLog('broker') });
    }
    const place = this.#embedded === undefined ? { address: this.address } : { broker: this.#embedded };
    this.#hub = new HubServices(place, { blobs: options.blobs });
  }

  /** How clients and workers reach the broker. */
  get address(): BrokerAddress {
    return this.#options.broker ?? { url: (this.#embedded as EmbeddedBroker).url };
  }

  get controller(): Controller {
    return this.#hub.part.controller;
  }

  get workers(): readonly WorkerProcess[] {
    return this.#workers;
  }

  async start(): Promise<void> {
    await this.#embedded?.start();
    await this.#hub.start();
    const specs = Array.from({ length: this.#options.workers }, (_, index) => ({ id: workerId(index) }));
    this.addWorkers(specs);
  }

  /** Starts worker processes beside those that are there. */
  addWorkers(specs: readonly Omit<WorkerSpec, 'broker'>[]): void {
    if (this.#stopping) throw new Error('the cluster is stopping');
    const { threads } = this.#options;
    for (const spec of specs) {
      const worker = new WorkerProcess({
        broker: this.address,
        ...(threads === undefined ? {} : { threads }),
        ...spec,
      });
      worker.start();
      this.#workers.push(worker);
    }
  }

  async stopWorkers(): Promise<void> {
    const workers = this.#workers;
    this.#workers = [];
    await Promise.all(workers.map((worker) => worker.stop()));
  }

  /**
   * Rolls a plan out and waits until every worker that runs is ready for it. Rejects with `no-worker`, and without
   * waiting any longer, where one ends before it is.
   */
  async deploy(
    plan: PreparedPlan,
    settings: Announcement['settings'],
    frames: Announcement['frames'],
  ): Promise<void> {
    const failed = this.#workers.find(({ ending }) => ending?.includes('exit code'));
    if (failed !== undefined) throw endedEarly(failed);
    await this.controller.rollOut({ plan, settings, frames });
    const workers = this.#workers.filter(({ running }) => running);
    const ended = new AbortController();
    const undo = workers.map((worker) => worker.onEnd(() => ended.abort(endedEarly(worker))));
    try {
      await this.controller.whenReady(plan.digest, workers.length, READY_LIMIT_MS, ended.signal);
    } finally {
      for (const each of undo) each();
    }
  }

  /** The splitter goes first, for its last frames need all the others; then who has nothing left to do. */
  async stop(): Promise<void> {
    // What an interrupted command still has under way must not start a worker that nobody would stop.
    this.#stopping = true;
    await this.#hub.stop();
    await this.stopWorkers();
    await this.#embedded?.stop();
  }
}

function endedEarly({ id, ending }: WorkerProcess): TilepipeError {
  return new TilepipeError('no-worker', `${id} ${ending} before it was ready: its log says why`);
}
