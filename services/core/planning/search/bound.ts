/** What hardly any tiling of a span can beat: so that few of them need to be estimated. */

import { type FleetView, fixedMs, type Leg, type Member, taskMs } from './fleet-view.ts';
import type { Overlap, PartCost, Span } from './span.ts';

/** Share of a span that tiles may leave out: rows that a stride or a crop never reads. */
export const LEFT_OUT = 0.1;

/** No part is computed twice: true of any tiling. */
export const DISJOINT: Overlap = { work: 1, inputs: 1 };

/**
 * About the least milliseconds of `parts` tiles on some devices: their work over all processors at once, what every task
 * takes whatever its size, and the hub sending one input after the other: on average a device waits for half of them, and
 * for as many of the outputs. No less than every message at the hub.
 */
export function bound(
  view: FleetView,
  { whole }: Span,
  members: readonly Member[],
  parts: number,
  overlap = DISJOINT,
): number {
  const { hub, media } = view.fleet;
  const link = hub.medium === undefined ? undefined : media.get(hub.medium);
  const byteMs = Math.max(hub.byteMs, link === undefined ? 0 : 1 / link.bytesPerMs);
  const bytes = whole.bytesIn * overlap.inputs + whole.bytesOut;
  const tasks = parts / members.length;
  // With more tiles than devices only the first of each is waited for.
  const waits = (0.5 * bytes * byteMs) / tasks;
  let [speed, fixed] = [0, 0];
  let own: { readonly fixed: number; readonly growing: number } | undefined;
  for (const member of members) {
    const each = loads(member, whole, overlap);
    each.fixed = each.fixed * tasks + 2 * hub.messageMs + latency(member.down) + latency(member.up);
    if (member.local) own = each;
    else {
      each.growing += (Math.max(0, slowest(member.down) - byteMs) * whole.bytesIn * overlap.inputs) / tasks;
      each.growing += (Math.max(0, slowest(member.up) - byteMs) * whole.bytesOut) / tasks;
      speed += 1 / each.growing;
      fixed += each.fixed / each.growing;
    }
  }
  // All of it far away, or so much that the hub's own processor is done with the rest as soon.
  const far = speed === 0 ? 0 : own === undefined ? 1 : shareFar(own, speed, fixed, waits);
  const away = speed === 0 ? 0 : (far + fixed) / speed + waits * far;
  const here = own === undefined ? 0 : own.fixed + (1 - far) * own.growing;
  return (1 - LEFT_OUT) * Math.max(away, here, 2 * parts * hub.messageMs);
}

/** The share of the work at which those far away are done when the one on the hub is. */
function shareFar(
  own: { readonly fixed: number; readonly growing: number },
  speed: number,
  fixed: number,
  waits: number,
): number {
  const share = (own.fixed + own.growing - fixed / speed) / (1 / speed + waits + own.growing);
  return Math.min(1, Math.max(0, share));
}

/** Milliseconds of a device for every task, and for all the work together. */
function loads(member: Member, whole: PartCost, overlap: Overlap): { fixed: number; growing: number } {
  const fixed = fixedMs(member, whole);
  const growing = taskMs(member, whole) - fixed;
  return { fixed, growing: Math.max(growing * Math.min(overlap.work, overlap.inputs), 1e-9) };
}

function latency(legs: readonly Leg[]): number {
  return legs.reduce((most, { latencyMs }) => Math.max(most, latencyMs), 0);
}

function slowest(legs: readonly Leg[]): number {
  return legs.reduce((most, { msPerByte }) => Math.max(most, msPerByte), 0);
}
