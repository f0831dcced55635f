/** The plans a chosen one was held against: one per idea of distribution, those that fit no memory among them. */

import { TilepipeError } from '../../runtime/errors.ts';
import { type Fleet, type KindCost, OTHER } from '../cost/fleet.ts';
import type { Draft, Prediction } from '../draft.ts';
import {
  type Objective,
  type SearchResult,
  type SearchSpace,
  search,
  type WireOptions,
} from '../search/search.ts';
import { simulate } from '../simulate/simulate.ts';
import { levelled } from './changed-fleet.ts';
import type { AlternativeName } from './plan-names.ts';
import { steadyStream } from './steady-stream.ts';

export interface Alternative {
  readonly name: AlternativeName;
  readonly draft: Draft;
  /** Whether every device has the memory for it. */
  readonly fits: boolean;
  /** In a steady stream that keeps it busy, also where it was made for one frame at a time. */
  readonly framesPerSecond: number;
}

export interface Wanted {
  readonly objective: Objective;
  /** Frames under way at once; the search's own choice where absent. */
  readonly inFlight?: number;
  /** How cut tensors may travel; absent: as they are, or deflated. */
  readonly wire?: WireOptions;
}

/** What the search finds on a fleet; undefined where nothing fits its memory. */
export function found(space: SearchSpace, fleet: Fleet, wanted: Wanted): SearchResult | undefined {
  try {
    return search(space, fleet, wanted);
  } catch (error) {
    if (error instanceof TilepipeError && error.code === 'plan-impossible') return undefined;
    throw error;
  }
}

/** The figure an objective makes small. */
export function costOf({ latencyMs, framesPerSecond }: Prediction, objective: Objective): number {
  return objective === 'latency' ? latencyMs : 1 / framesPerSecond;
}

/** What the search found, the chosen plan first; then what would need more memory than there is. */
export function alternativesOf(
  space: SearchSpace,
  fleet: Fleet,
  { best, alternatives }: SearchResult,
  wanted: Wanted,
): Alternative[] {
  const alternative = (draft: Draft, name: AlternativeName = draft.strategy, fits = true): Alternative => ({
    name,
    draft,
    fits,
    framesPerSecond: streamRate(draft, fleet, wanted),
  });
  const fitting = alternatives.map((draft) => alternative(draft));
  const equal = equalTiles(space, fleet, wanted);
  if (equal !== undefined) fitting.push(alternative(equal, 'equal-tiles'));
  const cost = ({ draft }: Alternative): number => costOf(draft.predicted, wanted.objective);
  const first = ({ draft }: Alternative): number => (draft === best ? 0 : 1);
  fitting.sort((a, b) => first(a) - first(b) || cost(a) - cost(b));
  const names = new Set(fitting.map(({ name }) => name));
  const others = withoutLimits(space, fleet, wanted)
    .filter(({ strategy }) => !names.has(strategy))
    .map((draft) => alternative(draft, draft.strategy, false));
  return [...fitting, ...others];
}

/** The rate a plan is expected to give; one made for latency is asked for more than a frame at a time. */
export function streamRate(draft: Draft, fleet: Fleet, { objective, inFlight }: Wanted): number {
  if (objective === 'throughput' || inFlight !== undefined) return draft.predicted.framesPerSecond;
  return steadyStream(draft, fleet).framesPerSecond;
}

function withoutLimits(space: SearchSpace, fleet: Fleet, wanted: Wanted): readonly Draft[] {
  if (fleet.devices.every(({ memoryBytes }) => !Number.isFinite(memoryBytes))) return [];
  const devices = fleet.devices.map((device) => ({ ...device, memoryBytes: Number.POSITIVE_INFINITY }));
  return found(space, { ...fleet, devices }, wanted)?.alternatives ?? [];
}

/** The best parallel plan of somebody who takes the devices for equal, as it would run on the real ones. */
function equalTiles(space: SearchSpace, fleet: Fleet, wanted: Wanted): Draft | undefined {
  if (!unequal(fleet)) return undefined;
  const drafts = found(space, levelled(fleet), wanted)?.alternatives;
  const draft = drafts?.find(({ strategy }) => strategy === 'parallel');
  if (draft === undefined) return undefined;
  const alone = simulate(draft.blocks, fleet, { frames: 1, inFlight: 1, binding: 'late' });
  const { framesPerSecond, bottleneck } = steadyStream(draft, fleet, draft.inFlight);
  const predicted = { ...draft.predicted, latencyMs: alone.latency.median, framesPerSecond, bottleneck };
  return { ...draft, predicted };
}

/** Speeds that differ by less than this are taken for equal. */
const TOLERANCE = 0.02;

function unequal({ devices }: Fleet): boolean {
  const [first, ...others] = devices;
  if (first === undefined) return false;
  return others.some(({ kinds }) =>
    [...first.kinds].some(([kind, cost]) => differs(cost, kinds.get(kind) ?? kinds.get(OTHER))),
  );
}

function differs(a: KindCost, b: KindCost | undefined): boolean {
  if (b === undefined) return true;
  return (['run', 'mac', 'byte', 'weight'] as const).some(
    (key) => Math.abs(a[key] - b[key]) > TOLERANCE * Math.max(a[key], b[key]),
  );
}
