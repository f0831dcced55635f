/** A house in this process: real broker, splitter and merger; workers that do as the test says, on plans that copy. */

import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { LocalChannels } from '../../services/broker/local-bus.ts';
import type { Bus } from '../../services/core/bus/bus.ts';
import type { Channels } from '../../services/core/bus/connections.ts';
import type { BlobCache } from '../../services/core/runtime/blobs.ts';
import { monotonicMs } from '../../services/core/runtime/clock.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import { Service } from '../../services/core/runtime/service.ts';
import type { Announcement } from '../../services/core/schema/generated/announcement.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { Result } from '../../services/core/schema/generated/result.ts';
import type { Status } from '../../services/core/schema/generated/status.ts';
import { copyRegion } from '../../services/core/tensor/copy.ts';
import { extents, type Region } from '../../services/core/tensor/region.ts';
import { Assembler } from '../../services/core/wire/assembler.ts';
import { encodeMessage, parts } from '../../services/core/wire/encode.ts';
import type { Message, MessageMeta, TensorData } from '../../services/core/wire/message.ts';
import { MergerPart } from '../../services/merger/part.ts';
import { SplitterPart } from '../../services/splitter/part.ts';
import type { Executor } from '../../services/worker/executor/executor.ts';
import { OrtExecutor } from '../../services/worker/executor/ort.ts';
import { WorkerPart } from '../../services/worker/part.ts';
import { frameBytes } from '../core/flow/plans.ts';
import { announcement } from './announced.ts';
import { Inbox } from './inbox.ts';

/** What a scripted worker does with a task: `right` copies as the plan says. */
export type Deed = 'right' | 'wrong-shape' | 'error' | 'decline' | 'silent';

export class House {
  readonly broker = new EmbeddedBroker({ port: 0 });
  /** Messages of splitter, merger and real workers that get lost on the data channel; `topic` is whose inbox they are for. */
  lost: (meta: MessageMeta, topic: string) => boolean = () => false;
  /** Whether the splitter misses results: word of them comes by the merger's close alone. */
  deaf = false;
  readonly results: Result[] = [];
  #channels: LocalChannels | undefined;
  #services: Service[] = [];
  #seen: Inbox | undefined;

  get channels(): LocalChannels {
    return this.#channels as LocalChannels;
  }

  /** Results so far, once there are `count`. */
  async have(count: number): Promise<Result[]> {
    await this.#seen?.have(count);
    return this.results;
  }

  async start(): Promise<void> {
    await this.broker.start();
    this.#channels = new LocalChannels({ broker: this.broker });
    await this.channels.start();
    this.#seen = new Inbox();
    await this.channels.control.subscribe('tilepipe/result/#', (message) => {
      this.results.push(JSON.parse(message.payload.toString()));
      this.#seen?.take(message);
    });
    await this.begin('merger');
    await this.begin('splitter');
  }

  async begin(role: 'merger' | 'splitter', id: string = role): Promise<Service> {
    const service = new Service({
      role,
      id,
      part: role === 'merger' ? new MergerPart() : new SplitterPart({ drainMs: 200 }),
      log: createLog(role),
      inbox: true,
      connect: () => this.#lossy(),
    });
    await service.start();
    this.#services.unshift(service);
    return service;
  }

  /** A real worker in this process, whose sub-models are in the folder already. */
  async worker(
    id: string,
    blobs: BlobCache,
    executor: Executor = new OrtExecutor({ threads: 1 }),
  ): Promise<Service> {
    const service = new Service({
      role: 'worker',
      id,
      part: new WorkerPart({ executor, blobs }),
      log: createLog(id),
      inbox: true,
      connect: () => this.#lossy(),
    });
    await service.start();
    this.#services.unshift(service);
    return service;
  }

  service(id: string): Service {
    return this.#services.find((service) => service.id === id) as Service;
  }

  /** Counters of a service as its status says them; the first of a role has its name. */
  counters(id: string): Record<string, number> {
    return this.service(id).status().counters ?? {};
  }

  /** A message of the test's own to an inbox. */
  async tell(inbox: string, meta: MessageMeta): Promise<void> {
    for (const part of parts(encodeMessage({ meta, tensors: [] }), 900_000))
      await this.channels.data.publish(inbox, part);
  }

  async announce(plan: Plan, frames: Partial<Announcement['frames']> = {}, fallback?: Plan): Promise<string> {
    const document = announcement(plan, frames, fallback);
    const payload = Buffer.from(JSON.stringify(document));
    await this.channels.control.publish(`tilepipe/plan/${plan.pipeline}`, payload, { qos: 1, retain: true });
    return document.digest;
  }

  async withdraw(pipeline = 'test'): Promise<void> {
    await this.channels.control.publish(`tilepipe/plan/${pipeline}`, Buffer.alloc(0), {
      qos: 1,
      retain: true,
    });
  }

  async send(plan: Plan, source: string, seed = 0): Promise<void> {
    const { dtype, shape } = plan.tensors.t0 as { dtype: 'int32'; shape: number[] };
    const tensors = [{ name: 't0', dtype, shape, bytes: frameBytes(plan, seed) }];
    for (const part of parts(encodeMessage({ meta: { kind: 'frame', source }, tensors }), 900_000))
      await this.channels.data.publish(`tilepipe/frame/${plan.pipeline}/${source}`, part, { qos: 1 });
  }

  async stop(): Promise<void> {
    for (const service of [...this.#services].sort((a) => (a.role === 'splitter' ? -1 : 1)))
      await service.stop();
    await this.channels.stop();
    await this.broker.stop();
  }

  /** Channels that lose what the test says. */
  #lossy(): Channels {
    const channels = new LocalChannels({ broker: this.broker });
    const reader = new Assembler({ now: monotonicMs });
    const publish = channels.data.publish.bind(channels.data);
    channels.data.publish = async (topic, payload, options) => {
      const meta = topic.endsWith('/in') ? reader.accept(topic, payload)?.meta : undefined;
      if (meta !== undefined && this.lost(meta, topic)) return;
      await publish(topic, payload, options);
    };
    const subscribe = channels.control.subscribe.bind(channels.control);
    channels.control.subscribe = (filter, handler, options) =>
      subscribe(
        filter,
        (message) => {
          if (!this.deaf || !message.topic.startsWith('tilepipe/result/')) handler(message);
        },
        options,
      );
    return channels;
  }
}

/** What is done with a task, now or once the test lets it happen; `times` counts how often it came for its frame. */
export type Script = (task: string, times: number) => Deed | Promise<Deed>;

/** A worker of the test's own: it holds every plan it is told of. */
export class ScriptedWorker {
  readonly id: string;
  readonly done: string[] = [];
  readonly #house: House;
  readonly #deed: Script;
  readonly #plans: ReadonlyMap<string, Plan>;
  readonly #times = new Map<string, number>();
  readonly #pins: Status['pins'];
  #undo: (() => Promise<void>) | undefined;

  constructor(
    house: House,
    id: string,
    plans: ReadonlyMap<string, Plan>,
    deed: Script = () => 'right',
    pins?: Status['pins'],
  ) {
    this.id = id;
    this.#house = house;
    this.#plans = plans;
    this.#deed = deed;
    this.#pins = pins;
  }

  get #bus(): Bus {
    return this.#house.channels.data;
  }

  async start(): Promise<void> {
    const reader = new Assembler({ now: monotonicMs });
    this.#undo = await this.#bus.subscribe(`tilepipe/worker/${this.id}/in`, ({ topic, payload }) => {
      const message = reader.accept(topic, payload);
      if (message !== undefined) void this.#work(message);
    });
    await this.say('online');
  }

  /** Publishes its status: every plan it was given is ready. */
  async say(state: Status['state'], plans: Iterable<[string, Plan]> = this.#plans): Promise<void> {
    const ready = [...plans].map(([digest, { models }]) => [
      digest,
      { state: 'ready', models: models.map((model) => model.digest) },
    ]);
    const status = {
      role: 'worker',
      id: this.id,
      state,
      wire: [1],
      version: 'test',
      slots: 2,
      plans: Object.fromEntries(ready),
      ...(this.#pins ? { pins: this.#pins } : {}),
    };
    await this.#bus.publish(`tilepipe/status/worker/${this.id}`, Buffer.from(JSON.stringify(status)), {
      qos: 1,
      retain: true,
    });
  }

  async stop(): Promise<void> {
    await this.#undo?.();
    await this.say('offline');
  }

  async #work({ meta, tensors }: Message): Promise<void> {
    const plan = this.#plans.get(meta.plan ?? '');
    const task = plan?.tasks.find(({ id }) => id === meta.task);
    const [input] = tensors;
    if (task === undefined || input === undefined) return;
    const key = `${meta.frame}/${task.id}`;
    this.#times.set(key, (this.#times.get(key) ?? 0) + 1);
    const deed = await this.#deed(task.id, this.#times.get(key) as number);
    const { pipeline, frame, sequence, source, reply, merger, splitter } = meta;
    const answer = {
      pipeline,
      plan: meta.plan,
      frame,
      sequence,
      source,
      task: task.id,
      reply,
      merger,
      splitter,
      sender: this.id,
    } as Omit<MessageMeta, 'kind'>;
    if (deed === 'silent') return;
    if (deed === 'error' || deed === 'decline') {
      await this.#say(reply, {
        ...answer,
        kind: 'error',
        code: deed === 'error' ? 'task-failed' : 'no-worker',
        message: `task ${task.id}: as the test says`,
      });
      return;
    }
    this.done.push(task.id);
    const made = task.outputs[0] as { tensor: string; region: Region };
    const region = deed === 'wrong-shape' ? made.region.with(2, [0, 1]) : made.region;
    const shape = extents(region);
    const bytes = new Uint8Array(shape.reduce((a, b) => a * b, 4));
    if (deed === 'right')
      copyRegion(input.bytes, (task.inputs[0] as { region: Region }).region, bytes, region, region, 4);
    const tensor: TensorData = { name: made.tensor, dtype: 'int32', shape, bytes };
    await this.#say(merger, { ...answer, kind: 'data', regions: { [made.tensor]: region } }, [tensor]);
    if (merger !== reply) await this.#say(reply, { ...answer, kind: 'done' });
  }

  async #say(topic: string | undefined, meta: MessageMeta, tensors: TensorData[] = []): Promise<void> {
    for (const part of parts(encodeMessage({ meta, tensors }), 900_000))
      await this.#bus.publish(topic as string, part);
  }
}
