/**
 * Plans in which tiles stay on their devices and only strips travel. Ways through the graph are found by estimates
 * (halo-reach.ts); the simulator chooses among the best of them, then the cuts, the form of every tensor, and where the lines
 * between tiles lie.
 */

import { TilepipeError } from '../../runtime/errors.ts';
import { speedShares } from './balance.ts';
import { codedSpace } from './coded-space.ts';
import { movedLines, snapped } from './cover-lines.ts';
import { type Arrangement, arrangements, coverOf } from './covers.ts';
import { type FleetView, kindsOf } from './fleet-view.ts';
import { type Keeping, keeping } from './halo-cost.ts';
import { keyOf, type Move, stepsOf } from './halo-plan.ts';
import { HaloWays, movesTo, TileTable } from './halo-reach.ts';
import { fits, holdingsOf, together } from './memory-of.ts';
import { refined } from './refine.ts';
import type { SearchSpace } from './space.ts';
import type { Span } from './span.ts';
import type { Step } from './step.ts';
import { ranked, subsetsOf } from './subsets.ts';
import type { CutFacts, WireForm } from './wire-form.ts';

/** What the search for kept tiles is given; `T` is what is known of a plan once it is simulated. */
export interface HaloInput<T> {
  readonly space: SearchSpace;
  readonly view: FleetView;
  readonly facts: CutFacts;
  readonly forms: readonly WireForm[];
  readonly predict: (steps: readonly Step[], form: WireForm) => T;
  /** Milliseconds plans are compared by. */
  readonly score: (plan: T) => number;
  /** Whether the plans found stay as they are: streams take long to simulate, and seldom gain by tiles that stay. */
  readonly quick: boolean;
}

/** A plan with the moves that it comes from. */
interface Found<T> {
  readonly moves: readonly Move[];
  readonly steps: readonly Step[];
  readonly form: WireForm;
  readonly predicted: T;
}

/** Estimates are within this of what they stand for, nearly always. */
const SLACK = 1.3;
/** As they are, and deflated. */
const EXACT_FORMS = 2;
/** Plans that are worked out and simulated. */
const MOST_PLANS = 8;
/** Of those, plans whose lines are moved: each on other devices. */
const MOST_MOVED = 2;
/** What moving lines and other forms of tensors hardly ever gain: plans further behind the best are left as they are. */
const MOST_GAIN = 1.15;

/** The best plan with kept tiles that fits the devices; undefined where there is none. */
export function haloPlan<T>(input: HaloInput<T>): T | undefined {
  const { view, forms } = input;
  const found = promising(input);
  const by = (plan: Found<T>): number => input.score(plan.predicted);
  found.sort((a, b) => by(a) - by(b));
  if (input.quick) return found[0]?.predicted;
  let best: Found<T> | undefined;
  const left = { effort: EFFORT };
  const tried = firstOfEach(found)
    .slice(0, MOST_MOVED)
    .map((plan) => placed(input, plan));
  for (const plan of tried.flatMap((each) => [...new Set([withCuts(input, each), each])])) {
    if (best !== undefined && by(plan) > by(best) * MOST_GAIN) continue;
    const formed = refined(plan, {
      view,
      forms,
      predict: (steps, form) => ({ ...plan, steps, form, predicted: input.predict(steps, form) }),
      score: by,
    });
    const moved = withLines(input, formed, left);
    if (best === undefined || by(moved) < by(best)) best = moved;
  }
  return best?.predicted;
}

/** The first plan of each choice of devices. */
function firstOfEach<P extends Pick<Found<unknown>, 'moves'>>(plans: readonly P[]): P[] {
  const seen = new Set<string>();
  return plans.filter(({ moves }) => {
    const key = devicesOf(moves);
    return !seen.has(key) && seen.add(key);
  });
}

function devicesOf(moves: readonly Move[]): string {
  const all = moves.flatMap((move) => (move.kind === 'given' ? [] : move.keep.members));
  return [...new Set(all.map(({ index }) => index))].sort((a, b) => a - b).join(' ');
}

/** The plans that seem best: the best of all, and the best for each form, choice of devices, and cover. */
function promising<T>(input: HaloInput<T>): Found<T>[] {
  const { space, view, facts, forms } = input;
  const kept = keepings(view, space);
  const tiles = new TileTable(space);
  const sets = kept.length > 1 ? [kept, ...kept.map((keep) => [keep])] : [kept];
  let limitMs = Number.POSITIVE_INFINITY;
  // Of forms that change values the last is the shortest: those between come up tensor by tensor.
  const tried = forms.filter((_, at) => at < EXACT_FORMS || at === forms.length - 1);
  const ends = tried.flatMap((form) => {
    const ways = new HaloWays(codedSpace(space, facts, form), view, form, tiles);
    // Most devices first: what they take is a limit to the others, and to all choices together.
    const found = sets.toReversed().flatMap((set) => {
      const end = ways.reach(set, limitMs);
      if (end === undefined) return [];
      limitMs = Math.min(limitMs, end.ms * SLACK);
      return [{ end, form }];
    });
    // The sort keeps the order of equals, and of equals the set of all choices is the one to begin with.
    return found.reverse();
  });
  ends.sort((a, b) => a.end.ms - b.end.ms);
  const found = ends
    .filter(({ end }) => end.ms <= limitMs)
    .map(({ end, form }) => ({ moves: movesTo(end), form }));
  // However well the others do, estimates tell least of plans on different devices.
  const first = firstOfEach(found);
  const plans: Found<T>[] = [];
  const seen = new Set<string>();
  for (const { moves, form } of [...first, ...found.filter((other) => !first.includes(other))]) {
    if (plans.length === MOST_PLANS) break;
    const plan = gathered(input, planOf(input, moves, form));
    const key = plan && `${form.key} ${keyOf(plan.steps)}`;
    if (plan === undefined || key === undefined || seen.has(key)) continue;
    seen.add(key);
    plans.push(plan);
  }
  return plans;
}

/**
 * The plan with blocks in one piece collecting what the tiles made themselves, where that is quicker: the merger would send
 * all of it down again, as it was made.
 */
function gathered<T>(input: HaloInput<T>, plan: Found<T> | undefined): Found<T> | undefined {
  let best = plan;
  for (const [at, move] of plan?.moves.entries() ?? []) {
    if (best === undefined || at === 0 || move.kind !== 'given' || !isFar(input.view, move.step)) continue;
    best = stepTried(input, best, at, { ...move.step, entry: 'halo' });
  }
  return best;
}

/** The plan with blocks in one piece on another device where that is quicker: estimates forget what tiles leave to do there. */
function placed<T>(input: HaloInput<T>, plan: Found<T>): Found<T> {
  let best = plan;
  for (const [at, move] of plan.moves.entries()) {
    if (at === 0 || move.kind !== 'given' || move.step.mode !== 'whole') continue;
    const { entry: _entry, ...step } = move.step;
    const [only] = step.parts;
    if (only === undefined) continue;
    for (const { index } of kindsOf(input.view.members))
      if (!only.on.includes(index))
        best = stepTried(input, best, at, { ...step, parts: [{ ...only, on: [index] }] });
  }
  return best;
}

function stepTried<T>(input: HaloInput<T>, plan: Found<T>, at: number, step: Step): Found<T> {
  const next = planOf(input, plan.moves.with(at, { kind: 'given', step }), plan.form);
  return next !== undefined && input.score(next.predicted) < input.score(plan.predicted) ? next : plan;
}

/** Whether a step is one piece on one device that is not on the hub. */
function isFar({ members }: FleetView, { mode, parts }: Step): boolean {
  const [only, ...others] = parts[0]?.on ?? [];
  const isBound = mode === 'whole' && only !== undefined && others.length === 0;
  return isBound && members[only]?.device.medium !== undefined;
}

function planOf<T>(input: HaloInput<T>, moves: readonly Move[], form: WireForm): Found<T> | undefined {
  const steps = stepsOf(moves, form);
  if (steps === undefined || !fits(input.view, together(steps.map(holdingsOf)))) return undefined;
  try {
    return { moves, steps, form, predicted: input.predict(steps, form) };
  } catch (error) {
    // Maps so small that some tile has none of them: what reads all of one cannot be summed from the tiles.
    if (error instanceof TilepipeError && error.code === 'tiling-refused') return undefined;
    throw error;
  }
}

/**
 * The plan with its exchanges where the simulator finds them best, or without: what estimates say of one more or of the
 * next place for one is within their error, and waiting for the last strip costs more than they know.
 */
function withCuts<T>(input: HaloInput<T>, plan: Found<T>): Found<T> {
  const space = codedSpace(input.space, input.facts, plan.form);
  let best = plan;
  for (let at = 1; at < best.moves.length; ) {
    const before = best;
    for (const moves of besideCut(space, before.moves, at)) {
      // Without any that stay it is a plan of another kind.
      if (!moves.some(staysIn)) continue;
      const next = planOf(input, moves, plan.form);
      if (next !== undefined && input.score(next.predicted) < input.score(best.predicted)) best = next;
    }
    if (best === before) at += 1;
  }
  return best;
}

function staysIn(move: Move): boolean {
  return (move.kind === 'given' ? move.step.entry : move.entry) === 'halo';
}

/** The moves with one exchange between kept tiles left out, or at a place beside it. */
function besideCut(space: SearchSpace, moves: readonly Move[], at: number): (readonly Move[])[] {
  const [first, second] = [moves[at - 1], moves[at]];
  if (first?.kind !== 'tile' || second?.kind !== 'tile') return [];
  if (second.entry !== 'halo' || second.keep !== first.keep) return [];
  const [from, cut, to] = [first.span.from, second.span.from, second.span.to];
  const found: (readonly Move[])[] = [];
  const tiled = (begin: number, end: number): Span | undefined => {
    const span = begin < end ? space.span(begin, end) : undefined;
    return span?.tileable ? span : undefined;
  };
  const all = tiled(from, to);
  if (all !== undefined)
    found.push([...moves.slice(0, at - 1), { ...first, span: all }, ...moves.slice(at + 1)]);
  for (const place of [cut - 1, cut + 1]) {
    const [head, tail] = [tiled(from, place), tiled(place, to)];
    if (head !== undefined && tail !== undefined)
      found.push(moves.with(at - 1, { ...first, span: head }).with(at, { ...second, span: tail }));
  }
  return found;
}

/** Which devices keep which tiles: for every number of devices the best, in strips and in grids. */
function keepings(view: FleetView, space: SearchSpace): Keeping[] {
  const everything = space.span(0, space.end);
  const largest = largestTiled(space);
  if (everything === undefined || largest === undefined) return [];
  const { rows, columns } = largest.extents;
  return subsetsOf(ranked(view, view.members, everything.whole)).flatMap((members) => {
    const shares = speedShares(members, everything.whole);
    const laid = arrangements(members.length, rows, columns);
    const tried = members.some(({ local }) => local) ? eitherWay(laid) : laid;
    return tried.map((arrangement) => keeping(members, coverOf(arrangement, shares)));
  });
}

/** Upside down as well where that differs: the hub's worker has the last tile, and bands of few tiles have large ones. */
function eitherWay(all: readonly Arrangement[]): readonly Arrangement[] {
  return all.flatMap((bands) => (bands[0] === bands.at(-1) ? [bands] : [bands, bands.toReversed()]));
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

/** Operators times tiles that moving lines may work out: tens of microseconds each. */
const EFFORT = 2_400;

/**
 * The plan with its lines where the simulator finds them best, moved by single rows of the maps at its cuts, coarse ones
 * first: lines between the rows of a coarse map are lines between rows of all before it, so that no strip is longer than
 * its reach; and who gets its input last does well with less of it.
 */
function withLines<T>(input: HaloInput<T>, plan: Found<T>, left: { effort: number }): Found<T> {
  let best = plan;
  const keeps = new Set(plan.moves.flatMap((move) => (move.kind === 'given' ? [] : [move.keep])));
  const tries = (keep: Keeping, cover: Keeping['cover']): Keeping | undefined => {
    const next = keeping(keep.members, cover);
    const moves = best.moves.map((move) =>
      move.kind !== 'given' && move.keep === keep ? { ...move, keep: next } : move,
    );
    left.effort -= moves.reduce((sum, move) => sum + effortOf(move, keep), 0);
    const moved = planOf(input, moves, best.form);
    if (moved === undefined || !(input.score(moved.predicted) < input.score(best.predicted) * LESS))
      return undefined;
    best = moved;
    return next;
  };
  for (const first of keeps) {
    let keep = first;
    const maps = mapsOf(plan.moves, first);
    for (const map of maps) {
      const cover = snapped(first.cover, map);
      if (cover !== undefined) keep = tries(keep, cover) ?? keep;
    }
    for (const map of maps) {
      // A line that moved may move further; the others are looked at again when all of them have had their turn.
      for (let at = 0, failed = 0; left.effort > 0; ) {
        const covers = movedLines(keep.cover, map);
        const cover = covers[at % Math.max(1, covers.length)];
        if (cover === undefined || failed >= covers.length) break;
        const next = tries(keep, cover);
        failed = next === undefined ? failed + 1 : 0;
        if (next === undefined) at += 1;
        else keep = next;
      }
    }
  }
  return best;
}

/** Gains below this are not worth tiles of another size. */
const LESS = 1 - 1e-4;

/** A line that moves changes the tiles on either side of it. */
function effortOf(move: Move, keep: Keeping): number {
  return move.kind === 'tile' && move.keep.members === keep.members ? 2 * move.span.block.nodes.length : 0;
}

/** Rows and columns of the maps a chain of kept tiles hands on, the fewest first. */
function mapsOf(moves: readonly Move[], keep: Keeping): Span['extents'][] {
  const maps = new Map<string, Span['extents']>();
  for (const move of moves) {
    if (move.kind !== 'tile' || move.keep !== keep) continue;
    const { rows, columns } = move.span.extents;
    maps.set(`${rows} ${columns}`, { rows, columns });
  }
  return [...maps.values()].sort((a, b) => a.rows * a.columns - b.rows * b.columns);
}
