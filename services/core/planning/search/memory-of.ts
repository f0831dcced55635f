/** What a plan needs of every device's memory. */

import { type Holding, workerBytes } from '../cost/worker-memory.ts';
import type { FleetView, Member } from './fleet-view.ts';
import type { Step } from './step.ts';

export type { Holding } from '../cost/worker-memory.ts';

const NOTHING: Holding = { weights: 0, activations: 0, subModels: 0 };
/** Pad patterns that tiles of a block have at the most, but for odd ones: corners, sides, middle. */
const MOST_PATTERNS = 9;

/** What a block adds to each device that may run a part of it: weights once for all tiles, each shard its own. */
export function holdingsOf({ mode, parts }: Pick<Step, 'mode' | 'parts'>): Map<number, Holding> {
  const held = new Map<number, Holding>();
  for (const { cost, on } of parts) {
    for (const index of on) {
      const before = held.get(index) ?? NOTHING;
      const weights =
        mode === 'shard' ? before.weights + cost.weightBytes : Math.max(before.weights, cost.weightBytes);
      held.set(index, {
        weights,
        activations: Math.max(before.activations, cost.activationBytes),
        subModels: Math.min(before.subModels + 1, mode === 'tile' ? MOST_PATTERNS : parts.length),
      });
    }
  }
  return held;
}

/** Holdings of several blocks together: weights add up, activations come and go. */
export function together(all: Iterable<ReadonlyMap<number, Holding>>): Map<number, Holding> {
  const total = new Map<number, Holding>();
  for (const held of all) {
    for (const [index, { weights, activations, subModels }] of held) {
      const before = total.get(index) ?? NOTHING;
      total.set(index, {
        weights: before.weights + weights,
        activations: Math.max(before.activations, activations),
        subModels: before.subModels + subModels,
      });
    }
  }
  return total;
}

/** Bytes of a worker that holds this. */
export function bytesOn({ device }: Member, holding: Holding): number {
  return workerBytes(device, holding);
}

/** Whether every device can hold what it may be given. */
export function fits(view: FleetView, holdings: ReadonlyMap<number, Holding>): boolean {
  for (const [index, holding] of holdings) {
    const member = view.members[index] as Member;
    if (bytesOn(member, holding) > member.device.memoryBytes) return false;
  }
  return true;
}
