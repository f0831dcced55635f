/**
 * Memory of buffers given back at once. The collector sees a few bytes of JavaScript and not the megabytes behind
 * them: left to it, tensors of dozens of runs are in memory at the same time.
 */

import { MessageChannel } from 'node:worker_threads';

/** A closed port takes what is transferred to it, as the HTML standard says (9.5.4), and has nowhere to keep it. */
const { port1: nowhere } = new MessageChannel();
nowhere.close();

/** Frees memory now; every view of it is empty afterwards. What is freed already, or cannot be, is left alone. */
export function freeMemory(memory: Iterable<ArrayBuffer>): void {
  const whole = [...new Set(memory)].filter(({ byteLength }) => byteLength > 0);
  try {
    if (whole.length > 0) nowhere.postMessage(null, whole);
  } catch {
    // Node's shared slab of small buffers does not leave its thread.
  }
}
