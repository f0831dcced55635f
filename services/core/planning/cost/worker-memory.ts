/** What a worker process takes of a device's memory: measured beside what the graph says it holds. */

/** Weights and activations of what one device may be given. */
export interface Holding {
  /** Bytes, of each weight once. */
  readonly weights: number;
  /** Bytes at the peak of its largest task. */
  readonly activations: number;
  /** Sub-models it has loaded. */
  readonly subModels: number;
  /** Whether it is sent pictures. */
  readonly pictures?: boolean;
}

/** What comes on top. */
export interface WorkerOverhead {
  /** Bytes of a worker that runs at all: messages that wait, buffers, garbage not yet collected. */
  readonly runningBytes: number;
  /** Bytes for each byte of activations: more than 1 where an executor's memory has gaps. */
  readonly activations: number;
  /** Bytes of each sub-model beside its weights: graph, plan of execution, packed kernels. */
  readonly subModelBytes: number;
}

/**
 * Of workers with VGG-16 and ResNet-50, whole and in 2 x 2 tiles (13 sub-models), two tasks under way: private memory,
 * and each file of weights once, as a control group charges them. A worker that makes the optimised forms of its
 * sub-models holds more until it is started again.
 */
export const WORKER_OVERHEAD: WorkerOverhead = { runningBytes: 48e6, activations: 1, subModelBytes: 1e6 };

/**
 * Of a lean worker: ResNet-50 in stages on eight workers that held 17 to 30 MB of weights, two tasks under way on each,
 * took 12 to 24 MB beside weights and activations; by usual ones 35 to 77.
 */
export const LEAN_OVERHEAD: WorkerOverhead = { runningBytes: 22e6, activations: 1, subModelBytes: 1e6 };

/** Of the image library, once a worker has decoded its first picture: what its memory grew by. */
const PICTURE_BYTES = 25e6;

interface Worker {
  readonly idleBytes: number;
  readonly overhead?: WorkerOverhead;
}

/** Bytes of a worker that holds nothing but is at work; what is beyond is for what it holds. */
export function workingBytes({ idleBytes, overhead = WORKER_OVERHEAD }: Worker): number {
  return idleBytes + overhead.runningBytes;
}

/** Bytes of a worker that holds this. */
export function workerBytes(worker: Worker, holding: Holding): number {
  const { overhead = WORKER_OVERHEAD } = worker;
  const { weights, activations, subModels, pictures = false } = holding;
  const held = weights + overhead.activations * activations + overhead.subModelBytes * subModels;
  return workingBytes(worker) + held + (pictures ? PICTURE_BYTES : 0);
}
