/** Room for large messages in a small heap. */

import { setFlagsFromString } from 'node:v8';

/**
 * Lets V8's heap grow to three times what is alive before all of it is marked: for processes everything goes through.
 * By its usual rule, where 25 MB are alive, as few as 8 MB more begin the next full collection, and the memory of
 * buffers counts: the parts of one frame do that, and two thirds of the hub's processor then went into collecting
 * (8 to 10 ms per MB moved against 3). Buffers die young and are taken by the quick collections that come every
 * 32 MB, so that the process holds no more than before. Ten times is too much: old objects then stay as well.
 */
export function roomyHeap(): void {
  setFlagsFromString('--heap-growing-percent=200');
}
