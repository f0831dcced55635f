/** A plan with kept tiles while it is searched for: what becomes of every block, and the steps that it comes to. */

import { codedCost } from './coded-space.ts';
import { type Keeping, partialCost } from './halo-cost.ts';
import type { Assigned } from './schedule.ts';
import type { Span } from './span.ts';
import type { Step } from './step.ts';
import type { WireForm } from './wire-form.ts';

/** What becomes of one block, before its parts are worked out. */
export type Move =
  | { readonly kind: 'given'; readonly step: Step }
  | {
      readonly kind: 'tile' | 'partial';
      readonly span: Span;
      readonly keep: Keeping;
      readonly entry: 'halo' | undefined;
    };

/** Steps by the move they are of, in the form they were last asked for: plans beside one another have most in common. */
const worked = new WeakMap<Move, { readonly form: WireForm; readonly step: Step }>();

/** Its steps with the exact costs of their parts; undefined where maps are too small for the tiles after all. */
export function stepsOf(moves: readonly Move[], form: WireForm): Step[] | undefined {
  const steps: Step[] = [];
  for (const move of moves) {
    const known = worked.get(move);
    const step = known?.form === form ? known.step : stepOf(move, form, steps);
    if (step === undefined) return undefined;
    // What parts of a sum take depends on the tiles before.
    if (move.kind !== 'partial') worked.set(move, { form, step });
    steps.push(step);
  }
  return steps;
}

function stepOf(move: Move, form: WireForm, before: readonly Step[]): Step | undefined {
  if (move.kind === 'given') {
    const { step } = move;
    return { ...step, parts: step.parts.map((part) => ({ ...part, cost: codedCost(part.cost, form) })) };
  }
  const { span, keep, entry } = move;
  const { members, cover } = keep;
  const on = (at: number): number[] => [members[at]?.index ?? 0];
  const entered = entry === undefined ? {} : { entry };
  if (move.kind === 'partial') {
    const made = madeShares(before, span.block.inputs[0] as string);
    const parts = made?.map(
      ({ tile, share }): Assigned => ({ cost: partialCost(span.whole, share), on: on(tile) }),
    );
    return parts && { span, mode: 'partial', parts, ...entered };
  }
  const parts = span.tiles(cover)?.map((cost, at): Assigned => ({ cost: codedCost(cost, form), on: on(at) }));
  return parts && { span, mode: 'tile', parts, cover, ...entered };
}

/** Tiles that hold something of a map, and the share of it: on small maps far from those of the cover. */
function madeShares(
  steps: readonly Step[],
  tensor: string,
): { readonly tile: number; readonly share: number }[] | undefined {
  const maker = steps.find(({ span }) => span.block.outputs.includes(tensor));
  const made =
    maker?.parts.flatMap(({ cost }, tile) => {
      const written = cost.writes?.find((each) => each.tensor === tensor);
      return written === undefined ? [] : [{ tile, bytes: written.bytes }];
    }) ?? [];
  const all = made.reduce((sum, { bytes }) => sum + bytes, 0);
  return all === 0 ? undefined : made.map(({ tile, bytes }) => ({ tile, share: bytes / all }));
}

/** Equal for plans of the same blocks on the same devices. */
export function keyOf(steps: readonly Step[]): string {
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
