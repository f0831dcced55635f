/** Frames of one pipeline between the camera and the first tile: bounded, and every drop has a reason. */

import type { TensorData } from '../core/wire/message.ts';

/** A decoded frame, kept until its result is seen: a replay starts from here. */
export interface Frame {
  readonly id: string;
  readonly source: string;
  /** Running number at this splitter; replicas take turns by it. */
  readonly sequence: number;
  /** The graph's inputs. */
  readonly tensors: readonly TensorData[];
  /** How it was read (`Intake.reading`): it fits the plans that read frames the same way, and no others. */
  readonly reading: string;
  /** What the answer needs to know of the picture: its size, the letterbox. */
  readonly extra: object;
  /** Monotonic milliseconds when it arrived, and when it must be finished. */
  readonly arrivedAt: number;
  readonly deadlineAt: number;
}

export class FrameQueue {
  readonly #waiting: Frame[] = [];

  get length(): number {
    return this.#waiting.length;
  }

  /** Adds a frame; returns the oldest one where more than `limit` would wait. */
  push(frame: Frame, limit: number): Frame | undefined {
    this.#waiting.push(frame);
    return this.#waiting.length > limit ? this.#waiting.shift() : undefined;
  }

  /** The oldest frame that was read in none of these ways. */
  first(barred: ReadonlySet<string>): Frame | undefined {
    return this.#waiting.find(({ reading }) => !barred.has(reading));
  }

  remove(frame: Frame): void {
    const at = this.#waiting.indexOf(frame);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** Removes and returns the frames whose deadline has passed. */
  expired(now: number): Frame[] {
    const late = this.#waiting.filter((frame) => frame.deadlineAt <= now);
    for (const frame of late) this.remove(frame);
    return late;
  }

  /** Removes and returns all of them. */
  clear(): Frame[] {
    return this.#waiting.splice(0);
  }
}
