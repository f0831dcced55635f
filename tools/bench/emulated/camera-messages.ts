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

/** The pipeline is gone. */
export interface CameraClosing {
  readonly op: 'close';
  readonly pipeline: string;
}

export type CameraRequest = CameraOpening | CameraLoop | CameraClosing;

/** One frame's end. */
export interface CameraFrame {
  /** Milliseconds since the loop began. */
  readonly endedAt: number;
  readonly roundTripMs: number;
}

export interface CameraAnswer {
  /** In the order they ended. */
  readonly ended: readonly CameraFrame[];
  /** What went wrong with the first frame that failed. */
  readonly error?: string;
}
