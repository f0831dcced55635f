/** The link speed from which spreading a model over several devices pays. */

import type { Fleet } from '../cost/fleet.ts';
import { slowestLink, withSlowestLink } from './changed-fleet.ts';
import { MBIT } from './units.ts';

/** Link speeds tried, in bytes per millisecond: 10 kbit/s to 100 Gbit/s. */
export const SLOWEST_LINK = 0.01 * MBIT;
export const FASTEST_LINK = 100_000 * MBIT;

/** Relative width of the interval at which the search ends. */
const PRECISION = 1.02;

/** Where one device stops being the best. */
export type BreakEven =
  /** Below `bytesPerMs` of the slowest medium, the others in proportion, one device is best; above it is not. */
  | { readonly kind: 'link'; readonly bytesPerMs: number }
  /** One device is best at any link speed. */
  | { readonly kind: 'never' }
  /** Several devices are best at any link speed. */
  | { readonly kind: 'always' }
  /** There is no link: everything is on the hub. */
  | { readonly kind: 'no-link' };

/**
 * Bisection over the speed of all media, which keep their proportions and latencies. `spreads` says whether several
 * devices are best on a fleet; it is called at most 15 times.
 */
export function breakEven(fleet: Fleet, spreads: (fleet: Fleet) => boolean): BreakEven {
  if (!Number.isFinite(slowestLink(fleet))) return { kind: 'no-link' };
  const at = (bytesPerMs: number): boolean => spreads(withSlowestLink(fleet, bytesPerMs));
  if (!at(FASTEST_LINK)) return { kind: 'never' };
  if (at(SLOWEST_LINK)) return { kind: 'always' };
  let below = SLOWEST_LINK;
  let above = FASTEST_LINK;
  while (above / below > PRECISION) {
    // In the logarithm: the range is seven powers of ten.
    const middle = Math.sqrt(below * above);
    if (at(middle)) above = middle;
    else below = middle;
  }
  return { kind: 'link', bytesPerMs: above };
}
