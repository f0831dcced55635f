/** `tilepipe up`: everything of a configuration that runs on this machine. */

import { EmbeddedBroker } from '../services/broker/embedded-broker.ts';
import { brokerService } from '../services/broker/main.ts';
import { type BrokerAddress, isLoopback } from '../services/core/bus/connections.ts';
import { roomyHeap } from '../services/core/bus/roomy-heap.ts';
import { BlobCache } from '../services/core/runtime/blobs.ts';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import { createLog } from '../services/core/runtime/log.ts';
import { cacheFolder } from '../services/core/runtime/paths.ts';
import { settle } from '../services/core/vision/settings.ts';
import { brokerArguments, startChild } from './child-service.ts';
import type { FullConfig } from './config.ts';
import { Deployments } from './deployments.ts';
import { KeptProcess } from './kept-process.ts';
import { checkPipeline } from './pipeline-file.ts';
import { controllerService, mergerService, type Place, splitterService } from './services.ts';
import { startWorker } from './worker-process.ts';

interface Stoppable {
  start(): Promise<void>;
  stop(reason?: string): Promise<void>;
}

export class Up implements Stoppable {
  readonly #config: FullConfig;
  readonly #file: string;
  readonly log = createLog('up');
  /** What has started, the last first: stopped in this order. */
  readonly #started: Stoppable[] = [];
  #stopping = false;

  constructor(config: FullConfig, file: string) {
    this.#config = config;
    this.#file = file;
  }

  async start(): Promise<void> {
    const { broker, root, combined, store, health } = this.#config;
    roomyHeap();
    try {
      const embedded = broker.url === undefined ? await this.#startBroker(root) : undefined;
      const address = brokerAddressOf(this.#config, embedded);
      const { maxMessageBytes } = broker;
      const place: Place =
        embedded !== undefined && combined ? { broker: embedded, root, maxMessageBytes } : { address };
      const blobs = new BlobCache({ folder: cacheFolder('blobs') });
      // Before the splitter and the merger, to be stopped after them: their last frames need workers.
      await this.#begin(new LocalWorkers(this.#workers(address)));
      const { service, part } = controllerService({ id: 'controller', place, health }, { blobs, store });
      await this.#begin(service);
      if (combined) {
        await this.#begin(mergerService({ id: 'merger', place }));
        await this.#begin(splitterService({ id: 'splitter', place }));
      } else {
        await this.#begin(this.#role('merger', address));
        await this.#begin(this.#role('splitter', address));
      }
      await this.#begin(
        new Deployments({
          config: this.#config,
          file: this.#file,
          part,
          blobs,
          log: this.log,
          workers: this.#config.workers.count,
          local: this.#localIds(address),
        }),
      );
    } catch (error) {
      await this.stop('start failed');
      throw error;
    }
  }

  async stop(reason = 'stopped'): Promise<void> {
    this.#stopping = true;
    for (const each of this.#started.splice(0).reverse()) await each.stop(reason);
  }

  /** Kept before it has started: a signal may come while it starts. */
  async #begin(part: Stoppable): Promise<void> {
    if (this.#stopping) throw new TilepipeError('interrupted', 'stopped before everything had started');
    this.#started.push(part);
    await part.start();
    // Stopping something half-started may have found nothing to stop.
    if (this.#stopping) await part.stop();
  }

  async #startBroker(root: string): Promise<EmbeddedBroker> {
    const { host, port } = this.#config.broker;
    const limits = { maxMessageBytes: largestMessage(this.#config) };
    const broker = new EmbeddedBroker({ host, port, limits, log: createLog('broker') });
    await this.#begin(broker);
    await this.#begin(brokerService(broker, createLog('broker'), { root }));
    this.log.info({ url: broker.url }, 'broker is listening');
    return broker;
  }

  #workers(broker: BrokerAddress): KeptProcess[] {
    const { workers, pipelines } = this.#config;
    const { threads } = workers;
    const profile = pipelines.some(({ grid, plan }) => grid === undefined && plan?.devices === undefined);
    return this.#workerIds().map((name) => {
      const spec = { id: name, broker, threads, profile };
      return new KeptProcess({ name, log: this.log, launch: () => startWorker(spec) });
    });
  }

  #workerIds(): string[] {
    return Array.from({ length: this.#config.workers.count }, (_, index) => `worker-${index}`);
  }

  /** Where the broker is on another machine, tiles go there and back even to a worker on this one. */
  #localIds({ url }: BrokerAddress): ReadonlySet<string> {
    return new Set(isLoopback(new URL(url).hostname) ? this.#workerIds() : []);
  }

  /** Splitter or merger as a process of its own. */
  #role(name: 'splitter' | 'merger', address: BrokerAddress): KeptProcess {
    const { argv, env } = brokerArguments(address);
    const launch = () => startChild([name, '--id', name, ...argv], env);
    return new KeptProcess({ name, log: this.log, launch });
  }
}

function brokerAddressOf({ broker, root }: FullConfig, embedded: EmbeddedBroker | undefined): BrokerAddress {
  const { url, username, password, protocol, maxMessageBytes } = broker;
  return {
    url: embedded?.url ?? (url as string),
    root,
    username,
    password,
    protocolVersion: protocol,
    maxMessageBytes,
  };
}

/** What the embedded broker must take: the largest message of a service, and the largest picture of a pipeline. */
function largestMessage({ broker, pipelines }: FullConfig): number {
  const pictures = pipelines.map(({ name, limits = {} }) => {
    return settle(checkPipeline({ limits }, `pipeline ${name}`)).limits.maxImageBytes;
  });
  return Math.max(broker.maxMessageBytes, ...pictures);
}

class LocalWorkers implements Stoppable {
  readonly #workers: readonly KeptProcess[];

  constructor(workers: readonly KeptProcess[]) {
    this.#workers = workers;
  }

  async start(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.start()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }
}
