/** Plans made by hand: a paper's own, or equal tiles, predicted with the arithmetic of the search. */

import { TilepipeError } from '../../runtime/errors.ts';
import type { Cover } from '../../tiling/types.ts';
import type { Fleet } from '../cost/fleet.ts';
import type { Draft, Strategy } from '../draft.ts';
import { type FleetView, type Member, viewOf } from './fleet-view.ts';
import { latencyPlans } from './latency.ts';
import { draftFrom, predict } from './predict.ts';
import { type SearchSpace, spaceAt } from './space.ts';
import type { Span } from './span.ts';
import { type Step, wholeStep } from './step.ts';

export interface FixedPlan {
  /** Where blocks end: numbers of nodes before the cut in the space's order, or names of the nodes they end with. */
  readonly cuts: readonly (number | string)[];
  /** One for all blocks or one for each; parts of a block that cannot be tiled run whole on its first device. */
  readonly covers?: Cover | readonly (Cover | undefined)[];
  /** Ids, for all blocks or for each. */
  readonly devices: readonly string[] | readonly (readonly string[])[];
  /** Whether a tile goes to any of the devices that is free; otherwise tile i is bound to device i. */
  readonly late?: boolean;
  /** Frames under way at once; absent: one. */
  readonly inFlight?: number;
}

/**
 * The draft of a plan made by hand. Memory is reported, not checked. Throws `usage` for nodes or devices that do not
 * exist and cuts out of order, `tiling-refused` where a map is too small for its cover.
 */
export function draftOf(space: SearchSpace, fleet: Fleet, plan: FixedPlan): Draft {
  const view = viewOf(fleet);
  const asked = [0, ...plan.cuts.map((cut) => positionOf(space, cut)), space.line.nodes.length];
  if (asked.some((at, index) => index > 0 && at <= (asked[index - 1] as number)))
    throw new TilepipeError('usage', `cuts after ${asked.slice(1, -1).join(', ')} nodes do not rise`);
  const blocks = asked.slice(1).map((end, block) => {
    const cover = coverFor(plan, block);
    return { begin: asked[block] as number, end, cover, members: membersFor(view, plan, block) };
  });
  const ends = blocks.flatMap(({ begin, end, cover }) => [
    ...(cover === undefined ? [] : tileableEnds(space, begin, end)),
    end,
  ]);
  const fine = spaceAt(space, [0, ...ends]);
  const steps = ends.map((end, at): Step => {
    const block = blocks.find((candidate) => end <= candidate.end) as (typeof blocks)[number];
    const span = fine.span(at, at + 1);
    if (span === undefined)
      throw new TilepipeError('usage', `the block that ends after ${end} nodes reads nothing of the frame`);
    return fixedStep(span, block.cover, block.members, plan.late === true);
  });
  const strategy = strategyOf(steps);
  return draftFrom(fine, view, predict(view, { strategy, steps, inFlight: plan.inFlight ?? 1 }));
}

/**
 * The best plan with tiles of one size, each bound to one device as if all were as fast as the first, and what it
 * really does. Throws `plan-impossible` where nothing can be shared out.
 */
export function evenDraft(space: SearchSpace, fleet: Fleet, inFlight = 1): Draft {
  const view = viewOf(fleet);
  const [first] = fleet.devices;
  const devices = fleet.devices.map((device) =>
    first === undefined
      ? device
      : { ...device, kinds: first.kinds, taskMs: first.taskMs, byteMs: first.byteMs },
  );
  const steps = latencyPlans(space, viewOf({ ...fleet, devices })).shared;
  if (steps === undefined)
    throw new TilepipeError('plan-impossible', 'no block of the model can be shared out among the devices.');
  const bound = steps.map((step) => ({
    ...step,
    parts: step.parts.map(({ cost, on }, at) => ({ cost, on: [on[at % on.length] as number] })),
  }));
  return draftFrom(space, view, predict(view, { strategy: strategyOf(bound), steps: bound, inFlight }));
}

function fixedStep(span: Span, cover: Cover | undefined, members: readonly Member[], late: boolean): Step {
  const all = members.map(({ index }) => index);
  if (cover === undefined || !span.tileable) return wholeStep(span, late ? all : all.slice(0, 1));
  const costs = span.tiles(cover);
  if (costs === undefined)
    throw new TilepipeError('tiling-refused', `the maps before node ${span.to} are too small for the cover.`);
  const parts = costs.map((cost, at) => ({ cost, on: late ? all : [all[at % all.length] as number] }));
  return { span, mode: 'tile', parts, cover };
}

function positionOf({ line }: SearchSpace, cut: number | string): number {
  if (typeof cut === 'number') return cut;
  const at = line.nodes.findIndex(({ name }) => name === cut);
  if (at < 0) throw new TilepipeError('usage', `there is no node "${cut}"`);
  return at + 1;
}

function coverFor({ covers }: FixedPlan, block: number): Cover | undefined {
  return covers !== undefined && 'bands' in covers ? covers : covers?.[block];
}

function membersFor({ members }: FleetView, { devices }: FixedPlan, block: number): Member[] {
  const own = devices[block];
  const ids = (
    typeof own === 'object' ? own : devices.filter((id) => typeof id === 'string')
  ) as readonly string[];
  if (ids.length === 0) throw new TilepipeError('usage', `block ${block} has no device`);
  return ids.map((id) => {
    const member = members.find(({ device }) => device.id === id);
    if (member === undefined) throw new TilepipeError('usage', `there is no device "${id}"`);
    return member;
  });
}

/** Where what can be tiled meets what cannot, inside a range. */
function tileableEnds({ line }: SearchSpace, begin: number, end: number): number[] {
  const ends: number[] = [];
  for (let at = begin + 1; at < end; at++) {
    const [before, after] = [line.stretch[at - 1] as number, line.stretch[at] as number];
    if (before !== after && line.tileable[before] !== line.tileable[after]) ends.push(at);
  }
  return ends;
}

function strategyOf(steps: readonly Step[]): Strategy {
  const used = new Set(steps.flatMap(({ parts }) => parts.flatMap(({ on }) => on)));
  if (steps.some(({ mode }) => mode !== 'whole')) return 'parallel';
  if (used.size === 1) return steps.length === 1 ? 'one-device' : 'pipeline';
  return steps.length === 1 ? 'replicas' : 'pipeline';
}
