/** The search for a plan: the best of every strategy on a fleet, compared by one objective. */

import { TilepipeError } from '../../runtime/errors.ts';
import type { Fleet } from '../cost/fleet.ts';
import type { Draft, Strategy } from '../draft.ts';
import { isTakenAsItComes, withStreamRate } from '../simulate/stream-rate.ts';
import { type FleetView, viewOf } from './fleet-view.ts';
import { keptFormsFor } from './kept-form.ts';
import { bytesOn } from './memory-of.ts';
import { type Candidate, draftFrom } from './predict.ts';
import type { SearchSpace } from './space.ts';
import { everythingOf, type Objective, planOf, STRATEGIES, scoreOf } from './strategies.ts';
import { CutFacts, formsFor, type WireOptions } from './wire-form.ts';

export { openSpace, type SearchSpace } from './space.ts';
export type { Objective } from './strategies.ts';
export type { WireOptions } from './wire-form.ts';

/** Share of a frame's time that several devices must save: less is within the error of any prediction. */
export const LEAST_GAIN = 0.03;

/** The same of devices that keep their tiles: every strip is one more thing that may come late. */
export const LEAST_KEPT_GAIN = 0.06;

export interface SearchOptions {
  readonly objective: Objective;
  /** Frames under way at once; absent: one for latency, as many as keep the busiest resource busy for throughput. */
  readonly inFlight?: number;
  /** How cut tensors may travel; absent: as they are, or deflated. */
  readonly wire?: WireOptions;
  /** Strategies to consider; absent: all. */
  readonly strategies?: readonly Strategy[];
}

export interface SearchResult {
  readonly best: Draft;
  /** The best plan of each strategy that fits, the best of them first, or one device that is hardly slower. */
  readonly alternatives: readonly Draft[];
}

/**
 * Finds the best plan of a model on a fleet, within every device's memory. Equal arguments give equal answers.
 * Throws `plan-impossible` where nothing fits, and `config-invalid` where the fleet names a medium it does not have.
 */
export function search(space: SearchSpace, fleet: Fleet, options: SearchOptions): SearchResult {
  const { objective, inFlight } = options;
  const view = viewOf(fleet);
  const facts = new CutFacts(space.graph, options.wire);
  const forms = formsFor(view, facts, options.wire ?? {});
  const keptForms = keptFormsFor(view, facts, options.wire ?? {});
  const wanted = options.strategies ?? STRATEGIES;
  const found: Candidate[] = [];
  for (const strategy of STRATEGIES) {
    if (!wanted.includes(strategy)) continue;
    const candidate = planOf(strategy, { space, view, objective, inFlight, facts, forms, keptForms });
    if (candidate !== undefined) found.push(candidate);
  }
  // Of plans that are taken as they come sums of loads promise too much, and the more the fewer frames are under way.
  const streamed = (draft: Draft): Draft => {
    if (objective === 'latency' || draft.strategy === 'one-device') return draft;
    const free = inFlight === undefined;
    return free && !isTakenAsItComes(draft, fleet) ? draft : withStreamRate(draft, fleet, free);
  };
  // Times within a rounding error count as equal, and the sort keeps the simplest of those first.
  const single = found.find(({ strategy }) => strategy === 'one-device');
  const singleMs = single === undefined ? Number.POSITIVE_INFINITY : scoreOf(single, objective);
  const rank = (plan: Pick<Draft, 'strategy' | 'predicted'>): number => {
    const score = scoreOf(plan, objective);
    if (objective !== 'latency') return score;
    if (plan.strategy === 'one-device') return score * (1 - LEAST_GAIN);
    // A gain too small to be sure of is none.
    const unsure = plan.strategy === 'halo' && score > singleMs * (1 - LEAST_KEPT_GAIN);
    return unsure && single !== undefined ? Math.max(score, singleMs) : score;
  };
  const alternatives = found.map((candidate) => streamed(draftFrom(space, view, candidate)));
  alternatives.sort((a, b) => {
    const [first, second] = [rank(a), rank(b)];
    return Math.abs(first - second) <= 1e-9 * first ? 0 : first - second;
  });
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
      subModels: 1,
    });
    const missing = Math.ceil((needs - member.device.memoryBytes) / MEGABYTE);
    return missing > 0 ? [`${member.device.id} lacks ${missing} MB for the whole model`] : [];
  });
  const reason = `of ${wanted.join(', ')} none is possible on ${view.members.length} devices`;
  const why = lacks.length === 0 ? reason : `${reason}: ${lacks.join(', ')}`;
  return new TilepipeError('plan-impossible', `${why}.`);
}
