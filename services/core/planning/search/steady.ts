/**
 * What a stream of frames asks of every resource, and how often a frame can start: the busiest resource decides. Work
 * that is bound late is shared out as evenly as processors and links allow.
 */

import { type FleetView, gatherMs, HUB, type Leg, legMs, type Member, sendMs, taskMs } from './fleet-view.ts';
import { type Assigned, placeMs } from './schedule.ts';

export interface Steady {
  /** Milliseconds between frames, at the least. */
  readonly periodMs: number;
  /** Resource that decides. */
  readonly bottleneck: number;
}

/** A part, and the dispatcher that hands it out: 0 the splitter, 1 the merger. */
interface Task extends Assigned {
  readonly from: 0 | 1;
}

/** Parts that the same devices may run, as many equal ones. */
interface Pool {
  readonly members: readonly Member[];
  readonly count: number;
  /** Milliseconds of one part, for each device: its processor, and its media. */
  readonly uses: readonly (readonly { readonly resource: number; readonly ms: number }[])[];
}

/**
 * Loads of a frame's parts, whatever the blocks they belong to. The splitter hands out the first `firsts`, those of the
 * first block, and the merger the others: each counts its own places.
 */
export function steady(view: FleetView, parts: readonly Assigned[], firsts = parts.length): Steady {
  const fixed = new Float64Array(view.resources.length);
  const late = new Map<string, Task[]>();
  for (const [at, { cost, on }] of parts.entries()) {
    const task: Task = { cost, on, from: at < firsts ? 0 : 1 };
    add(fixed, HUB, sendMs(view, cost) + gatherMs(view, cost));
    if (on.length === 1)
      forTask(view, view.members[on[0] as number] as Member, task, (resource, ms) =>
        add(fixed, resource, ms),
      );
    else {
      const key = on.join(' ');
      const group = late.get(key);
      if (group === undefined) late.set(key, [task]);
      else group.push(task);
    }
  }
  const pools = [...late.values()].map((group) => poolOf(view, group));
  // Those with the fewest devices to choose from choose first.
  pools.sort((a, b) => a.members.length - b.members.length);
  let low = fixed.reduce((most, ms) => Math.max(most, ms), 0);
  if (pools.length === 0 || fill(fixed, pools, low) !== undefined) return outcome(view, fixed, pools, low);
  let high = Math.max(low, 1e-6);
  while (fill(fixed, pools, high) === undefined) high *= 2;
  for (let round = 0; round < 40 && high - low > 1e-9 * high; round++) {
    const middle = (low + high) / 2;
    if (fill(fixed, pools, middle) === undefined) low = middle;
    else high = middle;
  }
  return outcome(view, fixed, pools, high);
}

function outcome(view: FleetView, fixed: Float64Array, pools: readonly Pool[], periodMs: number): Steady {
  const loads = (fill(fixed, pools, periodMs) ?? fixed).subarray(0, view.firstPlace);
  // Full processors of devices are what late binding strives for: the hub or a medium as full decides first.
  const processors = new Set(pools.flatMap(({ members }) => members.map(({ processor }) => processor)));
  let bottleneck = 0;
  let most = -1;
  for (const [resource, load] of loads.entries()) {
    const shown = processors.has(resource) && resource !== HUB ? load * (1 - 1e-6) : load;
    if (shown > most) [bottleneck, most] = [resource, shown];
  }
  return { periodMs, bottleneck };
}

function poolOf(view: FleetView, group: readonly Task[]): Pool {
  const members = (group[0] as Task).on.map((index) => view.members[index] as Member);
  // What shares the hub's processor takes what the others leave.
  members.sort((a, b) => Number(a.local) - Number(b.local) || a.index - b.index);
  const uses = members.map((member) => {
    const load = new Map<number, number>();
    for (const part of group)
      forTask(view, member, part, (resource, ms) => load.set(resource, (load.get(resource) ?? 0) + ms));
    return [...load].map(([resource, ms]) => ({ resource, ms: ms / group.length }));
  });
  return { members, count: group.length, uses };
}

/** Shares the pools out within a period; returns the loads, or undefined where they do not fit. */
function fill(fixed: Float64Array, pools: readonly Pool[], periodMs: number): Float64Array | undefined {
  const loads = fixed.slice();
  for (const { count, uses } of pools) {
    let left = count;
    for (const own of uses) {
      let most = left;
      for (const { resource, ms } of own) {
        if (ms > 0) most = Math.min(most, Math.max(0, periodMs - (loads[resource] as number)) / ms);
      }
      for (const { resource, ms } of own) add(loads, resource, ms * most);
      left -= most;
      if (left <= 1e-9 * count) break;
    }
    if (left > 1e-9 * count) return undefined;
  }
  return loads;
}

function forTask(
  view: FleetView,
  member: Member,
  { cost, from }: Task,
  use: (resource: number, ms: number) => void,
): void {
  use(member.places[from], placeMs(view, member, cost));
  use(member.processor, taskMs(member, cost) + (member.device.afterMs ?? 0));
  const along = (legs: readonly Leg[], bytes: number): void => {
    for (const leg of legs) use(leg.resource, legMs(leg, bytes));
  };
  along(member.down, cost.bytesIn);
  along(member.up, cost.bytesOut);
}

function add(loads: Float64Array, resource: number, ms: number): void {
  loads[resource] = (loads[resource] as number) + ms;
}
