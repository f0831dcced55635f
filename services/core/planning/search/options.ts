/** The ways to run one span on several devices: estimated first, so that few are worked out. */

import type { Cover } from '../../tiling/types.ts';
import { balance, inTurn, speedShares } from './balance.ts';
import { bound } from './bound.ts';
import { type Arrangement, arrangements, evenCover } from './covers.ts';
import type { FleetView, Member } from './fleet-view.ts';
import { inGrains } from './grains.ts';
import { bytesOn, fitsOn, fitsStep } from './memory-of.ts';
import { type Assigned, aloneOn, schedule } from './schedule.ts';
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
  /** Whether what can be estimated can be done: not where memory is short. */
  readonly certain: boolean;
  /** undefined where it cannot be done, or hardly in less than `worthMs`; roughly where it is far from that. */
  estimate(worthMs?: number): Estimated | undefined;
}

/** Tiles for each device, beside one. */
const FINER = [2, 4, 9, 16, 25];

/** What more tiles for each device may save at the least, for them to be tried where memory does not ask for them. */
const WORTH = 0.97;

/** A span in one piece, on each of the devices given that can hold it. */
export function wholeOptions(view: FleetView, span: Span, members: readonly Member[]): TimedStep[] {
  const options: TimedStep[] = [];
  for (const member of members) {
    if (!fitsOn(member, span.whole)) continue;
    options.push({ step: wholeStep(span, [member.index]), ms: aloneOn(view, member, span.whole) });
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
  if (short && (count === 1 || uniform)) reuseOptions(view, span, members, options);
  if (short && count > 1 && uniform) columnOptions(view, span, members, options);
  const anyone = [members.map(({ index }) => index)];
  const tiles = (arrangement: Arrangement, worthMs?: number): Estimated | undefined =>
    uniform || count === 1
      ? evenTiles(view, span, anyone, arrangement)
      : unequalTiles(view, span, members, arrangement, worthMs);
  const once = bound(view, span, members, count);
  for (const times of [1, ...FINER]) {
    if (count === 1 && times === 1) continue;
    // Nothing finer is tried: no bound is needed.
    if (times > 2 && count > 1 && !uniform) break;
    const atLeast = times === 1 ? once : bound(view, span, members, times * count);
    if (!isTried(times, { short, uniform, devices: count, pays: atLeast < WORTH * once })) continue;
    for (const arrangement of arrangements(times * count, rows, columns))
      options.push({
        atLeast,
        certain: !short,
        estimate: (worthMs) =>
          isHopeless(view, span, members, arrangement, worthMs) ? undefined : tiles(arrangement, worthMs),
      });
  }
}

/**
 * Tiles in columns, each bound to one device: it holds the sub-models of one column, where tiles that go to whoever is free
 * need those of all places on every device.
 */
function columnOptions(view: FleetView, span: Span, members: readonly Member[], options: Option[]): void {
  for (const times of FINER) {
    const arrangement = new Array<number>(times).fill(members.length);
    options.push({
      atLeast: bound(view, span, members, times * members.length),
      certain: false,
      estimate: (worthMs) =>
        isHopeless(view, span, members, arrangement, worthMs)
          ? undefined
          : evenTiles(
              view,
              span,
              members.map(({ index }) => [index]),
              arrangement,
            ),
    });
  }
}

/** What decides how many tiles for each device are tried. */
interface Circumstances {
  /** Some device has too little memory for the span in one piece. */
  readonly short: boolean;
  /** Any device may take any tile. */
  readonly uniform: boolean;
  readonly devices: number;
  /** There is less to wait for than with one tile each, because the next is received while one is computed. */
  readonly pays: boolean;
}

function isTried(times: number, { short, uniform, devices, pays }: Circumstances): boolean {
  if (times === 1) return true;
  if (devices === 1) return short || pays;
  if (!uniform) return times === 2 && pays;
  return times === 2 || short || (times === 4 && pays);
}

/** Whether tiles so arranged are not worth an estimate, for what they compute and read twice. */
function isHopeless(
  view: FleetView,
  span: Span,
  members: readonly Member[],
  arrangement: Arrangement,
  worthMs = Number.POSITIVE_INFINITY,
): boolean {
  const overlap = span.overlap(arrangement);
  const parts = arrangement.reduce((sum, count) => sum + count, 0);
  return overlap === undefined || bound(view, span, members, parts, overlap) > worthMs;
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
    options.push({
      atLeast,
      certain: false,
      estimate: () => reusedTiles(view, span, members, evenCover(strips)),
    });
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

/** Tiles of one size, by turns to whoever is free of those named. */
function evenTiles(
  view: FleetView,
  span: Span,
  turns: readonly (readonly number[])[],
  arrangement: Arrangement,
): Estimated | undefined {
  const cover = evenCover(arrangement);
  const step = (costs: readonly PartCost[]): Step => {
    const parts = costs.map((cost, at): Assigned => ({ cost, on: turns[at % turns.length] ?? [] }));
    return { span, mode: 'tile', parts, cover };
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

/** Tiles for each device, of the size that suits it. */
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
    effort: span.block.nodes.length * arrangement.reduce((sum, tiles) => sum + tiles, 0),
    build() {
      const parts = span.tiles(cover)?.map((cost, at): Assigned => {
        return { cost, on: [inTurn(members, at).index] };
      });
      return parts && timed(view, { span, mode: 'tile', parts, cover });
    },
  };
}

function shardOption(view: FleetView, span: Span, members: readonly Member[]): Option {
  return {
    atLeast: 0,
    certain: true,
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
  return fitsStep(view, step) ? { step, ms: schedule(view, step.parts).ms } : undefined;
}
