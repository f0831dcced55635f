/**
 * The lines between the tiles of a plan through the merger, one row or column at a time: shares come from estimates and
 * round to rows, and a single row too many is a tenth of a tile of ten.
 */

import { movedLines } from './cover-lines.ts';
import type { FleetView } from './fleet-view.ts';
import { fitsStep } from './memory-of.ts';
import { type Assigned, schedule } from './schedule.ts';
import type { SearchSpace } from './space.ts';
import type { Step } from './step.ts';

/** Operators times tiles that one plan may take: tens of microseconds each. */
const EFFORT = 4_000;

/** A plan whose every block is the quickest of those whose lines are a row or column away; never slower. */
export function withEvenLines(space: SearchSpace, view: FleetView, steps: readonly Step[]): readonly Step[] {
  const left = { effort: EFFORT };
  return steps.map((step) => (isBound(step) ? evened(space, view, step, left) : step));
}

/** Tiles that whoever is free takes are of one size. */
function isBound({ mode, cover, reuse, parts }: Step): boolean {
  return mode === 'tile' && cover !== undefined && reuse !== true && parts.every(({ on }) => on.length === 1);
}

function evened(space: SearchSpace, view: FleetView, step: Step, left: { effort: number }): Step {
  const span = space.span(step.span.from, step.span.to);
  if (span === undefined) return step;
  let best = step;
  let ms = schedule(view, step.parts).ms;
  // A line that moved may move further; the others are looked at again when all of them have had their turn.
  for (let at = 0, failed = 0; ; ) {
    const covers = movedLines(best.cover as NonNullable<Step['cover']>, span.extents);
    const cover = covers[at % Math.max(1, covers.length)];
    if (cover === undefined || failed >= covers.length) break;
    // What is on either side of it is another tile.
    left.effort -= 2 * span.block.nodes.length;
    if (left.effort < 0) break;
    at += 1;
    failed += 1;
    const parts = span
      .tiles(cover)
      ?.map((cost, part): Assigned => ({ ...(best.parts[part] as Assigned), cost }));
    if (parts === undefined) continue;
    const next = schedule(view, parts).ms;
    const moved: Step = { ...best, parts, cover };
    if (!(next < ms * LESS) || !fitsStep(view, moved)) continue;
    [best, ms, failed] = [moved, next, 0];
    at -= 1;
  }
  return best;
}

/** Gains below this are rounding. */
const LESS = 1 - 1e-6;
