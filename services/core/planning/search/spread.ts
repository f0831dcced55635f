/**
 * Every device holds the model but for its heaviest layers, whose channels are shared out: frames go by turns, and
 * each needs one device of every share. What lets devices too small for the model be as busy as if they were not.
 */

import type { FleetView, Member } from './fleet-view.ts';
import { fits, holdingsOf, together } from './memory-of.ts';
import type { SearchSpace } from './space.ts';
import type { Span } from './span.ts';
import { type Step, wholeStep } from './step.ts';

/** Plans with more and more of the heaviest layers in few shards with which they fit, and in an even number. */
export function spreadPlans(
  space: SearchSpace,
  view: FleetView,
  members: readonly Member[],
): (readonly Step[])[] {
  const heavy = heavyLayers(space);
  const plans: (readonly Step[])[] = [];
  for (let layers = 1; layers <= heavy.length; layers++) {
    const sharded = heavy.slice(0, layers).sort((a, b) => a.from - b.from);
    for (let shards = 2; shards <= members.length; shards++) {
      const steps = spread(space, members, sharded, shards);
      if (steps === undefined || !fits(view, together(steps.map(holdingsOf)))) continue;
      plans.push(steps);
      // Of more shards only as many as give every device an equal number of them.
      if (members.length % shards === 0) break;
    }
  }
  return plans;
}

/** Spans that can be shared out by channels and do not overlap, those with most weights first. */
function heavyLayers(space: SearchSpace): Span[] {
  const found: Span[] = [];
  for (let from = 0; from < space.end; from++) {
    const span = space.span(from, from + 1);
    if (span !== undefined && span.mostShards > 1 && !span.tileable) found.push(span);
  }
  return found.sort((a, b) => b.whole.weightBytes - a.whole.weightBytes || a.from - b.from).slice(0, 12);
}

function spread(
  space: SearchSpace,
  members: readonly Member[],
  sharded: readonly Span[],
  shards: number,
): readonly Step[] | undefined {
  const all = members.map(({ index }) => index);
  const steps: Step[] = [];
  let at = 0;
  const between = (to: number): boolean => {
    if (at === to) return true;
    const span = space.span(at, to);
    if (span !== undefined) steps.push(wholeStep(span, all));
    return span !== undefined;
  };
  for (const span of sharded) {
    const shares = new Array<number>(shards).fill(1);
    const costs = span.shards(shares);
    if (costs === undefined || !between(span.from)) return undefined;
    // Devices take shards by turns, so that each is on as many.
    const parts = costs.map((cost, shard) => ({
      cost,
      on: all.filter((_, rank) => rank % shards === shard),
    }));
    steps.push({ span, mode: 'shard', parts, shares });
    at = span.to;
  }
  return between(space.end) ? steps : undefined;
}
