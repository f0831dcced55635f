/** The best plan of each idea of distribution, for one objective. */

import type { Strategy } from '../draft.ts';
import { type FleetView, type Member, taskMs } from './fleet-view.ts';
import { latencyPlans } from './latency.ts';
import { fits, holdingsOf } from './memory-of.ts';
import { pipelinePlan } from './pipeline.ts';
import { type Candidate, predict } from './predict.ts';
import type { SearchSpace } from './space.ts';
import type { Span } from './span.ts';
import { spreadPlans } from './spread.ts';
import { type Step, wholeStep } from './step.ts';
import { ranked } from './subsets.ts';

export type Objective = 'latency' | 'throughput';

export interface StrategyInput {
  readonly space: SearchSpace;
  readonly view: FleetView;
  readonly objective: Objective;
  /** Frames under way at once; absent: one for latency, as many as it takes for throughput. */
  readonly inFlight: number | undefined;
}

/** Every strategy, the simplest first: of plans as good as each other the simplest is the best. */
export const STRATEGIES: readonly Strategy[] = ['one-device', 'replicas', 'parallel', 'pipeline', 'mixed'];

/** What plans are compared by: milliseconds, the less the better. */
export function scoreOf({ predicted }: Candidate, objective: Objective): number {
  return objective === 'latency' ? predicted.latencyMs : 1000 / predicted.framesPerSecond;
}

/** The better of plans; of equal ones the first. */
export function bestOf(candidates: Iterable<Candidate>, objective: Objective): Candidate | undefined {
  let best: Candidate | undefined;
  for (const candidate of candidates) {
    const value = scoreOf(candidate, objective);
    if (best === undefined || value < scoreOf(best, objective) * (1 - 1e-9)) best = candidate;
  }
  return best;
}

/** The best plan of a strategy; undefined where none fits the devices. */
export function planOf(strategy: Strategy, input: StrategyInput): Candidate | undefined {
  const plans = PLANS[strategy](input);
  const inFlight = input.inFlight ?? (input.objective === 'latency' ? 1 : undefined);
  return bestOf(
    plans.map((steps) => predict(input.view, { strategy, steps, inFlight })),
    input.objective,
  );
}

type Plans = (input: StrategyInput) => (readonly Step[])[];

const PLANS: Readonly<Record<Strategy, Plans>> = {
  'one-device': ({ space, view }) => {
    const span = everythingOf(space);
    return span === undefined ? [] : holders(view, span).map(({ index }) => [wholeStep(span, [index])]);
  },
  replicas: ({ space, view }) => {
    const span = everythingOf(space);
    const able = span === undefined ? [] : holders(view, span);
    // What the hub's own device computes its messages lack: with it and without.
    return span === undefined ? [] : withAndWithoutHub(able).map((on) => [wholeStep(span, indices(on))]);
  },
  parallel: ({ space, view }) => {
    const { shared } = latencyPlans(space, view);
    return shared === undefined ? [] : [shared];
  },
  pipeline: (input) => pipelines(input, false),
  mixed: (input) => {
    if (input.objective === 'latency') return [];
    const { space, view } = input;
    const sets = withAndWithoutHub(view.members);
    return [...pipelines(input, true), ...sets.flatMap((members) => spreadPlans(space, view, members))];
  },
};

function pipelines({ space, view, objective }: StrategyInput, several: boolean): (readonly Step[])[] {
  const least = objective === 'latency' ? 'latency' : 'period';
  return ordersOf(space, view).flatMap((order) => {
    const steps = pipelinePlan(space, view, { order, least, several });
    return steps === undefined ? [] : [steps];
  });
}

/** Orders in which stages take devices: the fastest first, and, where it differs, the largest first. */
function ordersOf(space: SearchSpace, view: FleetView): (readonly Member[])[] {
  const span = everythingOf(space);
  if (span === undefined) return [];
  const fast = [...view.members].sort(
    (a, b) => taskMs(a, span.whole) - taskMs(b, span.whole) || a.index - b.index,
  );
  const room = ({ device }: Member): number => device.memoryBytes - device.idleBytes;
  const large = [...fast].sort((a, b) => (room(a) === room(b) ? 0 : room(b) - room(a)));
  const orders = [fast, remote(fast), large, remote(large)].filter((order) => order.length > 1);
  const seen = new Set<string>();
  return orders.filter((order) => {
    const key = indices(order).join(' ');
    return !seen.has(key) && seen.add(key);
  });
}

function withAndWithoutHub(members: readonly Member[]): (readonly Member[])[] {
  const others = remote(members);
  const sets = others.length === members.length ? [members] : [members, others];
  return sets.filter((set) => set.length > 1);
}

/** Devices that can hold a span, the fastest first. */
function holders(view: FleetView, span: Span): Member[] {
  const able = view.members.filter(({ index }) => fits(view, holdingsOf(wholeStep(span, [index]))));
  return ranked(view, able, span.whole);
}

export function everythingOf(space: SearchSpace): Span | undefined {
  return space.span(0, space.end);
}

function remote(members: readonly Member[]): Member[] {
  return members.filter(({ local }) => !local);
}

function indices(members: readonly Member[]): number[] {
  return members.map(({ index }) => index);
}
