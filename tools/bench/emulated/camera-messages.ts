/** What a bench and a camera's process say to each other. */

import type { TensorData } from '../../../services/core/wire/message.ts';

/** Opens a pipeline's camera; all of a process share its connections. */
export interface CameraOpening {
  readonly op: 'open';
  readonly broker: string;
  readonly pipeline: string;
  /** One frame, sent again and again. */
  readonly inputs: readonly TensorData[];
}

/** A closed loop: whenever a frame is answered, the next is sent. */
export interface CameraLoop {
  readonly op: 'loop';
  readonly pipeline: string;
  readonly frames: number;
  readonly inFlight: number;
  readonly limitMs: number;
}

/** A frame that comes when its time has come. */
export interface Arrival {
  readonly pipeline: string;
  /** Milliseconds after the first could have come. */
  readonly at: number;
}

/** Frames of several cameras by the clock, in the order they come, whether those before were answered or not. */
export interface CameraClock {
  readonly op: 'clocked';
  readonly arrivals: readonly Arrival[];
  /** Frames that end later do not count. */
  readonly limitMs: number;
}

/** The pipeline is gone. */
export interface CameraClosing {
  readonly op: 'close';
  readonly pipeline: string;
}

export type CameraRequest = CameraOpening | CameraLoop | CameraClock | CameraClosing;

/** One frame's end. */
export interface CameraFrame {
  /** Milliseconds since the loop, or the clock, began. */
  readonly endedAt: number;
  readonly roundTripMs: number;
  /** From its start at the splitter to its result: without the camera's own sending and receiving. */
  readonly totalMs: number;
  /** What workers took for the slowest task of each block, summed. */
  readonly slowestMs: number;
  /** By the clock: position of the frame in the order they came. */
  readonly arrival?: number;
}

export interface CameraAnswer {
  /** In the order they ended. */
  readonly ended: readonly CameraFrame[];
  /** What went wrong with the first frame that failed. */
  readonly error?: string;
}
