/** One block of a plan while it is searched for, and the plan's steps as a draft. */

import { partialBlock } from '../../tiling/partial.ts';
import { reuseTiles } from '../../tiling/reuse.ts';
import { shardBlock } from '../../tiling/shard.ts';
import { tileOf, tileRectangles } from '../../tiling/tile-block.ts';
import type { Cover, FusedBlock, Tile } from '../../tiling/types.ts';
import { everything } from '../choose-blocks.ts';
import type { DraftBlock, Mode } from '../draft.ts';
import { MadeTensors } from '../made-tensors.ts';
import { wholeTile } from '../plan-document.ts';
import { type FleetView, type Member, taskMs } from './fleet-view.ts';
import type { Assigned } from './schedule.ts';
import type { SearchSpace } from './space.ts';
import type { Span } from './span.ts';
import { RAW_FORM, type WireForm } from './wire-form.ts';
import { withStrips } from './with-strips.ts';

export interface Step {
  readonly span: Span;
  readonly mode: Mode;
  readonly parts: readonly Assigned[];
  /** How the outputs are shared out, where they are. */
  readonly cover?: Cover;
  /** Whether tiles take strips from their neighbours instead of computing them again. */
  readonly reuse?: boolean;
  /** Its parts fetch what they lack from those who made it, and keep what their own device made. */
  readonly entry?: 'halo';
  readonly shares?: readonly number[];
}

/** The best plans found: of blocks in one piece alone, and with at least one that several devices share. */
export interface LatencyPlans {
  readonly whole: readonly Step[] | undefined;
  readonly shared: readonly Step[] | undefined;
}

/** A place that a search came to from the one before it. */
interface Reached<T> {
  readonly before: T | undefined;
}

/** The steps of the way to a place, each by what `stepOf` says of where it ends; the start has none. */
export function stepsTo<T extends Reached<T>>(end: T, stepOf: (at: T) => Step | undefined): Step[] {
  const steps: Step[] = [];
  for (let at: T | undefined = end; at !== undefined; at = at.before) {
    const step = stepOf(at);
    if (step !== undefined) steps.push(step);
  }
  return steps.reverse();
}

/** A block in one piece, on any of some devices. */
export function wholeStep(span: Span, on: readonly number[]): Step {
  return { span, mode: 'whole', parts: [{ cost: span.whole, on }] };
}

/** Blocks as they are written: with their regions, numbered, on devices by their ids; strips between them by a form. */
export function draftBlocks(
  space: SearchSpace,
  view: FleetView,
  steps: readonly Step[],
  form: WireForm = RAW_FORM,
): DraftBlock[] {
  const made = new MadeTensors();
  const blocks = steps.map((step, id): DraftBlock => {
    const drawn = drawnOf(space, view, step, id, made);
    made.add(drawn);
    return drawn;
  });
  const near = view.fleet.devices.filter(({ endpoint }) => endpoint === true);
  return withStrips(space.graph, blocks, { form, endpoints: new Set(near.map(({ id }) => id)) });
}

/** Blocks by the step they are of: plans of a search have most of their steps in common. */
const drafts = new WeakMap<FleetView, WeakMap<Step, DraftBlock>>();

/** The block of a step as it is without those before it, but for the sums that its parts read. */
function drawnOf(space: SearchSpace, view: FleetView, step: Step, id: number, made: MadeTensors): DraftBlock {
  const known = drafts.get(view) ?? new WeakMap<Step, DraftBlock>();
  drafts.set(view, known);
  const before = known.get(step);
  if (before?.block.id === id && !made.hasSums(before.block.inputs)) return before;
  const block = blockOf(space, step, id);
  const tiles = tilesOf(space, step, block, made);
  const drawn: DraftBlock = {
    block,
    mode: step.mode,
    ...(step.reuse === true ? { reuse: true } : {}),
    ...(step.entry === undefined ? {} : { entry: step.entry }),
    parts: tiles.map((tile, index) => {
      const { cost, on } = step.parts[index] as Assigned;
      const devices = on.map((member) => (view.members[member] as Member).device.id);
      const {
        reads: _reads,
        writes: _writes,
        after: _after,
        share: _share,
        pictures: _pictures,
        ...asked
      } = cost;
      return {
        tile,
        devices,
        ...asked,
        predictedMs: taskMs(view.members[on[0] as number] as Member, cost),
      };
    }),
  };
  // How sums are made and read depends on the steps before.
  if (step.mode !== 'partial' && !made.hasSums(block.inputs)) known.set(step, drawn);
  return drawn;
}

function blockOf({ graph, end }: SearchSpace, { span, mode }: Step, id: number): FusedBlock {
  // Alone it takes inputs nobody reads as well: a frame has them.
  if (mode === 'whole' && span.from === 0 && span.to === end) return { ...everything(graph), id };
  return { ...span.block, id, kind: mode };
}

function tilesOf(space: SearchSpace, step: Step, block: FusedBlock, made: MadeTensors): Tile[] {
  const { graph, analysis } = space;
  if (step.mode === 'partial') {
    const regions = made.regionsOf(block.inputs[0] as string);
    return partialBlock(graph, analysis, block, regions);
  }
  return plainTiles(space, step, block).map((tile) => made.reading(tile));
}

function plainTiles({ graph, analysis }: SearchSpace, step: Step, block: FusedBlock): readonly Tile[] {
  if (step.cover !== undefined && step.reuse === true) return reuseTiles(graph, analysis, block, step.cover);
  if (step.cover !== undefined) return coveredTiles({ graph, analysis }, step.span, block, step.cover);
  if (step.shares !== undefined) return shardBlock(graph, analysis, block, step.shares);
  return [wholeTile(graph, block, analysis.blockMacs(block))];
}

/** Tiles by the block they are of, and by their place and regions: plans of a search differ in few of them. */
const known = new WeakMap<FusedBlock, Map<string, Tile>>();

function coveredTiles(
  { graph, analysis }: Pick<SearchSpace, 'graph' | 'analysis'>,
  { block: of }: Span,
  block: FusedBlock,
  cover: Cover,
): readonly Tile[] {
  const tiles = known.get(of) ?? new Map<string, Tile>();
  known.set(of, tiles);
  return tileRectangles(graph, analysis, block, cover).map((outputs, index) => {
    let key = `${block.id} ${index}`;
    for (const { rows, columns } of outputs.values())
      key += ` ${rows[0]} ${rows[1]} ${columns[0]} ${columns[1]}`;
    const tile = tiles.get(key) ?? tileOf(graph, analysis, block, index, outputs);
    tiles.set(key, tile);
    return tile;
  });
}
