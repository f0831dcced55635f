/**
 * The plan with the shortest time for one frame: `t(j) = min_i t(i) + blockTime(i..j)` over the cuts (the papers'
 * recurrence), where a block runs in one piece, in tiles or in shards on the best devices for it.
 */

import { type FleetView, kindsOf, type Member } from './fleet-view.ts';
import { latencyWithin } from './latency-within.ts';
import { fits, holdingsOf, together } from './memory-of.ts';
import { type Estimated, type Option, sharedOptions, type TimedStep, wholeOptions } from './options.ts';
import type { SearchSpace } from './space.ts';
import { type LatencyPlans, type Step, stepsTo } from './step.ts';

interface Reached {
  readonly ms: number;
  readonly before: Reached | undefined;
  readonly step: Step | undefined;
}

/** By whether a block is shared: reached from the start in so many milliseconds. */
type Best = [whole: Reached | undefined, shared: Reached | undefined];

/** Gains below this are rounding: the plan with fewer blocks stays. */
const GAIN = 1e-9;

export interface LatencyOptions {
  /** Absent: all of the fleet. */
  readonly members?: readonly Member[];
  /** Plans that take longer are of no use, and need not be found. */
  readonly limitMs?: number;
}

/** Plans of the least latency on some devices; those that need more memory than a device has are not found. */
export function latencyPlans(
  space: SearchSpace,
  view: FleetView,
  { members = view.members, limitMs = Number.POSITIVE_INFINITY }: LatencyOptions = {},
): LatencyPlans {
  const [whole, shared] = leastLatency(space, view, members, limitMs);
  const steps = (end: Reached | undefined) => end && stepsTo(end, ({ step }) => step);
  const plans = { whole: steps(whole), shared: steps(shared) };
  const found = [plans.whole, plans.shared];
  // Blocks fit one by one; where they do not fit together, memory has to be searched with.
  if (found.every((steps) => steps === undefined || fits(view, together(steps.map(holdingsOf)))))
    return plans;
  return latencyWithin(space, view, members);
}

function leastLatency(
  space: SearchSpace,
  view: FleetView,
  members: readonly Member[],
  limitMs: number,
): Best {
  const best: Best[] = [[{ ms: 0, before: undefined, step: undefined }, undefined]];
  const kinds = kindsOf(members);
  const trust = new Trust();
  for (let to = 1; to <= space.end; to++) {
    const here: Best = [undefined, undefined];
    const consider = (which: 0 | 1, before: Reached, { step, ms }: TimedStep): void => {
      const total = before.ms + ms;
      if (total < (here[which]?.ms ?? Number.POSITIVE_INFINITY) * (1 - GAIN) && total <= limitMs)
        here[which] = { ms: total, before, step };
    };
    const options: Pending[] = [];
    for (let from = 0; from < to; from++) {
      const [whole, shared] = best[from] as Best;
      const before =
        whole !== undefined && whole.ms <= (shared?.ms ?? Number.POSITIVE_INFINITY) ? whole : shared;
      const span = before && space.span(from, to);
      if (before === undefined || span === undefined) continue;
      for (const option of wholeOptions(view, span, kinds)) {
        if (whole !== undefined) consider(0, whole, option);
        if (shared !== undefined) consider(1, shared, option);
      }
      for (const option of sharedOptions(view, span, members))
        options.push({ atLeast: before.ms + option.atLeast, before, option });
    }
    const found = promising(options, { best: () => here[1]?.ms ?? limitMs, cuts: space.end, trust });
    for (const { before, option } of found) {
      const built = option.build();
      if (built === undefined) continue;
      trust.learn(option.ms, built.ms);
      consider(1, before, built);
    }
    best.push(here);
  }
  return best[space.end] as Best;
}

interface Pending {
  readonly atLeast: number;
  readonly before: Reached;
  readonly option: Option;
}

/** Estimates are within this of what they stand for, nearly always; where maps are large much nearer. */
const SLACK = 0.12;
const LEAST_SLACK = 0.03;
/** Estimates that tell how far they are to be trusted. */
const LESSONS = 8;
/** What others are off, for the most that these are. */
const MARGIN = 2;

/** How far the estimates of a search were off. */
class Trust {
  #lessons = 0;
  #worst = 0;

  learn(estimatedMs: number, builtMs: number): void {
    // Of shards and the like nothing is estimated.
    if (estimatedMs === builtMs) return;
    this.#lessons++;
    this.#worst = Math.max(this.#worst, Math.abs(builtMs / estimatedMs - 1));
  }

  get slack(): number {
    if (this.#lessons < LESSONS) return SLACK;
    return Math.min(SLACK, Math.max(LEAST_SLACK, MARGIN * this.#worst));
  }
}

/** Operators times tiles that a search works out, over all cuts: tens of microseconds each. */
const EFFORT = 8_000;
/** Of which so many are spent on options that estimates speak against: on small models they say little. */
const FREE_EFFORT = 1_500;
/** Options worked out at every cut, whatever they cost. */
const LEAST_BUILT = 2;

/** The options that may be the best at a cut, the most promising first; `best` is what has been found so far. */
function* promising(
  options: Pending[],
  { best, cuts, trust }: { readonly best: () => number; readonly cuts: number; readonly trust: Trust },
): Generator<{ before: Reached; option: Estimated }> {
  // Something to hold the others against: on a short span little is done twice.
  const short = options.at(-1);
  const first = short?.option.certain ? short.option.estimate(best() - short.before.ms) : undefined;
  let least = Math.min(best(), first === undefined ? best() : (short?.before.ms ?? 0) + first.ms);
  options.sort((a, b) => a.atLeast - b.atLeast);
  const found: { total: number; before: Reached; option: Estimated }[] = [];
  for (const { atLeast, before, option } of options) {
    if (atLeast > least) break;
    const estimated = option.estimate(least - before.ms);
    if (estimated === undefined) continue;
    const total = before.ms + estimated.ms;
    found.push({ total, before, option: estimated });
    if (option.certain) least = Math.min(least, total);
  }
  found.sort((a, b) => a.total - b.total);
  let effort = 0;
  let built = 0;
  for (const next of found) {
    if (built >= LEAST_BUILT && effort > EFFORT / cuts) return;
    // What was reached before it is no estimate.
    const atBest = next.total - trust.slack * next.option.ms;
    if (atBest > best() && effort > FREE_EFFORT / cuts) continue;
    built++;
    effort += next.option.effort;
    yield next;
  }
}
