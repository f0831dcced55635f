/**
 * Which devices share a block: for every number of them the best, with the hub's own device and without. Among devices
 * that compute and are reached alike any are as good as any others, so that this loses nothing; where equal ones hang on
 * several media with others, they are taken from each in turn, so that no medium carries more than its part. Among unequal ones the
 * fastest are taken, transfer included: where a block's time is its work divided by the summed speed plus what passes
 * through the hub, exchanging one for a faster one never makes it longer.
 */

import { type FleetView, gatherMs, legMs, type Member, sendMs, taskMs } from './fleet-view.ts';
import type { PartCost } from './span.ts';

/** Beyond these numbers of devices only some are tried. */
const COUNTS = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32, 48, 64];

/** Milliseconds of a device for a block in one piece, sending included. */
export function aloneMs(view: FleetView, member: Member, cost: PartCost): number {
  let ms = taskMs(member, cost) + sendMs(view, cost) + gatherMs(view, cost);
  for (const leg of member.down) ms += legMs(leg, cost.bytesIn);
  for (const leg of member.up) ms += legMs(leg, cost.bytesOut);
  return ms;
}

/** Members by how fast they are alone, the fastest first; equally fast ones on different media by turns. */
export function ranked(view: FleetView, members: readonly Member[], cost: PartCost): Member[] {
  const ms = new Map(members.map((member) => [member.index, aloneMs(view, member, cost)]));
  const counts = new Map<number, number>();
  const turns = new Map<number, number>();
  for (const { index, like } of members) {
    const turn = counts.get(like) ?? 0;
    counts.set(like, turn + 1);
    turns.set(index, turn);
  }
  const by = (of: ReadonlyMap<number, number>, a: Member, b: Member): number =>
    (of.get(a.index) as number) - (of.get(b.index) as number);
  return [...members].sort((a, b) => by(ms, a, b) || by(turns, a, b) || a.index - b.index);
}

/** Sets of `least` members and more; what shares the hub's processor comes last, so that the others are sent to first. */
export function subsetsOf(members: readonly Member[], least = 2): (readonly Member[])[] {
  const remote = members.filter(({ local }) => !local);
  const local = members.find((member) => member.local);
  const counts = new Set(COUNTS.filter((count) => count <= members.length));
  // All of them as well, whatever their number.
  counts.add(Math.min(members.length, COUNTS.at(-1) as number));
  const sets: (readonly Member[])[] = [];
  for (const count of [...counts].sort((a, b) => a - b)) {
    if (count < least) continue;
    if (count <= remote.length) sets.push(remote.slice(0, count));
    if (local !== undefined && count - 1 <= remote.length) sets.push([...remote.slice(0, count - 1), local]);
  }
  return sets;
}

/** Whether any of them may take any part: they compute and are reached alike, and none shares the hub's processor. */
export function isUniform(members: readonly Member[]): boolean {
  return members.every(({ kind, local }) => !local && kind === members[0]?.kind);
}
