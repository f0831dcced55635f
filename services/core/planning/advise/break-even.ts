/** The link speed from which spreading a model over several devices pays. */

import type { Fleet } from '../cost/fleet.ts';
import { MBIT } from '../units.ts';
import { slowestLink, withSlowestLink } from './changed-fleet.ts';

/** Link speeds tried, in bytes per millisecond: 10 kbit/s to 100 Gbit/s. */
export const SLOWEST_LINK = 0.01 * MBIT;
export const FASTEST_LINK = 100_000 * MBIT;

/** Speeds tried between those, both among them: what pays in between only, over less than a factor of 4, is not seen. */
const SPEEDS = 12;
/** Relative width of the interval at which the search ends. */
const PRECISION = 1.02;

/** Where one device stops being the best. All speeds are those of the slowest medium, the others in proportion. */
export type BreakEven =
  /** Below `bytesPerMs` one device is best; from there on several are. */
  | { readonly kind: 'link'; readonly bytesPerMs: number }
  /** What is best now is so `from` there `to` there, or without end where one is absent; beyond, the other is. */
  | { readonly kind: 'between'; readonly several: boolean; readonly from?: number; readonly to?: number }
  /** One device is best at any link speed. */
  | { readonly kind: 'never' }
  /** Several devices are best at any link speed. */
  | { readonly kind: 'always' }
  /** There is no link: everything is on the hub. */
  | { readonly kind: 'no-link' };

/** A link speed and whether several devices are best there. */
interface Seen {
  readonly speed: number;
  readonly several: boolean;
}

/**
 * Looks at some speeds of all media, which keep their proportions and latencies, and bisects where the answer changes
 * next to the present speed. Faster links need not make spreading pay for good: the best single device may be behind a
 * link itself. `several` says whether several devices are best on a fleet, and `now` whether they are on this one; it is
 * asked 12 times, and up to seven times on either side.
 */
export function breakEven(fleet: Fleet, now: boolean, several: (fleet: Fleet) => boolean): BreakEven {
  const present = slowestLink(fleet);
  if (!Number.isFinite(present)) return { kind: 'no-link' };
  const look = (speed: number): Seen => ({ speed, several: several(withSlowestLink(fleet, speed)) });
  const step = (FASTEST_LINK / SLOWEST_LINK) ** (1 / (SPEEDS - 1));
  const grid = Array.from({ length: SPEEDS }, (_, at) => look(SLOWEST_LINK * step ** at));
  const seen = [...grid, { speed: present, several: now }].sort((a, b) => a.speed - b.speed);
  const changes = seen.filter((one, at) => at > 0 && one.several !== seen[at - 1]?.several).length;
  if (changes === 0) return { kind: now ? 'always' : 'never' };
  const below = seen.findLast((one) => one.speed < present && one.several !== now);
  const above = seen.find((one) => one.speed > present && one.several !== now);
  const { from, to } = {
    from: below && bisected(below, nextOf(seen, below, 1), look).above,
    to: above && bisected(nextOf(seen, above, -1), above, look)[now ? 'below' : 'above'],
  };
  const only = from ?? to;
  // One change, and for the better as links get faster: the usual case.
  const usual = changes === 1 && seen.at(-1)?.several === true;
  if (usual && only !== undefined) return { kind: 'link', bytesPerMs: only };
  return {
    kind: 'between',
    several: now,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

function nextOf(seen: readonly Seen[], one: Seen, step: 1 | -1): Seen {
  return seen[seen.indexOf(one) + step] as Seen;
}

/** Two speeds with different answers, so near that it does not matter which of them is said. */
function bisected(
  lower: Seen,
  upper: Seen,
  look: (speed: number) => Seen,
): { readonly below: number; readonly above: number } {
  let [below, above] = [lower.speed, upper.speed];
  while (above / below > PRECISION) {
    // In the logarithm: the range is seven powers of ten.
    const middle = look(Math.sqrt(below * above));
    if (middle.several === lower.several) below = middle.speed;
    else above = middle.speed;
  }
  return { below, above };
}
