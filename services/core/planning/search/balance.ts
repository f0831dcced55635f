/** Shares for unequal devices: so that the slowest has its result at the hub when the others have theirs. */

import type { Cover } from '../../tiling/types.ts';
import { type Arrangement, coverOf } from './covers.ts';
import { type FleetView, type Member, taskMs } from './fleet-view.ts';
import { type Assigned, schedule } from './schedule.ts';
import type { PartCost, Span } from './span.ts';
import { aloneMs } from './subsets.ts';

/** Shares stop moving where the first is within this of the last. */
const EVEN = 0.03;
/**
 * Rounds of correcting shares by the times they lead to: for each the factor which it and those after it hardly ever save
 * more than, as seen on maps of 16 to 64 rows and devices of all speeds.
 */
const MOST_GAIN = [0, 0.45, 0.7, 0.85] as const;
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
 * The tiles of an arrangement for some devices by turns, as many for each, by estimates, in rounds as long as it may take
 * less than `worthMs`; undefined where it cannot be tiled so.
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
  const tried: (readonly number[])[] = [];
  for (const gain of MOST_GAIN) {
    if (best !== undefined && best.ms * gain > worthMs) break;
    if (tried.some((before) => before.every((share, at) => share === shares[at]))) break;
    tried.push(shares);
    const cover = coverOf(arrangement, byTurns(shares, arrangement));
    const costs = span.estimate(cover);
    if (costs === undefined) break;
    const parts = costs.map((cost, at): Assigned => ({ cost, on: [inTurn(members, at).index] }));
    const { ms, gathered: all } = schedule(view, parts);
    const gathered = lastOf(all, members.length);
    if (best === undefined || ms < best.ms) best = { cover, ms };
    const first = Math.min(...gathered);
    if (first >= ms * (1 - EVEN)) break;
    const mean = gathered.reduce((sum, at) => sum + at, 0) / gathered.length;
    shares = normal(shares.map((share, at) => share * (mean / (gathered[at] as number)) ** 0.8));
  }
  return best;
}

/** Who has the tile at a position. */
export function inTurn(members: readonly Member[], at: number): Member {
  return members[at % members.length] as Member;
}

function byTurns(shares: readonly number[], arrangement: Arrangement): readonly number[] {
  const tiles = arrangement.reduce((sum, count) => sum + count, 0);
  if (tiles === shares.length) return shares;
  return Array.from({ length: tiles }, (_, at) => shares[at % shares.length] as number);
}

/** When each device's last tile is gathered. */
function lastOf(gathered: readonly number[], devices: number): readonly number[] {
  if (gathered.length === devices) return gathered;
  return Array.from({ length: devices }, (_, device) =>
    gathered.reduce((last, at, tile) => (tile % devices === device ? Math.max(last, at) : last), 0),
  );
}
