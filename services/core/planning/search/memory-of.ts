/** What a plan needs of every device's memory. */

import { type Holding, workerBytes } from '../cost/worker-memory.ts';
import type { FleetView, Member } from './fleet-view.ts';
import type { PartCost } from './span.ts';
import type { Step } from './step.ts';

export type { Holding } from '../cost/worker-memory.ts';

const NOTHING: Holding = { weights: 0, activations: 0, subModels: 0 };

type Held = Pick<Step, 'mode' | 'parts' | 'cover' | 'reuse'>;

/** Worked out once for steps that plans have in common. */
const known = new WeakMap<Held, ReadonlyMap<number, Holding>>();

/** What a block adds to each device that may run a part of it: weights once for all tiles, each shard its own. */
export function holdingsOf(step: Held): ReadonlyMap<number, Holding> {
  const before = known.get(step);
  if (before !== undefined) return before;
  const held = heldBy(step);
  known.set(step, held);
  return held;
}

function heldBy(step: Held): Map<number, Holding> {
  const { mode, parts } = step;
  const held = new Map<number, Holding>();
  const patterns = patternsOf(step);
  const seen = new Set<string>();
  for (const [part, { cost, on }] of parts.entries()) {
    for (const index of on) {
      const key = `${index} ${patterns?.[part] ?? part}`;
      const more = seen.has(key) ? 0 : 1;
      seen.add(key);
      const before = held.get(index) ?? NOTHING;
      const weights =
        mode === 'shard' || mode === 'partial'
          ? before.weights + cost.weightBytes
          : Math.max(before.weights, cost.weightBytes);
      held.set(index, {
        weights,
        activations: Math.max(before.activations, cost.activationBytes),
        subModels: before.subModels + more,
        pictures: before.pictures === true || cost.pictures === true,
      });
    }
  }
  return held;
}

/**
 * Equal texts for tiles that share a sub-model: corners, sides and middle, of which those that take strips from others
 * have their own. Where maps are so small that halos reach over several tiles there are more.
 */
function patternsOf({ cover, reuse = false }: Pick<Step, 'cover' | 'reuse'>): string[] | undefined {
  return cover?.bands.flatMap(({ columns }, band) => {
    const row = place(band, cover.bands.length);
    return columns.map((_, at) => `${row} ${place(at, columns.length)} ${reuse ? band % 2 : 0}`);
  });
}

function place(at: number, count: number): string {
  return `${at === 0 ? 'first' : ''}${at === count - 1 ? 'last' : ''}`;
}

/** Holdings of several blocks together: weights add up, activations come and go. */
export function together(all: Iterable<ReadonlyMap<number, Holding>>): Map<number, Holding> {
  const total = new Map<number, Holding>();
  for (const held of all) {
    for (const [index, { weights, activations, subModels, pictures = false }] of held) {
      const before = total.get(index) ?? NOTHING;
      total.set(index, {
        weights: before.weights + weights,
        activations: Math.max(before.activations, activations),
        subModels: before.subModels + subModels,
        pictures: before.pictures === true || pictures,
      });
    }
  }
  return total;
}

/** Bytes of a worker that holds this. */
export function bytesOn({ device }: Member, holding: Holding): number {
  return workerBytes(device, holding);
}

/** Whether a device can hold a part that is all it is given. */
export function fitsOn(member: Member, { weightBytes, activationBytes }: PartCost): boolean {
  const holding = { weights: weightBytes, activations: activationBytes, subModels: 1 };
  return bytesOn(member, holding) <= member.device.memoryBytes;
}

/** Whether every device can hold what a block may give it. */
export function fitsStep(view: FleetView, step: Step): boolean {
  const { mode, parts } = step;
  let [weights, activations] = [0, 0];
  for (const { cost } of parts) {
    weights = mode === 'shard' ? weights + cost.weightBytes : Math.max(weights, cost.weightBytes);
    activations = Math.max(activations, cost.activationBytes);
  }
  const most = { weights, activations, subModels: parts.length };
  // Mostly there is room for every part on every device, and nothing to be told apart.
  const roomy = view.members.every((member) => bytesOn(member, most) <= member.device.memoryBytes);
  return roomy || fits(view, holdingsOf(step));
}

/** Whether every device can hold what it may be given. */
export function fits(view: FleetView, holdings: ReadonlyMap<number, Holding>): boolean {
  for (const [index, holding] of holdings) {
    const member = view.members[index] as Member;
    if (bytesOn(member, holding) > member.device.memoryBytes) return false;
  }
  return true;
}
