/** The worker: takes tasks, runs their sub-models, and sends what they made where the plan wants it. */

import { asReached } from '../core/bus/broker-host.ts';
import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { attemptOf } from '../core/control/attempt-of.ts';
import { parseAnnouncement } from '../core/control/documents.ts';
import { Inbox } from '../core/control/inbox.ts';
import { expectPictures } from '../core/control/picture-codec.ts';
import { type AnnouncedPlan, PlanWatch } from '../core/control/plan-watch.ts';
import type { Task } from '../core/flow/plan-index.ts';
import type { BlobCache } from '../core/runtime/blobs.ts';
import { monotonicMs } from '../core/runtime/clock.ts';
import { Counters } from '../core/runtime/counters.ts';
import { asTilepipeError, type ErrorCode, TilepipeError } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import type { Status } from '../core/schema/generated/status.ts';
import type { Received } from '../core/wire/assembler.ts';
import { BodyPool } from '../core/wire/body-pool.ts';
import { CODEC_NAMES, isPictureCodec } from '../core/wire/codecs.ts';
import { messagePieces } from '../core/wire/decode.ts';
import type { MessageMeta, Piece, TensorData } from '../core/wire/message.ts';
import { outputPieces } from './deliver.ts';
import type { Executor } from './executor/executor.ts';
import { Gatherings } from './gatherings.ts';
import { PromptCollector } from './lean-memory.ts';
import type { Neighbours } from './neighbours.ts';
import { Outbox } from './outbox.ts';
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
  /** The worker's own broker, where its inbox is as well. */
  readonly door?: Bus | undefined;
  /** Ways to the own brokers of other workers. */
  readonly neighbours?: Neighbours | undefined;
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

/** Why a task is not taken. */
interface Refusal {
  readonly code: ErrorCode;
  readonly text: string;
}

const SWEEP_MS = 1_000;
/** Strips that are overdue are asked for again. */
const LOOK_MS = 100;
/** Memory of sent messages kept for the next ones, and of strips in case they are lost. */
const MOST_BYTES = {
  ample: { pool: 32 * 2 ** 20, kept: 8 * 2 ** 20 },
  lean: { pool: 2 ** 20, kept: 2 ** 20 },
};

export class Worker {
  readonly #deps: WorkerDeps;
  readonly #inboxes: readonly Inbox[];
  readonly #plans: PlanWatch;
  readonly #sessions: PlanSessions;
  readonly #queue: RunQueue<Job>;
  readonly #gatherings: Gatherings;
  readonly #counters = new Counters();
  readonly #outbox: Outbox;
  readonly #collector: PromptCollector | undefined;
  #draining = false;
  #sweep: NodeJS.Timeout | undefined;
  #look: NodeJS.Timeout | undefined;

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
    const { id, control, data, topics, log, executor, blobs, slots, changed, lean } = deps;
    this.#collector = lean ? new PromptCollector() : undefined;
    this.#gatherings = new Gatherings(id);
    const topic = topics.build('inbox', { role: 'worker', id });
    this.#inboxes = [data, ...(deps.door === undefined ? [] : [deps.door])].map(
      (bus) =>
        new Inbox({ data: bus, topic, log, pictures: !lean, handle: (message) => this.#receive(message) }),
    );
    const bytes = lean ? MOST_BYTES.lean : MOST_BYTES.ample;
    const pool = new BodyPool(bytes.pool);
    this.#outbox = new Outbox({
      id,
      control,
      data,
      topics,
      log,
      counters: this.#counters,
      pool,
      keptBytes: bytes.kept,
      neighbours: deps.neighbours,
    });
    this.#sessions = new PlanSessions({
      executor,
      blobs,
      log,
      changed,
      now: monotonicMs,
      mayRun: (task) => this.#mayRun(task),
      storeOf: ({ announcement }) => asReached(announcement.store, deps.brokerHost),
    });
    this.#plans = new PlanWatch({
      control,
      topics,
      parse: parseAnnouncement,
      announced: (plan) => this.#announced(plan),
      withdrawn: (pipeline) => this.#gatherings.forget(this.#sessions.withdraw(pipeline)),
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
    for (const inbox of this.#inboxes) await inbox.start();
    await this.#plans.start();
    this.#sweep = setInterval(() => this.#tidy(), SWEEP_MS);
    this.#sweep.unref();
    this.#look = setInterval(() => this.#askAgain(), LOOK_MS);
    this.#look.unref();
  }

  /** Takes no more tasks; resolves when those it has have been answered. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#queue.idle();
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweep);
    clearInterval(this.#look);
    this.#draining = true;
    this.#queue.clear();
    await this.#plans.stop();
    for (const inbox of this.#inboxes) await inbox.stop();
    this.#sessions.stop();
  }

  ready(): boolean {
    return !this.#draining;
  }

  /** What says why this is no moment to measure anything: tasks here, or messages since now. Cheap to ask. */
  watch(): () => string | undefined {
    const heard = (): number => this.#inboxes.reduce((sum, inbox) => sum + inbox.heard, 0);
    const before = heard();
    return () => {
      if (heard() > before || this.#queue.busy) return 'frames flow';
      return this.#sessions.loading ? 'a plan is being loaded' : undefined;
    };
  }

  /** The worker's part of its status. */
  details(): Partial<Status> {
    const { slots, pins, executor, lean } = this.#deps;
    const received = new Counters();
    for (const inbox of this.#inboxes)
      for (const [name, count] of Object.entries(inbox.counters())) received.add(name, count);
    return {
      slots,
      ...(pins === undefined ? {} : { pins: pins.map((pin) => ({ ...pin })) }),
      plans: this.#sessions.states(),
      codecs: CODEC_NAMES.filter((codec) => !lean || !isPictureCodec(codec)),
      keepsStrips: true,
      executor: executor.describe(),
      platform: `${process.platform}-${process.arch}`,
      counters: {
        ...this.#counters.snapshot(),
        'tasks.waiting': this.#queue.length,
        'sessions.created': this.#sessions.created,
        ...this.#outbox.keptCounters(),
        ...this.#gatherings.counters(),
        ...received.snapshot(),
      },
    };
  }

  #announced(plan: AnnouncedPlan): void {
    const { plan: document, tasks } = plan.index;
    const pictures = document.transfers.filter(({ codec }) => isPictureCodec(codec));
    if (pictures.some(({ to }) => this.#mayRun(tasks.get(to) as Task))) expectPictures();
    this.#sessions.announce(plan);
  }

  #mayRun({ block, index, devices }: Task): boolean {
    const { pins, id } = this.#deps;
    if (devices !== undefined && !devices.includes(id)) return false;
    return pins === undefined || pins.some((pin) => pin.block === block && (pin.tile ?? index) === index);
  }

  #receive(message: Received): void {
    const { kind } = message.meta;
    if (kind === 'task') this.#task(message);
    else if (kind === 'data') this.#data(message);
    else if (kind === 'want') this.#outbox.sendAgain(message.meta);
    else if (kind === 'close') this.#abandon(message.meta);
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
      this.#outbox.refuse(meta, admitted.code, admitted.text);
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
    const receivedMs = monotonicMs();
    for (const ready of this.#gatherings.of(plan).accept(meta, pieces, receivedMs)) {
      this.#enqueue({
        plan,
        ...ready,
        meta: { ...ready.meta, task: ready.task.id },
        receivedMs,
        gathered: true,
      });
    }
  }

  /** The splitter has given an attempt at a frame up. */
  #abandon(meta: MessageMeta): void {
    const { plan: digest = '', frame = '' } = meta;
    const plan = this.#sessions.plan(digest);
    if (plan === undefined) return;
    this.#gatherings.of(plan).abandon(meta);
    this.#outbox.forget(meta);
    const attempt = attemptOf(meta);
    const given = (job: Job): boolean =>
      job.plan.digest === digest && job.meta.frame === frame && attemptOf(job.meta) <= attempt;
    for (const job of this.#queue.drop(given)) {
      this.#counters.add('tasks.dropped.abandoned');
      job.release?.();
    }
  }

  #enqueue(job: Omit<Job, 'session' | 'key' | 'from'>): void {
    const { plan, task, meta } = job;
    const session = this.#sessions.find(plan.digest, task.model ?? '')?.session;
    if (session === undefined) {
      this.#outbox.refuse(meta, 'no-worker', `the sub-model of task ${task.id} is not loaded here`);
      return;
    }
    // Where strips travel, what an earlier attempt makes is nothing to this one.
    const attempt = plan.index.gatherers.size > 0 ? attemptOf(meta) : 1;
    const key = `${plan.digest} ${meta.frame} ${task.id} ${attempt}`;
    const outcome = this.#queue.push({ ...job, session, key, from: meta.reply ?? '' });
    if (outcome === 'replaced') this.#counters.add('tasks.repeated');
    if (outcome === 'full')
      this.#outbox.refuse(meta, 'no-worker', `${this.#queue.length} tasks are waiting here already`);
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
      await this.#outbox.deliver(job, outputPieces(task, outputs), stamps, (answer, pieces) =>
        this.#gather(answer, pieces),
      );
    } finally {
      const bytesOut = bytesOf(result.outputs);
      result.release();
      this.#collector?.spent(bytesIn + bytesOut);
    }
  }

  #failed({ task, meta }: Job, { code, message }: TilepipeError): void {
    this.#outbox.refuse(meta, code, `task ${task.id}: ${message}`);
  }

  #askAgain(): void {
    for (const want of this.#gatherings.overdue(monotonicMs())) {
      this.#counters.add(want.lost ? 'strips.lost' : 'strips.wanted');
      this.#outbox.ask(want);
    }
  }

  #tidy(): void {
    this.#gatherings.expire(monotonicMs());
    this.#deps.neighbours?.tidy();
    this.#gatherings.forget(this.#sessions.retireIdle());
  }
}

function bytesOf(tensors: readonly TensorData[]): number {
  return tensors.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
}
