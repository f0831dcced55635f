/** Shares for unequal devices: so that the slowest has its result at the hub when the others have theirs. */

import type { Cover } from '../../tiling/types.ts';
import { type Arrangement, coverOf } from './covers.ts';
import { type FleetView, type Member, taskMs } from './fleet-view.ts';
import { type Assigned, schedule } from './schedule.ts';
import type { PartCost, Span } from './span.ts';
import { aloneMs } from './subsets.ts';

/** Rounds of correcting shares by the times they lead to. */
const ROUNDS = 4;
/** Shares stop moving where the first is within this of the last. */
const EVEN = 0.03;
/** What rounds hardly ever save more than, as a factor. */
const MOST_GAIN = 0.5;
/** No share below this: a device too slow for its row is left out by a smaller set. */
const LEAST = 1e-3;

export interface Balanced {
  readonly cover: Cover;
  /** About how long it takes. */
  readonly ms: number;
}

/** Shares in proportion to the speed at which devices run the whole span, in thousandths. */
export function speedShares(members: readonly Member[], cost: PartCost): number[] {
  return normal(members.map((member) => 1 / Math.max(taskMs(member, cost), 1e-9)));
}

function normal(shares: readonly number[]): number[] {
  const total = shares.reduce((sum, share) => sum + share, 0);
  // Rounded, so that equal tiles are found again in the space.
  return shares.map((share) => Math.max(LEAST, Math.round((share / total) * 1000) / 1000));
}

/**
 * One tile of an arrangement for each device, by estimates, in rounds as long as it may take less than `worthMs`; undefined where
 * it cannot be tiled so.
 */
export function balance(
  view: FleetView,
  span: Span,
  members: readonly Member[],
  arrangement: Arrangement,
  worthMs = Number.POSITIVE_INFINITY,
): Balanced | undefined {
  let shares = normal(members.map((member) => 1 / Math.max(aloneMs(view, member, span.whole), 1e-9)));
  let best: Balanced | undefined;
  const tried = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const key = shares.join(' ');
    if (tried.has(key)) break;
    tried.add(key);
    const cover = coverOf(arrangement, shares);
    const costs = span.estimate(cover);
    if (costs === undefined) break;
    const parts = costs.map((cost, at): Assigned => ({ cost, on: [(members[at] as Member).index] }));
    const { ms, gathered } = schedule(view, parts);
    if (best === undefined || ms < best.ms) best = { cover, ms };
    const first = Math.min(...gathered);
    if (first >= ms * (1 - EVEN) || ms * MOST_GAIN > worthMs) break;
    const mean = gathered.reduce((sum, at) => sum + at, 0) / gathered.length;
    shares = normal(shares.map((share, at) => share * (mean / (gathered[at] as number)) ** 0.8));
  }
  return best;
}
