/**
 * Lines between kept tiles where the simulator finds them best, moved by single rows and columns of the maps at a plan's
 * cuts: every block is as slow as its slowest tile, rounding included, and who gets its input last does well with less.
 * Estimates say which lines are worth a try.
 */

import { movedLines, snapped } from './cover-lines.ts';
import type { FleetView } from './fleet-view.ts';
import { type Keeping, keeping, keptCost, partialMs, spanBytes } from './halo-cost.ts';
import type { Move } from './halo-plan.ts';
import type { TileTable } from './halo-reach.ts';
import type { Span } from './span.ts';
import type { WireForm } from './wire-form.ts';

/** A plan as its moves. */
interface Moved {
  readonly moves: readonly Move[];
  readonly form: WireForm;
}

interface LineDeps<P> {
  readonly view: FleetView;
  readonly tiles: TileTable;
  /** The plan of other moves, simulated; undefined where there is none. */
  readonly planOf: (moves: readonly Move[]) => P | undefined;
  /** Milliseconds plans are compared by. */
  readonly score: (plan: P) => number;
  readonly left: { effort: number };
}

/** Operators times tiles that moving lines may work out: tens of microseconds each. */
export const EFFORT = 2_400;
/** Gains below this are not worth tiles of another size. */
const LESS = 1 - 1e-4;
/** Tries in a row that gain nothing: those after them are still less likely to. */
const MOST_FAILED = 8;
/** Lines that estimates find worse than those there are by more than this are not simulated. */
const MOST_WORSE = 1.1;

/** The plan with its lines where they are best; never slower. */
export function withLines<P extends Moved>(plan: P, deps: LineDeps<P>): P {
  const keeps = new Set(plan.moves.flatMap((move) => (move.kind === 'given' ? [] : [move.keep])));
  let best = plan;
  for (const keep of keeps) best = evened(best, keep, deps);
  return best;
}

/** One line at a time of one chain, until none of those that may gain does. */
function evened<P extends Moved>(
  plan: P,
  first: Keeping,
  { view, tiles, planOf, score, left }: LineDeps<P>,
): P {
  const maps = mapsOf(plan.moves, first);
  const tried = new Set([tilesKey(plan.moves, first, tiles)]);
  let [best, keep] = [plan, first];
  for (;;) {
    const limitMs = movesMs(view, best, tiles) * MOST_WORSE;
    const beside = besideLines(best, keep, maps, tiles)
      .map((next) => ({ ...next, ms: movesMs(view, { moves: next.moves, form: best.form }, tiles) }))
      .filter(({ ms, key }) => ms <= limitMs && !tried.has(key))
      .sort((a, b) => a.ms - b.ms);
    let found: { plan: P; keep: Keeping } | undefined;
    for (const next of beside.slice(0, MOST_FAILED)) {
      left.effort -= next.moves.reduce((sum, move) => sum + effortOf(move, keep), 0);
      if (left.effort < 0) break;
      tried.add(next.key);
      const other = planOf(next.moves);
      if (other === undefined || !(score(other) < score(best) * LESS)) continue;
      found = { plan: other, keep: next.keep };
      break;
    }
    if (found === undefined) return best;
    [best, keep] = [found.plan, found.keep];
  }
}

/** Moves with other lines; plans whose tiles are of the same sizes have equal keys. */
interface Beside {
  readonly keep: Keeping;
  readonly moves: readonly Move[];
  readonly key: string;
}

/** The moves with one line of a chain a row or column further on, or all of them at rows and columns of one map. */
function besideLines(
  { moves }: Moved,
  keep: Keeping,
  maps: readonly Span['extents'][],
  tiles: TileTable,
): Beside[] {
  const found = new Map<string, Beside>();
  for (const map of maps) {
    const whole = snapped(keep.cover, map);
    for (const cover of [...(whole === undefined ? [] : [whole]), ...movedLines(keep.cover, map)]) {
      const next = keeping(keep.members, cover);
      const replaced = moves.map((move) =>
        move.kind !== 'given' && move.keep === keep ? { ...move, keep: next } : move,
      );
      const key = tilesKey(replaced, next, tiles);
      if (!found.has(key)) found.set(key, { keep: next, moves: replaced, key });
    }
  }
  return [...found.values()];
}

function tilesKey(moves: readonly Move[], keep: Keeping, tiles: TileTable): string {
  const own = moves.filter((move) => move.kind === 'tile' && move.keep === keep);
  return own
    .map((move) => (move.kind === 'tile' ? tiles.of(move.span, keep)?.writes.join(' ') : ''))
    .join(';');
}

/** About how long the tiled blocks of a plan take together; Infinity where maps are too small for the tiles. */
function movesMs(view: FleetView, { moves, form }: Moved, tiles: TileTable): number {
  let sum = 0;
  let made: readonly number[] = [];
  for (const [at, move] of moves.entries()) {
    if (move.kind === 'given') continue;
    const { span, keep, entry } = move;
    const bytes = spanBytes(span, form);
    if (move.kind === 'partial') {
      sum += partialMs(view, span, keep, made, bytes);
      continue;
    }
    const shares = tiles.of(span, keep);
    if (shares === undefined) return Number.POSITIVE_INFINITY;
    const { enterMs, stayMs, leaveMs } = keptCost(view, keep, shares, bytes);
    sum += entry === undefined ? enterMs : stayMs;
    const next = moves[at + 1];
    if (next === undefined || next.kind === 'given' || next.entry === undefined) sum += leaveMs;
    made = shares.writes;
  }
  return sum;
}

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
