/** How much garbage a service lets V8 keep. */

import { setFlagsFromString } from 'node:v8';

/** Where there is less, every megabyte of garbage counts. */
const AMPLE_BYTES = 512e6;

/**
 * For processes with a small heap through which large buffers pass: by its usual rule V8 marks the whole heap for
 * every ten megabytes or so, once a frame, and that took a third of a hub's processor. `memoryBytes`: what the
 * process may use; with little the usual rule stays.
 */
export function roomyHeap(memoryBytes: number = allowed()): void {
  if (memoryBytes >= AMPLE_BYTES) setFlagsFromString('--heap-growing-percent=1000');
}

/** The limit of the control group; none counts as ample. */
function allowed(): number {
  return process.constrainedMemory() || Number.POSITIVE_INFINITY;
}
