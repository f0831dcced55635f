/** Inputs this worker collects by itself: strips of its neighbours, without a merger in between. */

import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import { type FrameRef, Gather, type InputBuffer } from '../core/flow/gather.ts';
import type { Task } from '../core/flow/plan-index.ts';
import { tensorBytes } from '../core/tensor/dtype.ts';
import type { MessageMeta, Piece, TensorData } from '../core/wire/message.ts';
import { specOf } from './tensors.ts';
import { type Want, Wants } from './wants.ts';

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

export class Gathering {
  readonly plan: AnnouncedPlan;
  readonly #gather: Gather<Inputs>;
  /** When each frame under way is given up, in monotonic milliseconds. */
  readonly #deadlines = new Map<string, number>();
  readonly #wants: Wants;
  #expired = 0;

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

  /** Pieces that the task `meta.task` made for the frame `meta.frame`; `now` in monotonic milliseconds. */
  accept(meta: MessageMeta, pieces: readonly Piece[], now: number): GatheredTask[] {
    const frame: FrameRef = { id: meta.frame ?? '', sequence: meta.sequence ?? 0 };
    // A frame that ended here and comes again is a replay: the same work gives the same result.
    if (this.#gather.hasEnded(frame.id)) this.#gather.open(frame);
    const deadlineAt = now + (meta.deadlineMs ?? this.plan.announcement.frames.deadlineMs);
    const ready = this.#gather.accept(frame, meta.task ?? '', pieces);
    const tasks = ready.map(({ task }) => task.id);
    this.#wants.came(frame.id, meta, this.#gather.missing(frame.id), tasks, now);
    if (this.#gather.has(frame.id)) this.#deadlines.set(frame.id, deadlineAt);
    else this.#ended(frame.id);
    return ready.map(({ task, inputs }) => ({ task, inputs: inputs.tensors, meta, deadlineAt }));
  }

  /** Strips that others have to send again. */
  overdue(now: number): Want[] {
    return this.#wants.overdue(now, (frame) => this.#gather.missing(frame));
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
    const { rejected, ...counts } = this.#gather.counters();
    const refusals = Object.entries(rejected).map(([reason, count]) => [`gather.rejected.${reason}`, count]);
    const named = Object.entries({ ...counts, expired: this.#expired }).map(([name, count]) => [
      `gather.${name}`,
      count,
    ]);
    return { ...Object.fromEntries(named), ...Object.fromEntries(refusals) };
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
