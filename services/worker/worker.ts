/** The worker: takes tasks, runs their sub-models, and sends what they made where the plan wants it. */

import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { parseAnnouncement } from '../core/control/documents.ts';
import { Inbox } from '../core/control/inbox.ts';
import { type AnnouncedPlan, PlanWatch } from '../core/control/plan-watch.ts';
import { sendMessage } from '../core/control/send.ts';
import type { Task } from '../core/flow/plan-index.ts';
import type { BlobCache } from '../core/runtime/blobs.ts';
import { monotonicMs } from '../core/runtime/clock.ts';
import { Counters } from '../core/runtime/counters.ts';
import { asTilepipeError, type ErrorCode, TilepipeError } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import type { Status } from '../core/schema/generated/status.ts';
import type { Received } from '../core/wire/assembler.ts';
import { BodyPool } from '../core/wire/body-pool.ts';
import { messagePieces } from '../core/wire/decode.ts';
import { type LaidMessage, layoutMessage } from '../core/wire/encode.ts';
import type { MessageMeta, Piece, TensorData } from '../core/wire/message.ts';
import { dataMessage, localPieces, outputPieces } from './deliver.ts';
import type { Executor } from './executor/executor.ts';
import { Gathering } from './gathering.ts';
import { PromptCollector } from './lean-memory.ts';
import { PlanSessions } from './plan-sessions.ts';
import { type Queued, RunQueue } from './run-queue.ts';
import { matchTensors } from './tensors.ts';

export interface Pin {
  readonly block: number;
  readonly tile?: number;
}

export interface WorkerDeps {
  readonly id: string;
  readonly control: Bus;
  readonly data: Bus;
  readonly topics: Topics;
  readonly log: Log;
  readonly executor: Executor;
  readonly blobs: BlobCache;
  /** The only blocks (and tiles) it runs; absent: any. */
  readonly pins?: readonly Pin[] | undefined;
  /** Tasks it takes at once from each dispatcher. */
  readonly slots: number;
  /** Stands for the host "broker" in the address of a model store. */
  readonly brokerHost?: string | undefined;
  /** Keeps little memory beside what it works on, at the price of some time; false by default. */
  readonly lean?: boolean | undefined;
  /** The status says something new. */
  readonly changed: () => void;
}

/** A task with everything it needs to run. */
interface Job extends Queued {
  readonly plan: AnnouncedPlan;
  readonly task: Task;
  readonly session: number;
  readonly inputs: readonly TensorData[];
  /** Of the message that made it ready. */
  readonly meta: MessageMeta;
  readonly receivedMs: number;
  /** Whether this worker gathered its inputs: then no dispatcher waits for an answer. */
  readonly gathered: boolean;
  /** Gives the memory of the inputs back once the executor has them. */
  readonly release?: () => void;
}

/** Milliseconds of this worker's monotonic clock. */
interface Stamps {
  readonly receivedMs: number;
  readonly startedMs: number;
  readonly endedMs: number;
}

/** Why a task is not taken. */
interface Refusal {
  readonly code: ErrorCode;
  readonly text: string;
}

const SWEEP_MS = 1_000;
/** Memory of sent messages kept for the next ones. */
const POOL_BYTES = { ample: 32 * 2 ** 20, lean: 2 ** 20 };

export class Worker {
  readonly #deps: WorkerDeps;
  readonly #inbox: Inbox;
  readonly #plans: PlanWatch;
  readonly #sessions: PlanSessions;
  readonly #queue: RunQueue<Job>;
  /** Inputs gathered here, by plan digest; plans without such tasks have none. */
  readonly #gatherings = new Map<string, Gathering>();
  readonly #counters = new Counters();
  readonly #pool: BodyPool;
  readonly #collector: PromptCollector | undefined;
  #draining = false;
  #sweep: NodeJS.Timeout | undefined;

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
    this.#pool = new BodyPool(deps.lean ? POOL_BYTES.lean : POOL_BYTES.ample);
    this.#collector = deps.lean ? new PromptCollector() : undefined;
    const { id, control, data, topics, log, executor, blobs, slots, changed } = deps;
    const topic = topics.build('inbox', { role: 'worker', id });
    this.#inbox = new Inbox({ data, topic, log, handle: (message) => this.#receive(message) });
    this.#sessions = new PlanSessions({
      executor,
      blobs,
      log,
      changed,
      now: monotonicMs,
      mayRun: (task) => this.#mayRun(task),
      storeOf: (plan) => this.#storeOf(plan),
    });
    this.#plans = new PlanWatch({
      control,
      topics,
      parse: parseAnnouncement,
      announced: (plan) => this.#sessions.announce(plan),
      withdrawn: (pipeline) => this.#forget(this.#sessions.withdraw(pipeline)),
      rejected: (about, reason) => log.warn({ topic: about }, `plan refused: ${reason}`),
    });
    this.#queue = new RunQueue<Job>({
      now: monotonicMs,
      slots,
      run: (job) => this.#run(job),
      failed: (job, error) => this.#failed(job, asTilepipeError(error)),
      expired: () => this.#counters.add('tasks.dropped.deadline'),
    });
  }

  async start(): Promise<void> {
    this.#collector?.start();
    await this.#inbox.start();
    await this.#plans.start();
    this.#sweep = setInterval(() => this.#tidy(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Takes no more tasks; resolves when those it has have been answered. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#queue.idle();
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweep);
    this.#draining = true;
    this.#queue.clear();
    await this.#plans.stop();
    await this.#inbox.stop();
    this.#sessions.stop();
  }

  ready(): boolean {
    return !this.#draining;
  }

  /** Why this is no moment to measure anything: tasks here, or messages since this was last asked. Cheap. */
  busy(): string | undefined {
    if (this.#inbox.heardMore() || this.#queue.busy) return 'frames flow';
    return this.#sessions.loading ? 'a plan is being loaded' : undefined;
  }

  /** The worker's part of its status. */
  details(): Partial<Status> {
    const { slots, pins, executor } = this.#deps;
    const gathered = new Counters();
    for (const gathering of this.#gatherings.values()) {
      for (const [name, count] of Object.entries(gathering.counters())) gathered.add(name, count);
    }
    return {
      slots,
      ...(pins === undefined ? {} : { pins: pins.map((pin) => ({ ...pin })) }),
      plans: this.#sessions.states(),
      executor: executor.describe(),
      platform: `${process.platform}-${process.arch}`,
      counters: {
        ...this.#counters.snapshot(),
        'tasks.waiting': this.#queue.length,
        'sessions.created': this.#sessions.created,
        ...gathered.snapshot(),
        ...this.#inbox.counters(),
      },
    };
  }

  #mayRun({ block, index, devices }: Task): boolean {
    const { pins, id } = this.#deps;
    if (devices !== undefined && !devices.includes(id)) return false;
    return pins === undefined || pins.some((pin) => pin.block === block && (pin.tile ?? index) === index);
  }

  #storeOf({ announcement: { store } }: AnnouncedPlan): string {
    const url = new URL(store);
    const { brokerHost } = this.#deps;
    if (url.hostname === 'broker' && brokerHost !== undefined) url.hostname = brokerHost;
    return url.href;
  }

  #receive(message: Received): void {
    const { kind } = message.meta;
    if (kind === 'task') this.#task(message);
    else if (kind === 'data') this.#data(message);
    else this.#counters.add(`refused.kind-${kind}`);
  }

  /** A task whose inputs a dispatcher has put together. */
  #task({ meta, tensors, release }: Received): void {
    this.#counters.add('tasks.received');
    const receivedMs = monotonicMs();
    if (!this.#deps.topics.isInbox(meta.reply) || meta.frame === undefined) {
      this.#counters.add('refused.incomplete');
      return;
    }
    const admitted = this.#admit(meta, tensors);
    if ('code' in admitted) {
      this.#refuse(meta, admitted.code, admitted.text);
      return;
    }
    const deadlineAt = receivedMs + (meta.deadlineMs ?? Number.POSITIVE_INFINITY);
    this.#enqueue({ ...admitted, meta, deadlineAt, receivedMs, gathered: false, release });
  }

  /** What a task message asks for, or why it is refused. */
  #admit(meta: MessageMeta, tensors: readonly TensorData[]): Pick<Job, 'plan' | 'task' | 'inputs'> | Refusal {
    if (this.#draining) return { code: 'no-worker', text: 'the worker is draining' };
    const plan = this.#sessions.plan(meta.plan ?? '');
    if (plan === undefined) return { code: 'no-worker', text: `plan ${meta.plan} is not served here` };
    const task = plan.index.tasks.get(meta.task ?? '');
    if (task?.kind !== 'run')
      return { code: 'wire-invalid', text: `the plan has no task ${meta.task} to run` };
    const inputs = matchTensors(plan.index, task.inputs, tensors, meta.regions);
    if (typeof inputs === 'string') return { code: 'wire-invalid', text: `task ${task.id}: ${inputs}` };
    return { plan, task, inputs };
  }

  /** Pieces for tasks whose inputs are gathered here. */
  #data(message: Received): void {
    if (message.meta.frame === undefined) this.#counters.add('refused.incomplete');
    else this.#gather(message.meta, messagePieces(message));
    message.release();
  }

  /** Also for what this worker made itself: its plan may be gone since the task began. */
  #gather(meta: MessageMeta, pieces: readonly Piece[]): void {
    const plan = this.#sessions.plan(meta.plan ?? '');
    if (plan === undefined) {
      this.#counters.add('refused.unknown-plan');
      return;
    }
    let gathering = this.#gatherings.get(plan.digest);
    if (gathering === undefined) {
      gathering = new Gathering(plan, this.#deps.id);
      this.#gatherings.set(plan.digest, gathering);
    }
    const receivedMs = monotonicMs();
    for (const ready of gathering.accept(meta, pieces, receivedMs)) {
      this.#enqueue({
        plan,
        ...ready,
        meta: { ...ready.meta, task: ready.task.id },
        receivedMs,
        gathered: true,
      });
    }
  }

  #enqueue(job: Omit<Job, 'session' | 'key' | 'from'>): void {
    const { plan, task, meta } = job;
    const session = this.#sessions.find(plan.digest, task.model ?? '')?.session;
    if (session === undefined) {
      this.#refuse(meta, 'no-worker', `the sub-model of task ${task.id} is not loaded here`);
      return;
    }
    const key = `${plan.digest} ${meta.frame} ${task.id}`;
    const outcome = this.#queue.push({ ...job, session, key, from: meta.reply ?? '' });
    if (outcome === 'replaced') this.#counters.add('tasks.repeated');
    if (outcome === 'full')
      this.#refuse(meta, 'no-worker', `${this.#queue.length} tasks are waiting here already`);
  }

  async #run(job: Job): Promise<void> {
    const { plan, task, session, inputs, receivedMs } = job;
    const bytesIn = bytesOf(inputs);
    const names = task.outputs.map(({ tensor }) => tensor);
    const result = await this.#deps.executor.run(session, inputs, names);
    const endedMs = monotonicMs();
    job.release?.();
    try {
      const outputs = matchTensors(plan.index, task.outputs, result.outputs);
      if (typeof outputs === 'string')
        throw new TilepipeError('task-failed', `it made other than its plan says: ${outputs}`);
      this.#counters.add('tasks.done');
      const stamps = { receivedMs, startedMs: endedMs - result.computeMs, endedMs };
      await this.#deliver(job, outputPieces(task, outputs), stamps);
    } finally {
      const bytesOut = bytesOf(result.outputs);
      result.release();
      this.#collector?.spent(bytesIn + bytesOut);
    }
  }

  #failed({ task, meta }: Job, { code, message }: TilepipeError): void {
    this.#refuse(meta, code, `task ${task.id}: ${message}`);
  }

  /** What other workers wait for goes first, this worker's own share last: then theirs is on its way meanwhile. */
  async #deliver(job: Job, outputs: readonly Piece[], stamps: Stamps): Promise<void> {
    const { plan, task, meta, deadlineAt } = job;
    const { id, topics } = this.#deps;
    const left = Number.isFinite(deadlineAt) ? { deadlineMs: Math.max(1, deadlineAt - monotonicMs()) } : {};
    const answer: MessageMeta = {
      ...passedOn(meta),
      kind: 'data',
      sender: id,
      task: task.id,
      ...toMicroseconds(stamps),
      ...left,
    };
    const local: Piece[][] = [];
    let told = job.gathered;
    for (const delivery of plan.index.deliveries(task.id, meta.sequence ?? 0)) {
      if (delivery.to === 'worker' && delivery.worker === id) {
        local.push(localPieces(delivery, outputs));
        continue;
      }
      const to =
        delivery.to === 'worker'
          ? topics.build('inbox', { role: 'worker', id: delivery.worker })
          : meta.merger;
      if (delivery.to === 'merger' && to === meta.reply) told = true;
      await this.#send(to, dataMessage(plan.index, delivery, outputs, answer, this.#pool));
    }
    for (const pieces of local) this.#gather(answer, pieces);
    if (!told) await this.#send(meta.reply, layoutMessage({ ...answer, kind: 'done' }, []));
  }

  /**
   * Answers go to inboxes only: a message cannot make a worker publish anywhere else.
   * One lost on the way is the dispatcher's to notice: its deadline sends the task again.
   */
  async #send(topic: string | undefined, message: LaidMessage): Promise<void> {
    if (!this.#deps.topics.isInbox(topic)) {
      this.#counters.add('unsent.no-address');
      return;
    }
    try {
      await sendMessage(this.#deps.data, topic, message);
      this.#counters.add(`sent.${message.meta.kind}`);
    } catch (error) {
      this.#counters.add(`unsent.${asTilepipeError(error).code}`);
    } finally {
      message.release();
    }
  }

  /** Never throws: the metadata of what was received is bounded, so that an answer to it always fits. */
  #refuse(meta: MessageMeta, code: ErrorCode, text: string): void {
    this.#counters.add(`tasks.refused.${code}`);
    this.#deps.log.warn({ frame: meta.frame, task: meta.task, from: meta.sender, code }, text);
    const error: MessageMeta = {
      ...passedOn(meta),
      kind: 'error',
      sender: this.#deps.id,
      code,
      message: text,
    };
    void this.#send(meta.reply, layoutMessage(error, []));
  }

  #tidy(): void {
    const now = monotonicMs();
    for (const gathering of this.#gatherings.values()) gathering.expire(now);
    this.#forget(this.#sessions.retireIdle());
  }

  /** What was gathered for plans that have gone. */
  #forget(digests: readonly string[]): void {
    for (const digest of digests) this.#gatherings.delete(digest);
  }
}

/** What an answer repeats of the message it answers: where it belongs. */
function passedOn(meta: MessageMeta): Omit<MessageMeta, 'kind'> {
  const { pipeline, plan, frame, sequence, source, task, reply, merger, splitter } = meta;
  const fields = { pipeline, plan, frame, sequence, source, task, reply, merger, splitter };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function bytesOf(tensors: readonly TensorData[]): number {
  return tensors.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
}

/** The wire takes nine decimals; more than three say nothing. */
function toMicroseconds({ receivedMs, startedMs, endedMs }: Stamps): Stamps {
  const round = (ms: number): number => Math.round(ms * 1000) / 1000;
  return { receivedMs: round(receivedMs), startedMs: round(startedMs), endedMs: round(endedMs) };
}
