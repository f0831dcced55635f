/** The best plan of each idea of distribution, for one objective. */

import type { Strategy } from '../draft.ts';
import { codedSpace } from './coded-space.ts';
import { withEvenLines } from './even-lines.ts';
import { type FleetView, type Member, taskMs } from './fleet-view.ts';
import { haloPlan } from './halo.ts';
import { latencyPlans } from './latency.ts';
import { fits, holdingsOf } from './memory-of.ts';
import { pipelinePlan } from './pipeline.ts';
import { type Candidate, predict, predictKept } from './predict.ts';
import { refined } from './refine.ts';
import type { SearchSpace } from './space.ts';
import type { Span } from './span.ts';
import { spreadPlans } from './spread.ts';
import { type Step, wholeStep } from './step.ts';
import { ranked } from './subsets.ts';
import type { CutFacts, WireForm } from './wire-form.ts';

export type Objective = 'latency' | 'throughput';

export interface StrategyInput {
  readonly space: SearchSpace;
  readonly view: FleetView;
  readonly objective: Objective;
  /** Frames under way at once; absent: one for latency, as many as it takes for throughput. */
  readonly inFlight: number | undefined;
  readonly facts: CutFacts;
  /** How cut tensors may travel, the plainest form first. */
  readonly forms: readonly WireForm[];
  /** The same for plans with kept tiles. */
  readonly keptForms: readonly WireForm[];
}

/** One form of the tensors at a time. */
interface FormInput extends StrategyInput {
  /** Milliseconds of latency from which on a plan is of no use. */
  readonly limitMs: number;
}

/** Every strategy, the simplest first: of plans as good as each other the simplest is the best. */
export const STRATEGIES: readonly Strategy[] = [
  'one-device',
  'replicas',
  'parallel',
  'pipeline',
  'halo',
  'mixed',
];

/** What plans are compared by: milliseconds, the less the better. */
export function scoreOf({ predicted }: Pick<Candidate, 'predicted'>, objective: Objective): number {
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
  const { view, objective, facts } = input;
  const inFlight = input.inFlight ?? (objective === 'latency' ? 1 : undefined);
  const predicted = (steps: readonly Step[], form: WireForm): Candidate =>
    strategy === 'halo'
      ? predictKept(input.space, view, { strategy, steps, inFlight, form })
      : predict(view, { strategy, steps, inFlight, form });
  const score = (plan: Candidate): number => scoreOf(plan, objective);
  if (strategy === 'halo')
    return haloPlan({
      ...input,
      forms: input.keptForms,
      predict: predicted,
      score,
      quick: objective === 'throughput',
    });
  // One block hands nothing on.
  const forms = ONE_BLOCK.has(strategy) ? input.forms.slice(0, 1) : input.forms;
  let best: Candidate | undefined;
  for (const form of forms) {
    const space = codedSpace(input.space, facts, form);
    const limitMs =
      best === undefined || objective !== 'latency' ? Number.POSITIVE_INFINITY : best.predicted.latencyMs;
    const found = PLANS[strategy]({ ...input, space, limitMs }).map((steps) => predicted(steps, form));
    best = bestOf(best === undefined ? found : [best, ...found], objective);
  }
  if (best === undefined) return undefined;
  return refined(best, { view, forms, predict: predicted, score });
}

const ONE_BLOCK: ReadonlySet<Strategy> = new Set(['one-device', 'replicas']);

type Plans = (input: FormInput) => (readonly Step[])[];

const PLANS: Readonly<Record<Exclude<Strategy, 'halo'>, Plans>> = {
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
  parallel: ({ space, view, limitMs }) => {
    const { shared } = latencyPlans(space, view, { limitMs });
    return shared === undefined ? [] : [withEvenLines(space, view, shared)];
  },
  pipeline: (input) => pipelines(input, false),
  mixed: (input) => {
    if (input.objective === 'latency') return [];
    const { space, view } = input;
    const span = everythingOf(space);
    // The preferred first: a slow device would otherwise be given the first frame.
    const sets = withAndWithoutHub(span === undefined ? [] : ranked(view, view.members, span.whole));
    return [...pipelines(input, true), ...sets.flatMap((members) => spreadPlans(space, view, members))];
  },
};

function pipelines({ space, view, objective, limitMs }: FormInput, several: boolean): (readonly Step[])[] {
  const least = objective === 'latency' ? 'latency' : 'period';
  return ordersOf(space, view).flatMap((order) => {
    const steps = pipelinePlan(space, view, { order, least, several, limitMs });
    return steps === undefined ? [] : [steps];
  });
}

/** Devices and cuts up to which every order in which stages can take the devices is tried. */
const FEW_DEVICES = 4;
const FEW_CUTS = 10;

/**
 * Orders in which stages take devices: of few devices on small models all that differ; else the fastest first, the
 * largest first, and each the other way round where devices are unequal.
 */
function ordersOf(space: SearchSpace, view: FleetView): (readonly Member[])[] {
  const span = everythingOf(space);
  if (span === undefined) return [];
  const fast = [...view.members].sort(
    (a, b) => taskMs(a, span.whole) - taskMs(b, span.whole) || a.index - b.index,
  );
  const room = ({ device }: Member): number => device.memoryBytes - device.idleBytes;
  const large = [...fast].sort((a, b) => (room(a) === room(b) ? 0 : room(b) - room(a)));
  const few = fast.length <= FEW_DEVICES && space.end <= FEW_CUTS;
  const whole = few ? permutations(fast) : [fast, large, [...fast].reverse(), [...large].reverse()];
  const orders = whole.flatMap((order) => [order, remote(order)]).filter((order) => order.length > 1);
  const seen = new Set<string>();
  return orders.filter((order) => {
    // Devices alike may change places.
    const key = order.map((member) => `${member.like}:${room(member)}`).join(' ');
    return !seen.has(key) && seen.add(key);
  });
}

function permutations<T>(all: readonly T[]): T[][] {
  if (all.length < 2) return [[...all]];
  return all.flatMap((first, at) =>
    permutations(all.filter((_, other) => other !== at)).map((rest) => [first, ...rest]),
  );
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
