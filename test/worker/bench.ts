/** A worker in this process over a real broker, and what a dispatcher and merger see of it. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { ModelStore } from '../../services/controller/store.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import { planDigest } from '../../services/core/flow/plan-index.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import { Service } from '../../services/core/runtime/service.ts';
import { parseStatus } from '../../services/core/runtime/status.ts';
import type { Announcement } from '../../services/core/schema/generated/announcement.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { Status } from '../../services/core/schema/generated/status.ts';
import { deflated } from '../../services/core/wire/deflate.ts';
import { encodeMessage, parts } from '../../services/core/wire/encode.ts';
import type { Message } from '../../services/core/wire/message.ts';
import type { Executor } from '../../services/worker/executor/executor.ts';
import { OrtExecutor } from '../../services/worker/executor/ort.ts';
import { type WorkerOptions, WorkerPart } from '../../services/worker/part.ts';
import { Mailbox, WireMailbox } from '../../tools/conform/mailbox.ts';

const LIMIT_MS = 20_000;

export class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'tilepipe-worker-'));
  readonly broker = new EmbeddedBroker({ port: 0 });
  readonly shelf = new BlobCache({ folder: this.folder });
  readonly store = new ModelStore({ blobs: this.shelf });
  readonly statuses = new Mailbox<Status>();
  readonly #log = createLog('test', { level: 'silent' });
  readonly #services: Service[] = [];
  #bus: Connections | undefined;
  #merger: WireMailbox | undefined;
  #dispatcher: WireMailbox | undefined;

  get merger(): WireMailbox {
    return this.#merger as WireMailbox;
  }

  get dispatcher(): WireMailbox {
    return this.#dispatcher as WireMailbox;
  }

  get bus(): Connections {
    return this.#bus as Connections;
  }

  async start(): Promise<void> {
    await this.broker.start();
    await this.store.start();
    const bus = new Connections({ url: this.broker.url, service: 'bench' });
    await bus.start();
    this.#bus = bus;
    this.#merger = await WireMailbox.open(bus.data, 'tilepipe/merger/m/in');
    this.#dispatcher = await WireMailbox.open(bus.data, 'tilepipe/splitter/s/in');
    await bus.control.subscribe('tilepipe/status/worker/+', ({ payload }) => {
      const status = parseStatus(payload);
      if (status !== undefined) this.statuses.add(status);
    });
  }

  async stop(): Promise<void> {
    for (const service of this.#services) await service.stop();
    await this.#bus?.stop();
    await this.store.stop();
    await this.broker.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A started worker with a cache of its own. */
  async worker(id: string, options: Partial<WorkerOptions> = {}): Promise<Service> {
    const executor: Executor = options.executor ?? new OrtExecutor();
    const blobs = options.blobs ?? new BlobCache({ folder: mkdtempSync(join(this.folder, `${id}-`)) });
    const service = new Service({
      role: 'worker',
      id,
      inbox: true,
      log: this.#log,
      part: new WorkerPart({ ...options, executor, blobs }),
      connect: (will) => new Connections({ url: this.broker.url, service: id, will }),
    });
    this.#services.push(service);
    await service.start();
    return service;
  }

  async announce(plan: Plan, store = this.store.url()): Promise<string> {
    const digest = planDigest(plan);
    const frames = { maxInFlight: 4, maxWaiting: 4, deadlineMs: 30_000, attempts: 1 };
    const announcement: Announcement = { digest, plan, store, controller: 'bench', settings: {}, frames };
    const topic = this.bus.topics.build('plan', { pipeline: plan.pipeline });
    await this.bus.control.publish(topic, Buffer.from(JSON.stringify(announcement)), {
      qos: 1,
      retain: true,
    });
    return digest;
  }

  /** The first status of a worker in which the plan is in this state. */
  async planState(
    worker: string,
    digest: string,
    state: 'ready' | 'failed' | 'loading',
    after = 0,
  ): Promise<Status> {
    const wanted = (status: Status) => status.id === worker && status.plans?.[digest]?.state === state;
    return this.statuses.first(`${worker} ${state}`, wanted, LIMIT_MS, after);
  }

  /** Tensors of `packed` travel deflated, as far as that makes them smaller. */
  async send(worker: string, message: Message, packed: readonly string[] = []): Promise<void> {
    const laid = deflated(encodeMessage(message), message.tensors, new Set(packed));
    const payloads = parts(laid, this.bus.data.maxMessageBytes);
    for (const payload of payloads) await this.bus.data.publish(`tilepipe/worker/${worker}/in`, payload);
  }

  /** The first message of a kind for a frame and task. */
  came(box: WireMailbox, kind: string, frame: string, task?: string): Promise<Message> {
    const wanted = ({ meta }: Message) =>
      meta.kind === kind && meta.frame === frame && (task ?? meta.task) === meta.task;
    return box.first(`${kind} of ${frame}`, wanted, LIMIT_MS);
  }
}
