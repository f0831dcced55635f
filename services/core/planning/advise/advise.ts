/** Whether spreading a model over a fleet pays, how, from which link speed on, and what other fleets would give. */

import type { Fleet } from '../cost/fleet.ts';
import type { Draft } from '../draft.ts';
import { type SearchResult, type SearchSpace, search } from '../search/search.ts';
import { simulate } from '../simulate/simulate.ts';
import { type Alternative, alternativesOf, found, streamRate, type Wanted } from './alternatives.ts';
import { devicesOf } from './block-rows.ts';
import { type BreakEven, breakEven, FASTEST_LINK } from './break-even.ts';
import { changedFleet, slowestLink, withSlowestLink } from './changed-fleet.ts';
import { type LatencyParts, latencyParts } from './latency-parts.ts';
import { steadyStream } from './steady-stream.ts';
import { rateText } from './units.ts';
import type { WhatIf } from './what-if.ts';
import { bottleneckText, breakEvenText, verdictText } from './words.ts';

export interface AdviseInput extends Wanted {
  readonly space: SearchSpace;
  readonly fleet: Fleet;
  readonly whatIfs?: readonly WhatIf[];
}

export interface Advice {
  readonly fleet: Fleet;
  readonly wanted: Wanted;
  readonly chosen: Draft;
  /** The chosen plan first, then by the objective; those that do not fit last. */
  readonly alternatives: readonly Alternative[];
  readonly verdict: string;
  readonly bottleneck: Bottleneck;
  readonly breakEven: BreakEven & { readonly text: string };
  readonly whatIfs: readonly WhatIfAnswer[];
}

export interface Bottleneck {
  /** A device, a medium, or `hub`. */
  readonly resource: string;
  /** Share of the time it is busy in a steady stream, 0 to 1. */
  readonly busy: number;
  readonly text: string;
  /** Where the time of one frame alone goes. */
  readonly latency: LatencyParts;
}

export interface WhatIfAnswer {
  readonly question: WhatIf;
  readonly fleet: Fleet;
  /** Absent where nothing fits the memory. */
  readonly chosen?: Draft;
  /** In a steady stream that keeps it busy. */
  readonly framesPerSecond?: number;
  readonly verdict: string;
}

/**
 * Some thirty searches. Throws `plan-impossible` where nothing fits the fleet's memory, and `usage` where a question
 * names a device or a medium that is not there.
 */
export function advise({ space, fleet, whatIfs = [], ...wanted }: AdviseInput): Advice {
  // Questions first: one that cannot be asked should not wait for the rest.
  const changed = whatIfs.map((question) => ({
    question,
    fleet: changedFleet(fleet, question.changes),
  }));
  const result = search(space, fleet, wanted);
  const alternatives = alternativesOf(space, fleet, result, wanted);
  const chosen = result.best;
  return {
    fleet,
    wanted,
    chosen,
    alternatives,
    verdict: verdictText(chosen, alternatives, fleet, wanted.objective),
    bottleneck: bottleneckOf(chosen, fleet),
    breakEven: breakEvenOf(space, fleet, wanted, spread(chosen, fleet)),
    whatIfs: changed.map((one) => ({
      ...one,
      ...answer(space, one.fleet, wanted, assumption(fleet, one.fleet, one.question)),
    })),
  };
}

function bottleneckOf(chosen: Draft, fleet: Fleet): Bottleneck {
  const { blocks } = chosen;
  const alone = simulate(blocks, fleet, { frames: 1, inFlight: 1, binding: 'late', timeline: true });
  const { bottleneck: resource, utilisation } = steadyStream(chosen, fleet);
  const busy = utilisation[resource] ?? 0;
  const latency = latencyParts(alone.timeline ?? []);
  return { resource, busy, text: bottleneckText(resource, busy, fleet), latency };
}

/** Whether a plan uses several devices. */
function spread(draft: Draft, fleet: Fleet): boolean {
  return devicesOf(draft, fleet).length > 1;
}

function breakEvenOf(space: SearchSpace, fleet: Fleet, wanted: Wanted, now: boolean): Advice['breakEven'] {
  if (fleet.devices.length === 1)
    return { kind: 'never', text: breakEvenText({ kind: 'never' }, fleet, wanted.objective, []) };
  const several = (at: Fleet): boolean => {
    const best = found(space, at, wanted)?.best;
    return best !== undefined && spread(best, at);
  };
  const result = breakEven(fleet, now, several);
  // Only where one answer holds at all speeds the fastest links say why.
  const asked = result.kind === 'never' || result.kind === 'always';
  const fastest = asked ? found(space, withSlowestLink(fleet, FASTEST_LINK), wanted) : undefined;
  return { ...result, text: breakEvenText(result, fleet, wanted.objective, listed(fastest)) };
}

function listed(result: SearchResult | undefined): Alternative[] {
  return (result?.alternatives ?? []).map((draft) => ({
    name: draft.strategy,
    draft,
    fits: true,
    framesPerSecond: draft.predicted.framesPerSecond,
  }));
}

function answer(
  space: SearchSpace,
  fleet: Fleet,
  wanted: Wanted,
  assumed: string,
): Omit<WhatIfAnswer, 'question' | 'fleet'> {
  const result = found(space, fleet, wanted);
  if (result === undefined) return { verdict: 'No plan fits the memory.' };
  const { best } = result;
  const verdict = verdictText(best, listed(result), fleet, wanted.objective) + assumed;
  return { chosen: best, framesPerSecond: streamRate(best, fleet, wanted), verdict };
}

/** What was made up to answer: a link where none was known, unless the question gives its speed. */
function assumption(before: Fleet, after: Fleet, { changes }: WhatIf): string {
  if (before.media.size > 0 || after.media.size === 0) return '';
  if (changes.some(({ kind }) => kind === 'link')) return '';
  return ` Cables of ${rateText(slowestLink(after))} are assumed.`;
}
