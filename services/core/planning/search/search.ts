/** The search for a plan: the best of every strategy on a fleet, compared by one objective. */

import { TilepipeError } from '../../runtime/errors.ts';
import type { Fleet } from '../cost/fleet.ts';
import type { Draft, Strategy } from '../draft.ts';
import { type FleetView, viewOf } from './fleet-view.ts';
import { bytesOn } from './memory-of.ts';
import { type Candidate, draftFrom } from './predict.ts';
import type { SearchSpace } from './space.ts';
import { everythingOf, type Objective, planOf, STRATEGIES, scoreOf } from './strategies.ts';

export { openSpace, type SearchSpace } from './space.ts';
export type { Objective } from './strategies.ts';

export interface SearchOptions {
  readonly objective: Objective;
  /** Frames under way at once; absent: one for latency, as many as keep the busiest resource busy for throughput. */
  readonly inFlight?: number;
  /** Strategies to consider; absent: all. */
  readonly strategies?: readonly Strategy[];
}

export interface SearchResult {
  readonly best: Draft;
  /** The best plan of each strategy that fits, the best of them first. */
  readonly alternatives: readonly Draft[];
}

/**
 * Finds the best plan of a model on a fleet, within every device's memory. Equal arguments give equal answers.
 * Throws `plan-impossible` where nothing fits, and `config-invalid` where the fleet names a medium it does not have.
 */
export function search(space: SearchSpace, fleet: Fleet, options: SearchOptions): SearchResult {
  const { objective, inFlight } = options;
  const view = viewOf(fleet);
  const wanted = options.strategies ?? STRATEGIES;
  const found: Candidate[] = [];
  for (const strategy of STRATEGIES) {
    if (!wanted.includes(strategy)) continue;
    const candidate = planOf(strategy, { space, view, objective, inFlight });
    if (candidate !== undefined) found.push(candidate);
  }
  // Times within a rounding error count as equal, and the sort keeps the simplest of those first.
  found.sort((a, b) => {
    const [first, second] = [scoreOf(a, objective), scoreOf(b, objective)];
    return Math.abs(first - second) <= 1e-9 * first ? 0 : first - second;
  });
  const alternatives = found.map((candidate) => draftFrom(space, view, candidate));
  const [best] = alternatives;
  if (best === undefined) throw impossible(space, view, wanted);
  return { best, alternatives };
}

const MEGABYTE = 1e6;

function impossible(space: SearchSpace, view: FleetView, wanted: readonly Strategy[]): TilepipeError {
  const whole = everythingOf(space)?.whole;
  const lacks = view.members.flatMap((member) => {
    const needs = bytesOn(member, {
      weights: whole?.weightBytes ?? 0,
      activations: whole?.activationBytes ?? 0,
    });
    const missing = Math.ceil((needs - member.device.memoryBytes) / MEGABYTE);
    return missing > 0 ? [`${member.device.id} lacks ${missing} MB for the whole model`] : [];
  });
  const reason = `of ${wanted.join(', ')} none is possible on ${view.members.length} devices`;
  const why = lacks.length === 0 ? reason : `${reason}: ${lacks.join(', ')}`;
  return new TilepipeError('plan-impossible', `${why}.`);
}
