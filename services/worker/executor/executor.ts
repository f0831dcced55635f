/** The seam between a worker and what runs a sub-model; ONNX Runtime on the CPU is the first executor. */

import type { TensorData } from '../../core/wire/message.ts';

export interface RunResult {
  readonly outputs: readonly TensorData[];
  /** Time inside the executor, in milliseconds of the monotonic clock. */
  readonly computeMs: number;
  /** Frees the outputs at once: no view of them may be used again. Nobody has to; the collector takes them, later. */
  release(): void;
}

export interface Executor {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Loads a sub-model file (weights beside it); returns a handle. Rejects with `model-refused`. */
  load(path: string): Promise<number>;
  unload(session: number): Promise<void>;
  /**
   * Runs off the event loop. Input bytes may be transferred: the caller gives them up.
   * `outputs` limits what is computed; absent: all. Rejects with `task-failed`.
   */
  run(session: number, inputs: readonly TensorData[], outputs?: readonly string[]): Promise<RunResult>;
  /** What and where, for status and cache keys: name, version, threads. */
  describe(): string;
}
