/** Inputs this worker collects by itself: strips of its neighbours, without a merger in between. */

import { attemptOf } from '../core/control/attempt-of.ts';
import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import { type FrameRef, Gather, type InputBuffer } from '../core/flow/gather.ts';
import type { Task } from '../core/flow/plan-index.ts';
import { type Want, Wants } from '../core/flow/wants.ts';
import { named } from '../core/runtime/counters.ts';
import { tensorBytes } from '../core/tensor/dtype.ts';
import type { MessageMeta, Piece, TensorData } from '../core/wire/message.ts';
import { specOf } from './tensors.ts';

/** Frames whose attempts are remembered. */
const REMEMBERED = 1024;

interface Inputs extends InputBuffer {
  readonly tensors: readonly TensorData[];
}

/** A task whose inputs have all arrived; `meta` is that of the message that brought the last. */
export interface GatheredTask {
  readonly task: Task;
  readonly inputs: readonly TensorData[];
  readonly meta: MessageMeta;
  readonly deadlineAt: number;
}

/** The attempt at a frame that is under way here, or was the last. */
interface Attempt {
  readonly number: number;
  /** Whether the splitter has said that it is over. */
  readonly abandoned: boolean;
}

export class Gathering {
  readonly plan: AnnouncedPlan;
  readonly #gather: Gather<Inputs>;
  /** When each frame under way is given up, in monotonic milliseconds. */
  readonly #deadlines = new Map<string, number>();
  readonly #wants: Wants;
  /** Of frames lately met, the oldest first. */
  readonly #attempts = new Map<string, Attempt>();
  #expired = 0;
  #stale = 0;
  #abandoned = 0;

  constructor(plan: AnnouncedPlan, worker: string) {
    this.plan = plan;
    this.#wants = new Wants(plan.index, worker);
    this.#gather = new Gather<Inputs>({
      index: plan.index,
      tasks: plan.index.workerGathers(worker),
      allocate: (_, task) => this.#allocate(task),
      maxFrames: () => Math.max(64, 2 * plan.announcement.frames.maxInFlight),
      onEvict: ({ id }) => this.#ended(id),
    });
  }

  /**
   * Pieces that the task `meta.task` made for the frame `meta.frame`; `now` in monotonic milliseconds. Those of an attempt
   * before the newest are left alone: whoever waits for a frame waits for its last attempt.
   */
  accept(meta: MessageMeta, pieces: readonly Piece[], now: number): GatheredTask[] {
    const frame: FrameRef = { id: meta.frame ?? '', sequence: meta.sequence ?? 0 };
    if (!this.#isCurrent(frame, attemptOf(meta))) {
      this.#stale += pieces.length;
      return [];
    }
    const deadlineAt = now + (meta.deadlineMs ?? this.plan.announcement.frames.deadlineMs);
    const ready = this.#gather.accept(frame, meta.task ?? '', pieces);
    const tasks = ready.map(({ task }) => task.id);
    const state = { missing: this.#gather.missing(frame.id), ready: tasks };
    this.#wants.came(frame.id, meta, state, now, this.#deadlines.get(frame.id) ?? deadlineAt);
    if (this.#gather.has(frame.id)) this.#deadlines.set(frame.id, deadlineAt);
    else this.#ended(frame.id);
    return ready.map(({ task, inputs }) => ({ task, inputs: inputs.tensors, meta, deadlineAt }));
  }

  /** Strips that others have to send again. */
  overdue(now: number): Want[] {
    return this.#wants.overdue(now, (frame) => this.#gather.missing(frame));
  }

  /** Whether an attempt is the newest known of its frame; a newer one than known begins it anew. */
  #isCurrent(frame: FrameRef, attempt: number): boolean {
    const known = this.#attempts.get(frame.id);
    if (known !== undefined && attempt <= known.number) return attempt === known.number && !known.abandoned;
    this.#note(frame.id, { number: attempt, abandoned: false });
    if (known !== undefined) {
      this.#gather.drop(frame.id);
      this.#ended(frame.id);
      this.#gather.open(frame);
    }
    return true;
  }

  #note(frame: string, attempt: Attempt): void {
    this.#attempts.delete(frame);
    this.#attempts.set(frame, attempt);
    if (this.#attempts.size > REMEMBERED) this.#attempts.delete(this.#attempts.keys().next().value as string);
  }

  /** The splitter has given an attempt up: what has come of it is let go, and what comes is stale. */
  abandon(meta: MessageMeta): void {
    const id = meta.frame ?? '';
    const number = attemptOf(meta);
    if ((this.#attempts.get(id)?.number ?? 0) > number) return;
    this.#note(id, { number, abandoned: true });
    if (!this.#gather.has(id)) return;
    this.#gather.drop(id);
    this.#ended(id);
    this.#abandoned++;
  }

  /** Frames some of whose inputs are here. */
  get frames(): number {
    return this.#gather.frames.length;
  }

  #ended(frame: string): void {
    this.#deadlines.delete(frame);
    this.#wants.drop(frame);
  }

  /** Gives up frames past their deadline. */
  expire(now: number): void {
    for (const [frame, deadlineAt] of this.#deadlines) {
      if (deadlineAt > now) continue;
      this.#gather.drop(frame);
      this.#ended(frame);
      this.#expired++;
    }
  }

  counters(): Record<string, number> {
    const own = { expired: this.#expired, stale: this.#stale, abandoned: this.#abandoned };
    const { rejected, ...counts } = this.#gather.counters();
    return named('gather', { ...counts, ...own }, rejected);
  }

  #allocate(task: Task): Inputs {
    const tensors = task.inputs.map((piece) => {
      const spec = specOf(this.plan.index, piece);
      // Memory of its own, so that the executor can have it without a copy.
      return { ...spec, bytes: Buffer.allocUnsafeSlow(tensorBytes(spec.dtype, spec.shape)) };
    });
    return { tensors, write: (name) => (tensors.find((tensor) => tensor.name === name) as TensorData).bytes };
  }
}
