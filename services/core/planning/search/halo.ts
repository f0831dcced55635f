/**
 * Plans in which tiles stay on their devices: `t(j, kept) = min_i t(i, kept) + strips(i..j) + compute(i..j)` beside
 * `t(j, hub)`, the papers' recurrence with a second state that says where the tensors of a cut are. A block enters from the
 * hub, stays from one that kept the same tiles, and leaves to the hub as tiles or as partial sums.
 */

import { partialRefusal } from '../../tiling/partial.ts';
import { speedShares } from './balance.ts';
import { arrangements, coverOf } from './covers.ts';
import type { FleetView, Member } from './fleet-view.ts';
import { type Keeping, type KeptCost, keeping, keptCost, partialCost, partialMs } from './halo-cost.ts';
import { type TimedStep, wholeOptions } from './options.ts';
import type { Assigned } from './schedule.ts';
import type { SearchSpace } from './space.ts';
import type { Span } from './span.ts';
import type { Step } from './step.ts';
import { ranked, subsetsOf } from './subsets.ts';

/** A step before it is worked out. */
type Move =
  | { readonly kind: 'whole'; readonly step: Step }
  | {
      readonly kind: 'tile' | 'partial';
      readonly span: Span;
      readonly keep: Keeping;
      readonly entry: 'halo' | undefined;
    };

interface Reached {
  readonly ms: number;
  readonly before: Reached | undefined;
  readonly move: Move | undefined;
}

/** Gains below this are rounding: the plan with fewer blocks stays. */
const GAIN = 1e-9;

/**
 * Plans with kept tiles, the most promising first: the best of all, and the best for each choice of devices and cover.
 * Those that need more memory than a device has are not among them.
 */
export function haloPlans(space: SearchSpace, view: FleetView, limitMs: number): (readonly Step[])[] {
  const everything = space.span(0, space.end);
  if (everything === undefined) return [];
  const kept = keepings(view, space, everything);
  if (kept.length === 0) return [];
  const costs = new Map(kept.map((keep) => [keep, new Map<Span, KeptCost | undefined>()]));
  const wholes = new Map<Span, TimedStep | undefined>();
  const deps = { space, view, costs, wholes };
  const found = [kept, ...(kept.length > 1 ? kept.map((keep) => [keep]) : [])]
    .map((set) => reach(deps, set))
    .filter((reached): reached is Reached => reached !== undefined && reached.ms < limitMs * SLACK)
    .sort((a, b) => a.ms - b.ms);
  const plans: (readonly Step[])[] = [];
  const seen = new Set<string>();
  for (const reached of found) {
    const steps = stepsTo(reached);
    if (steps === undefined || !steps.some(({ entry }) => entry === 'halo')) continue;
    const key = keyOf(steps);
    if (seen.has(key)) continue;
    seen.add(key);
    plans.push(steps);
    if (plans.length === MOST_PLANS) break;
  }
  return plans;
}

/** Estimates are within this of what they stand for, nearly always. */
const SLACK = 1.3;
/** Plans that are worked out and simulated. */
const MOST_PLANS = 6;

/** Which devices keep which tiles: for every number of devices the best, in strips and in grids. */
function keepings(view: FleetView, space: SearchSpace, everything: Span): Keeping[] {
  const order = ranked(view, view.members, everything.whole);
  const largest = largestTiled(space);
  if (largest === undefined) return [];
  const { rows, columns } = largest.extents;
  return subsetsOf(order).flatMap((members) => {
    const shares = speedShares(members, everything.whole);
    return arrangements(members.length, rows, columns).map((arrangement) =>
      keeping(members, coverOf(arrangement, shares)),
    );
  });
}

/** The tileable span with the most work: its maps say which way strips go. */
function largestTiled(space: SearchSpace): Span | undefined {
  let best: Span | undefined;
  let most = 0;
  for (let at = 0; at < space.end; at++) {
    const span = space.span(at, at + 1);
    if (span === undefined || !span.tileable) continue;
    const macs = span.whole.work.reduce((sum, each) => sum + each.macs, 0);
    if (macs > most) [best, most] = [span, macs];
  }
  return best;
}

interface Deps {
  readonly space: SearchSpace;
  readonly view: FleetView;
  readonly costs: ReadonlyMap<Keeping, Map<Span, KeptCost | undefined>>;
  readonly wholes: Map<Span, TimedStep | undefined>;
}

function reach(deps: Deps, kept: readonly Keeping[]): Reached | undefined {
  const { space } = deps;
  const hub: (Reached | undefined)[] = [{ ms: 0, before: undefined, move: undefined }];
  const tiles = kept.map((): (Reached | undefined)[] => [undefined]);
  for (let to = 1; to <= space.end; to++) {
    hub[to] = undefined;
    const toHub = (ms: number, before: Reached, move: Move): void => {
      hub[to] = better(hub[to], { ms, before, move });
    };
    for (const each of tiles) each[to] = undefined;
    for (let from = 0; from < to; from++) {
      const span = space.span(from, to);
      if (span === undefined) continue;
      const atHub = hub[from];
      const whole = atHub && wholeOf(deps, span);
      if (atHub !== undefined && whole !== undefined)
        toHub(atHub.ms + whole.ms, atHub, { kind: 'whole', step: whole.step });
      const sums =
        !span.tileable && tiles.some((each) => each[from] !== undefined) && isContraction(space, span);
      for (const [at, keep] of kept.entries()) {
        const own = tiles[at] as (Reached | undefined)[];
        const before = own[from];
        if (sums && before !== undefined)
          toHub(before.ms + partialMs(deps.view, span, keep), before, {
            kind: 'partial',
            span,
            keep,
            entry: 'halo',
          });
        const cost = span.tileable ? costOf(deps, span, keep) : undefined;
        if (cost === undefined) continue;
        if (atHub !== undefined)
          own[to] = better(own[to], {
            ms: atHub.ms + cost.enterMs,
            before: atHub,
            move: { kind: 'tile', span, keep, entry: undefined },
          });
        if (before !== undefined)
          own[to] = better(own[to], {
            ms: before.ms + cost.stayMs,
            before,
            move: { kind: 'tile', span, keep, entry: 'halo' },
          });
      }
    }
    for (const [at, keep] of kept.entries()) {
      const there = (tiles[at] as (Reached | undefined)[])[to];
      if (there?.before === undefined || there.move?.kind !== 'tile') continue;
      const cost = costOf(deps, there.move.span, keep);
      if (cost !== undefined) toHub(there.ms + cost.leaveMs, there.before, there.move);
    }
  }
  return hub[space.end];
}

function better(known: Reached | undefined, found: Reached): Reached {
  return known === undefined || found.ms < known.ms * (1 - GAIN) ? found : known;
}

function wholeOf({ view, wholes }: Deps, span: Span): TimedStep | undefined {
  if (!wholes.has(span)) {
    let best: TimedStep | undefined;
    for (const option of wholeOptions(view, span, view.members))
      if (best === undefined || option.ms < best.ms) best = option;
    wholes.set(span, best);
  }
  return wholes.get(span);
}

function costOf({ view, costs }: Deps, span: Span, keep: Keeping): KeptCost | undefined {
  const known = costs.get(keep) as Map<Span, KeptCost | undefined>;
  if (!known.has(span)) known.set(span, keptCost(view, span, keep));
  return known.get(span);
}

function isContraction({ graph }: SearchSpace, span: Span): boolean {
  return partialRefusal(graph, span.block) === undefined;
}

function stepsTo(reached: Reached): Step[] | undefined {
  const steps: Step[] = [];
  for (let at: Reached | undefined = reached; at?.move !== undefined; at = at.before) {
    const step = stepOf(at.move);
    if (step === undefined) return undefined;
    steps.unshift(step);
  }
  return steps;
}

/** The step with the exact costs of its parts. */
function stepOf(move: Move): Step | undefined {
  if (move.kind === 'whole') return move.step;
  const { span, keep, entry } = move;
  const { members, cover, shares } = keep;
  const on = (at: number): number[] => [(members[at] as Member).index];
  const entered = entry === undefined ? {} : { entry };
  if (move.kind === 'partial') {
    const parts = members.map(
      (_, at): Assigned => ({ cost: partialCost(span, shares[at] as number), on: on(at) }),
    );
    return { span, mode: 'partial', parts, ...entered };
  }
  const parts = span.tiles(cover)?.map((cost, at): Assigned => ({ cost, on: on(at) }));
  return parts && { span, mode: 'tile', parts, cover, ...entered };
}

function keyOf(steps: readonly Step[]): string {
  return JSON.stringify(
    steps.map(({ span, mode, cover, entry, parts }) => [
      span.from,
      span.to,
      mode,
      cover,
      entry,
      parts.map(({ on }) => on),
    ]),
  );
}
