/** Message ids: a random high half per process, a counter below, so that no sender repeats one. */

import { randomInt } from 'node:crypto';

const high = BigInt(randomInt(2 ** 32)) << 32n;
let counter = 0;

/** An id no other message of this process has; other processes collide with a chance of 2^-32. */
export function nextMessageId(): bigint {
  counter = (counter + 1) >>> 0;
  return high | BigInt(counter);
}
