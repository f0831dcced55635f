/** What a plan needs of every device's memory. */

import type { FleetView, Member } from './fleet-view.ts';
import type { Step } from './step.ts';

/** Weights and activations of what one device may be given. */
export interface Holding {
  readonly weights: number;
  readonly activations: number;
}

/** What a block adds to each device that may run a part of it: weights once for all tiles, each shard its own. */
export function holdingsOf({ mode, parts }: Pick<Step, 'mode' | 'parts'>): Map<number, Holding> {
  const held = new Map<number, Holding>();
  for (const { cost, on } of parts) {
    for (const index of on) {
      const before = held.get(index) ?? { weights: 0, activations: 0 };
      const weights =
        mode === 'shard' ? before.weights + cost.weightBytes : Math.max(before.weights, cost.weightBytes);
      held.set(index, { weights, activations: Math.max(before.activations, cost.activationBytes) });
    }
  }
  return held;
}

/** Holdings of several blocks together: weights add up, activations come and go. */
export function together(all: Iterable<ReadonlyMap<number, Holding>>): Map<number, Holding> {
  const total = new Map<number, Holding>();
  for (const held of all) {
    for (const [index, { weights, activations }] of held) {
      const before = total.get(index) ?? { weights: 0, activations: 0 };
      total.set(index, {
        weights: before.weights + weights,
        activations: Math.max(before.activations, activations),
      });
    }
  }
  return total;
}

/** Bytes of a worker that holds this. */
export function bytesOn({ device }: Member, { weights, activations }: Holding): number {
  return device.idleBytes + weights + activations;
}

/** Whether every device can hold what it may be given. */
export function fits(view: FleetView, holdings: ReadonlyMap<number, Holding>): boolean {
  for (const [index, holding] of holdings) {
    const member = view.members[index] as Member;
    if (bytesOn(member, holding) > member.device.memoryBytes) return false;
  }
  return true;
}
