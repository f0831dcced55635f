/** The ways to run one span on several devices: estimated first, so that few are worked out. */

import type { Cover } from '../../tiling/types.ts';
import { balance, speedShares } from './balance.ts';
import { type Arrangement, arrangements, evenCover } from './covers.ts';
import type { FleetView, Member } from './fleet-view.ts';
import { taskMs } from './fleet-view.ts';
import { inGrains } from './grains.ts';
import { bytesOn, fits, holdingsOf } from './memory-of.ts';
import { type Assigned, schedule } from './schedule.ts';
import type { PartCost, Span } from './span.ts';
import { type Step, wholeStep } from './step.ts';
import { isUniform, ranked, subsetsOf } from './subsets.ts';

/** A step and how long it takes when everything waits for it. */
export interface TimedStep {
  readonly step: Step;
  readonly ms: number;
}

/** A step that was estimated. */
export interface Estimated {
  readonly ms: number;
  /** Operators times parts: what working it out takes. */
  readonly effort: number;
  /** Works it out; undefined where it cannot be done after all: maps too small, or memory. */
  build(): TimedStep | undefined;
}

export interface Option {
  /** About the least it can take. */
  readonly atLeast: number;
  /** undefined where it cannot be done; roughly where it is far from taking less than `worthMs`. */
  estimate(worthMs?: number): Estimated | undefined;
}

/** Tiles for each device that are tried where its memory is short. */
const FINER = [2, 4, 9, 16, 25];

/** A span in one piece, on each of the devices given that can hold it. */
export function wholeOptions(view: FleetView, span: Span, members: readonly Member[]): TimedStep[] {
  const options: TimedStep[] = [];
  for (const member of members) {
    const step = wholeStep(span, [member.index]);
    if (fits(view, holdingsOf(step))) options.push({ step, ms: schedule(view, step.parts).ms });
  }
  return options;
}

/** A span in tiles or in shards. */
export function sharedOptions(view: FleetView, span: Span, all: readonly Member[]): Option[] {
  const options: Option[] = [];
  const order = span.tileable || span.mostShards > 1 ? ranked(view, all, span.whole) : [];
  if (span.tileable) {
    const least = { weights: span.whole.weightBytes, activations: 0, subModels: 1 };
    const able = order.filter((member) => bytesOn(member, least) <= member.device.memoryBytes);
    for (const members of subsetsOf(able, 1)) tileOptions(view, span, members, options);
  }
  if (span.mostShards > 1) {
    for (const members of subsetsOf(order))
      if (members.length <= span.mostShards) options.push(shardOption(view, span, members));
  }
  return options;
}

function tileOptions(view: FleetView, span: Span, members: readonly Member[], options: Option[]): void {
  const count = members.length;
  const { weightBytes, activationBytes } = span.whole;
  const all = { weights: weightBytes, activations: activationBytes, subModels: 1 };
  const short = members.some((member) => bytesOn(member, all) > member.device.memoryBytes);
  const uniform = isUniform(members);
  const { rows, columns } = span.extents;
  if (count > 1 && !uniform) {
    const atLeast = bound(view, span, members, count);
    for (const arrangement of arrangements(count, rows, columns))
      options.push({
        atLeast,
        estimate: (worthMs) => unequalTiles(view, span, members, arrangement, worthMs),
      });
  }
  if (short && (count === 1 || uniform)) reuseOptions(view, span, members, options);
  const tiles = new Set(count > 1 && uniform ? [count, 2 * count] : []);
  if (short && (count === 1 || uniform)) for (const finer of FINER) tiles.add(finer * count);
  for (const number of tiles) {
    const atLeast = bound(view, span, members, number);
    for (const arrangement of arrangements(number, rows, columns))
      options.push({ atLeast, estimate: () => evenTiles(view, span, members, arrangement) });
  }
}

/**
 * Strips, each every second of which takes from its neighbours what they made: where a frame is worked off tile by tile for
 * the sake of memory, what tiles compute twice is time, and waiting for one another costs none.
 */
function reuseOptions(view: FleetView, span: Span, members: readonly Member[], options: Option[]): void {
  const { rows, columns } = span.extents;
  for (const finer of FINER) {
    const [strips] = arrangements(finer * members.length, rows, columns);
    if (strips === undefined) continue;
    const atLeast = bound(view, span, members, finer * members.length);
    options.push({ atLeast, estimate: () => reusedTiles(view, span, members, evenCover(strips)) });
  }
}

function reusedTiles(
  view: FleetView,
  span: Span,
  members: readonly Member[],
  cover: Cover,
): Estimated | undefined {
  const on = members.map(({ index }) => index);
  const estimate = span.estimate(cover);
  if (estimate === undefined) return undefined;
  const total = estimate.reduce((sum, { share = 1 }) => sum + share, 0);
  const once = estimate.map(
    (cost): Assigned => ({ cost: { ...cost, share: (cost.share ?? 1) / total }, on }),
  );
  return {
    ms: schedule(view, once).ms,
    // Regions are worked out for the tiles as such, and again with what their neighbours have.
    effort: 3 * span.block.nodes.length * estimate.length,
    build() {
      const parts = span.reuse(cover)?.map((cost): Assigned => ({ cost, on }));
      return parts && timed(view, { span, mode: 'tile', parts, cover, reuse: true });
    },
  };
}

/** Tiles of one size, more than one for each device or not, each to whoever is free. */
function evenTiles(
  view: FleetView,
  span: Span,
  members: readonly Member[],
  arrangement: Arrangement,
): Estimated | undefined {
  const cover = evenCover(arrangement);
  const on = members.map(({ index }) => index);
  const step = (costs: readonly PartCost[]): Step => {
    return { span, mode: 'tile', parts: costs.map((cost) => ({ cost, on })), cover };
  };
  const estimate = span.estimate(cover);
  if (estimate === undefined) return undefined;
  return {
    ms: schedule(view, step(estimate).parts).ms,
    effort: span.block.nodes.length * estimate.length,
    build() {
      const costs = span.tiles(cover);
      return costs && timed(view, step(costs));
    },
  };
}

/** A tile for each device, of the size that suits it. */
function unequalTiles(
  view: FleetView,
  span: Span,
  members: readonly Member[],
  arrangement: Arrangement,
  worthMs?: number,
): Estimated | undefined {
  const balanced = balance(view, span, members, arrangement, worthMs);
  if (balanced === undefined) return undefined;
  const { cover, ms } = balanced;
  return {
    ms,
    effort: span.block.nodes.length * members.length,
    build() {
      const parts = span.tiles(cover)?.map((cost, at): Assigned => {
        return { cost, on: [(members[at] as Member).index] };
      });
      return parts && timed(view, { span, mode: 'tile', parts, cover });
    },
  };
}

function shardOption(view: FleetView, span: Span, members: readonly Member[]): Option {
  return {
    atLeast: 0,
    estimate() {
      const step = shardStep(span, members);
      const exact = step && timed(view, step);
      return exact && { ms: exact.ms, effort: 0, build: () => exact };
    },
  };
}

/** A span's channels shared out by speed, each shard bound to one device: nobody else has its weights. */
export function shardStep(span: Span, members: readonly Member[]): Step | undefined {
  const shares = isUniform(members) ? members.map(() => 1) : inGrains(speedShares(members, span.whole));
  const costs = span.shards(shares);
  if (costs === undefined) return undefined;
  const parts = costs.map((cost, at): Assigned => ({ cost, on: [(members[at] as Member).index] }));
  return { span, mode: 'shard', parts, shares };
}

function timed(view: FleetView, step: Step): TimedStep | undefined {
  return fits(view, holdingsOf(step)) ? { step, ms: schedule(view, step.parts).ms } : undefined;
}

/** Share of a span that tiles may leave out: rows that a stride or a crop never reads. */
const LEFT_OUT = 0.1;

/**
 * What hardly any tiling can beat: the work over all processors at once, while the hub sends one input after the other:
 * on average a device waits for half of them, and for as many of the outputs. No less than every byte through the hub.
 */
function bound(view: FleetView, span: Span, members: readonly Member[], parts: number): number {
  const { whole } = span;
  const { hub, media } = view.fleet;
  const link = hub.medium === undefined ? undefined : media.get(hub.medium);
  const byteMs = Math.max(hub.byteMs, link === undefined ? 0 : 1 / link.bytesPerMs);
  const [speed, far] = members.reduce(
    ([all, remote], member) => {
      const own = 1 / Math.max(taskMs(member, whole), 1e-9);
      return [all + own, remote + (member.local ? 0 : own)];
    },
    [0, 0],
  );
  const bytes = whole.bytesIn + whole.bytesOut;
  // With more tiles than devices only the first of each is waited for.
  const waits = (0.5 * bytes * byteMs * members.length) / parts;
  const rate = speed - far + (far === 0 ? 0 : 1 / (1 / far + waits));
  return (1 - LEFT_OUT) * Math.max(1 / rate, 2 * parts * hub.messageMs);
}
