/** One handler on several filters, as one subscription: for services limited to some pipelines. */

import type { Bus, Handler, SubscribeOptions } from '../bus/bus.ts';

/** Subscribes each different filter; the returned function undoes them all. Rejects with `broker-refused`, nothing left. */
export async function subscribeAll(
  bus: Bus,
  filters: readonly string[],
  handler: Handler,
  options: SubscribeOptions,
): Promise<() => Promise<void>> {
  const undo: (() => Promise<void>)[] = [];
  const undoAll = async () => {
    for (const each of undo.splice(0)) await each();
  };
  try {
    for (const filter of new Set(filters)) undo.push(await bus.subscribe(filter, handler, options));
  } catch (error) {
    await undoAll();
    throw error;
  }
  return undoAll;
}
