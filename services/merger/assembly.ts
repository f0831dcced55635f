/** The frames under way on one plan: pieces in, `task` messages and finished frames out. */

import { attemptExtra } from '../core/control/attempt-of.ts';
import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import { describeMissing, type FrameRef, Gather, type InputBuffer } from '../core/flow/gather.ts';
import type { Task } from '../core/flow/plan-index.ts';
import { WAITING, Wants } from '../core/flow/wants.ts';
import type { DType } from '../core/graph/types.ts';
import { monotonicMs } from '../core/runtime/clock.ts';
import { named } from '../core/runtime/counters.ts';
import { tensorBytes } from '../core/tensor/dtype.ts';
import { contains, extents, whole } from '../core/tensor/region.ts';
import type { BodyPool } from '../core/wire/body-pool.ts';
import { messagePieces } from '../core/wire/decode.ts';
import { deflated } from '../core/wire/deflate.ts';
import { type LaidMessage, layoutMessage, type TensorSpec } from '../core/wire/encode.ts';
import type { Message, MessageMeta, TensorData } from '../core/wire/message.ts';
import { FrameRecord } from './frame-record.ts';

/** Where rectangles are copied to: the message of the task they are for, or, for the sink, memory of the frame's own. */
interface Collected extends InputBuffer {
  readonly message?: LaidMessage;
  readonly outputs?: ReadonlyMap<string, TensorData>;
}

export interface Accepted {
  /** Undefined where the message fits no frame under way. */
  readonly record?: FrameRecord;
  readonly ready: readonly { readonly task: Task; readonly message: LaidMessage }[];
  /** Whether the frame's outputs are complete. */
  readonly finished: boolean;
}

export interface AssemblyOptions {
  /** The merger's id and inbox topic, which go into its messages. */
  readonly sender: string;
  readonly inbox: string;
  /** Memory for messages. */
  readonly pool: BodyPool;
  /** Most frames under way. */
  readonly maxFrames: () => number;
  /** Hears of frames given up to make room, and of what they still waited for. */
  readonly evicted: (record: FrameRecord, missing: string) => void;
}

const NOTHING: Accepted = { ready: [], finished: false };

export class Assembly {
  readonly plan: AnnouncedPlan;
  /** When the plan was last in force or something came for it, in monotonic milliseconds. */
  lastUsed = monotonicMs();
  readonly #options: AssemblyOptions;
  readonly #gather: Gather<Collected>;
  readonly #records = new Map<string, FrameRecord>();
  /** What workers send of their own accord, which no dispatcher misses; undefined where they do not. */
  readonly #wants: Wants | undefined;

  constructor(plan: AnnouncedPlan, options: AssemblyOptions) {
    this.plan = plan;
    this.#options = options;
    this.#wants = plan.index.gatherers.size === 0 ? undefined : new Wants(plan.index, undefined, WAITING);
    this.#gather = new Gather<Collected>({
      index: plan.index,
      tasks: plan.index.mergerGathers(),
      allocate: (frame, task) => this.#allocate(frame, task),
      maxFrames: options.maxFrames,
      onEvict: ({ id }, missing) => {
        const record = this.#records.get(id);
        this.#records.delete(id);
        this.#wants?.drop(id);
        if (record !== undefined) this.#options.evicted(record, describeMissing(missing));
      },
    });
  }

  /** Frames under way. */
  get frames(): number {
    return this.#records.size;
  }

  /** The splitter has started a frame. One that was under way begins anew: everything of it will come again. */
  open(frame: string, meta: MessageMeta, now: number): void {
    this.drop(frame);
    this.#records.set(frame, new FrameRecord(frame, meta, now));
    this.#gather.open({ id: frame, sequence: meta.sequence ?? 0 });
  }

  /** Whether a frame is under way, and at this attempt as far as its `open` has come. */
  isAt(frame: string, attempt: number): boolean {
    const record = this.#records.get(frame);
    return record !== undefined && (record.attempt ?? attempt) === attempt;
  }

  /** Whether a task's message brings the merger everything its plan says; the splitter's own always does. */
  isWhole({ meta, tensors }: Message): boolean {
    const { index } = this.plan;
    const task = meta.task ?? '';
    if (index.tasks.get(task)?.kind !== 'run') return true;
    for (const { to, pieces } of index.deliveries(task, meta.sequence ?? 0)) {
      if (to !== 'merger') continue;
      for (const { tensor: name, region } of pieces) {
        const known = index.plan.tensors[name];
        const tensor = tensors.find((candidate) => candidate.name === name);
        if (tensor === undefined || tensor.dtype !== known?.dtype) return false;
        if (!contains(meta.regions?.[name] ?? whole(tensor.shape), region)) return false;
      }
    }
    return true;
  }

  /** Data that one task made, or the splitter's own of the frame. */
  accept(frame: string, message: Message, tensorBytesIn: number, now: number): Accepted {
    const { meta } = message;
    const ref = { id: frame, sequence: meta.sequence ?? 0 };
    const pieces = messagePieces(message);
    if (this.#gather.hasEnded(frame)) {
      this.#gather.accept(ref, meta.task ?? '', pieces);
      return NOTHING;
    }
    const known = this.#records.get(frame);
    const record = known ?? new FrameRecord(frame, meta, now);
    this.#records.set(frame, record);
    const ready: { task: Task; message: LaidMessage }[] = [];
    let finished = false;
    const complete = this.#gather.accept(ref, meta.task ?? '', pieces);
    this.#watch(record, meta, complete, now);
    for (const { task, inputs } of complete) {
      if (inputs.message === undefined) {
        for (const [name, tensor] of inputs.outputs ?? []) record.outputs.set(name, tensor);
        finished = true;
      } else {
        if (task.block !== undefined) record.taskReady(task.block, now);
        const { index } = this.plan;
        const packed = index.packedInputs(task.id);
        const outgoing = deflated(inputs.message, this.#specs(task), packed, this.#options.pool);
        record.bytes += outgoing.body.byteLength;
        ready.push({ task, message: outgoing });
      }
    }
    // Refused data begins no frame: strangers could fill the memory with them.
    if (known === undefined && !finished && !this.#gather.has(frame)) {
      this.#records.delete(frame);
      return NOTHING;
    }
    record.bytes += tensorBytesIn;
    record.taskArrived(this.plan.index, meta, now);
    return { record, ready, finished };
  }

  /** Lets go of a frame; returns what was known of it. */
  drop(frame: string): FrameRecord | undefined {
    const record = this.#records.get(frame);
    this.#records.delete(frame);
    this.#gather.drop(frame);
    this.#wants?.drop(frame);
    return record;
  }

  /** Notes what a frame still waits for of what workers send of their own accord. */
  #watch(
    { id, deadlineAt }: FrameRecord,
    meta: MessageMeta,
    complete: readonly { task: Task }[],
    now: number,
  ): void {
    if (this.#wants === undefined) return;
    const { index } = this.plan;
    const missing = this.#gather
      .missing(id)
      .filter(({ transfers }) => transfers.every(({ from }) => index.dispatchOf(from) === 'worker'));
    this.#wants.came(id, meta, { missing, ready: complete.map(({ task }) => task.id) }, now, deadlineAt);
  }

  /** Frames that wait for what some worker should have sent long ago, with the holes. */
  lost(now: number): { frame: string; missing: string }[] {
    const wants = this.#wants?.overdue(now, (frame) => this.#gather.missing(frame)) ?? [];
    return wants
      .filter(({ lost }) => lost)
      .map(({ meta: { frame = '' } }) => ({ frame, missing: describeMissing(this.#gather.missing(frame)) }));
  }

  /** Frames whose deadline has passed, let go, with the holes that kept them from finishing. */
  expired(now: number): { record: FrameRecord; missing: string }[] {
    const late = [...this.#records.values()].filter((record) => record.deadlineAt <= now);
    return late.map((record) => {
      const missing = describeMissing(this.#gather.missing(record.id));
      this.drop(record.id);
      return { record, missing };
    });
  }

  /** Lets go of every frame; returns their ids. */
  clear(): string[] {
    const ids = [...this.#records.keys()];
    for (const id of ids) this.drop(id);
    return ids;
  }

  counters(): Record<string, number> {
    const { rejected, ...counts } = this.#gather.counters();
    return named('gather', counts, rejected);
  }

  #allocate(frame: FrameRef, task: Task): Collected {
    const specs = this.#specs(task);
    if (task.kind === 'sink') {
      const outputs = new Map(
        specs.map((spec) => [
          spec.name,
          { ...spec, bytes: new Uint8Array(tensorBytes(spec.dtype, spec.shape)) },
        ]),
      );
      return { outputs, write: (tensor) => (outputs.get(tensor) as TensorData).bytes };
    }
    const message = layoutMessage(this.#meta(frame, task), specs, this.#options.pool);
    return { message, write: (tensor) => message.bytes(tensor) };
  }

  #specs(task: Task): TensorSpec[] {
    return task.inputs.map(({ tensor, region }) => ({
      name: tensor,
      dtype: (this.plan.index.plan.tensors[tensor] as { dtype: DType }).dtype,
      shape: extents(region),
    }));
  }

  #meta(frame: FrameRef, task: Task): MessageMeta {
    const record = this.#records.get(frame.id);
    return {
      kind: 'task',
      sender: this.#options.sender,
      pipeline: this.plan.pipeline,
      plan: this.plan.digest,
      frame: frame.id,
      sequence: frame.sequence,
      task: task.id,
      reply: this.#options.inbox,
      merger: this.#options.inbox,
      deadlineMs: Math.max(1, (record?.deadlineAt ?? 0) - monotonicMs()),
      ...(record?.splitter === undefined ? {} : { splitter: record.splitter }),
      ...(record?.source === undefined ? {} : { source: record.source }),
      ...attemptExtra(record?.attempt),
    };
  }
}
