/**
 * The best pipeline: stages one after the other, each on devices of its own,
 * `f(j, m) = min over i, k of max(f(i, m - k), stage(i..j) on the next k)` (PipeDream, SOSP'19), with the hub and shared
 * media as loads that add up over the stages. Devices are taken in a given order: for equal ones that is exact.
 */

import type { FleetView, Member } from './fleet-view.ts';
import { fitsOn } from './memory-of.ts';
import { aloneOn, schedule } from './schedule.ts';
import type { SearchSpace } from './space.ts';
import type { Span } from './span.ts';
import { type Stage, sharedStages, wholeStage } from './stage.ts';
import { type Step, stepsTo, wholeStep } from './step.ts';

export interface PipelineOptions {
  /** Devices in the order in which stages take them. */
  readonly order: readonly Member[];
  /** The least time between frames, or for one frame alone. */
  readonly least: 'period' | 'latency';
  /** Stages may have several devices, by whole frames in turn, by shards, or by tiles. */
  readonly several: boolean;
  /** Milliseconds, of what is to be least, from which on a pipeline is of no use; absent: none. */
  readonly limitMs?: number;
}

interface Label {
  readonly ownMs: number;
  readonly sharedMs: readonly number[];
  readonly latencyMs: number;
  /** What labels are compared by: milliseconds. */
  readonly value: number;
  readonly before: Label | undefined;
  readonly found: Found | undefined;
}

/** Labels kept for a cut and a number of devices; few are ever undominated. */
const MOST_LABELS = 12;
/** Devices, or groups of as many, that stages are made of: more only make the stages larger. */
const MOST_UNITS = 16;

/** The best pipeline of at least two stages; undefined where none fits. */
export function pipelinePlan(
  space: SearchSpace,
  view: FleetView,
  options: PipelineOptions,
): readonly Step[] | undefined {
  const { limitMs = Number.POSITIVE_INFINITY } = options;
  // By latency one label is as good as another or better, and all that is kept.
  if (options.least === 'latency') {
    const best = run(space, view, options, 1, limitMs);
    return best && planTo(best);
  }
  const rough = run(space, view, options, 1, limitMs);
  const best = run(space, view, options, MOST_LABELS, rough?.value ?? limitMs) ?? rough;
  return best && planTo(best);
}

function run(
  space: SearchSpace,
  view: FleetView,
  options: PipelineOptions,
  most: number,
  limit: number,
): Label | undefined {
  const units = unitsOf(options.order);
  const stagesOf = stageFinder(view, units, options);
  const start: Label = {
    ownMs: 0,
    sharedMs: view.shared.map(() => 0),
    latencyMs: 0,
    value: 0,
    before: undefined,
    found: undefined,
  };
  const reached: Label[][][] = [
    Array.from({ length: units.length + 1 }, (_, used) => (used === 0 ? [start] : [])),
  ];
  for (let to = 1; to <= space.end; to++) {
    const here: Label[][] = Array.from({ length: units.length + 1 }, () => []);
    for (let from = 0; from < to; from++) {
      // One stage alone is no pipeline.
      if (from === 0 && to === space.end) continue;
      const before = reached[from] as Label[][];
      const span = before.every((labels) => labels.length === 0) ? undefined : space.span(from, to);
      if (span === undefined) continue;
      for (const [used, labels] of before.entries()) {
        if (labels.length === 0) continue;
        for (const found of stagesOf(span, used)) {
          for (const label of labels) {
            const next = joined(label, found, options.least);
            if (next.value <= limit) insert(here[used + found.count] as Label[], next, most, options.least);
          }
        }
      }
    }
    reached.push(here);
  }
  let best: Label | undefined;
  for (const labels of reached[space.end] as Label[][]) {
    for (const label of labels)
      if (label.value < (best?.value ?? Number.POSITIVE_INFINITY) * (1 - 1e-9)) best = label;
  }
  return best;
}

/** Devices in groups of one size, so that there are no more than the search can handle. */
function unitsOf(order: readonly Member[]): Member[][] {
  const size = Math.ceil(order.length / MOST_UNITS);
  return Array.from({ length: Math.floor(order.length / size) }, (_, at) =>
    order.slice(at * size, (at + 1) * size),
  );
}

interface Found {
  /** On devices like those it is for. */
  readonly stage: Stage;
  readonly members: readonly Member[];
  /** Units it takes. */
  readonly count: number;
  /** Milliseconds of one frame alone, where that is searched for. */
  readonly latencyMs: number;
}

/** The stages of a span after the first `used` units; those of devices alike are worked out once. */
function stageFinder(view: FleetView, units: readonly Member[][], { several, least }: PipelineOptions) {
  const known = new Map<string, readonly Omit<Found, 'members'>[]>();
  const kinds = unitKinds(units);
  const work = (span: Span, members: readonly Member[], count: number): Omit<Found, 'members'>[] => {
    if (least === 'latency' && !several) return aloneStage(view, span, members[0] as Member);
    const whole = wholeStage(view, span, members);
    const parted = members.length > 1 ? sharedStages(view, span, members) : [];
    return [...(whole === undefined ? [] : [whole]), ...parted].map((stage) => {
      const latencyMs = least === 'latency' ? schedule(view, stage.step.parts).ms : 0;
      return { stage, count, latencyMs };
    });
  };
  // Slices are asked for again and again.
  const slices = units.map((_, used) =>
    units.slice(used, several ? undefined : used + 1).map((_unit, at) => {
      const members = units.slice(used, used + at + 1).flat();
      return {
        members: several ? members : members.slice(0, 1),
        key: kinds.slice(used, used + at + 1).join(' '),
      };
    }),
  );
  return (span: Span, used: number): Found[] => {
    const found: Found[] = [];
    for (const [at, { members, key }] of (slices[used] ?? []).entries()) {
      // What shares the hub's processor is a stage of its own.
      if (members.length > 1 && members.some(({ local }) => local)) continue;
      const id = `${span.from} ${span.to} ${key}`;
      let stages = known.get(id);
      if (stages === undefined) {
        stages = work(span, members, at + 1);
        known.set(id, stages);
      }
      for (const stage of stages) found.push({ ...stage, members });
    }
    return found;
  };
}

const NO_LOADS: readonly number[] = [];

/** Where one frame counts, what others would ask of the resources does not matter. */
function aloneStage(view: FleetView, span: Span, member: Member): Omit<Found, 'members'>[] {
  if (!fitsOn(member, span.whole)) return [];
  const stage = { step: wholeStep(span, [member.index]), ownMs: 0, sharedMs: NO_LOADS };
  return [{ stage, count: 1, latencyMs: aloneOn(view, member, span.whole) }];
}

/** Equal numbers for units of the same devices. */
function unitKinds(units: readonly Member[][]): number[] {
  const kinds = new Map<string, number>();
  return units.map((members) => {
    const key = members
      .map(({ like, device }) => `${like}:${device.memoryBytes - device.idleBytes}`)
      .join(' ');
    const kind = kinds.get(key) ?? kinds.size;
    kinds.set(key, kind);
    return kind;
  });
}

/** A step on other devices, as many and like its own. */
function onto(step: Step, members: readonly Member[]): Step {
  const ranks = new Map([...new Set(step.parts.flatMap(({ on }) => on))].map((index, rank) => [index, rank]));
  const parts = step.parts.map(({ cost, on }) => ({
    cost,
    on: on.map((index) => (members[ranks.get(index) as number] as Member).index),
  }));
  return { ...step, parts };
}

function joined(before: Label, found: Found, least: PipelineOptions['least']): Label {
  const { stage, latencyMs: ms } = found;
  if (least === 'latency') {
    const latencyMs = before.latencyMs + ms;
    return { ownMs: 0, sharedMs: NO_LOADS, latencyMs, value: latencyMs, before, found };
  }
  const ownMs = Math.max(before.ownMs, stage.ownMs);
  const sharedMs = before.sharedMs.map((ms, at) => ms + (stage.sharedMs[at] as number));
  return { ownMs, sharedMs, latencyMs: 0, value: Math.max(ownMs, ...sharedMs), before, found };
}

/** Adds a label unless another is as good in everything; drops what it beats. */
function insert(labels: Label[], label: Label, most: number, least: PipelineOptions['least']): void {
  if (labels.some((other) => beats(other, label, least))) return;
  for (let at = labels.length - 1; at >= 0; at--)
    if (beats(label, labels[at] as Label, least)) labels.splice(at, 1);
  if (labels.length < most) labels.push(label);
  else {
    const worst = labels.reduce((a, b) => (b.value > a.value ? b : a));
    if (label.value < worst.value) labels[labels.indexOf(worst)] = label;
  }
}

function beats(a: Label, b: Label, least: PipelineOptions['least']): boolean {
  if (least === 'latency') return a.latencyMs <= b.latencyMs;
  return a.ownMs <= b.ownMs && a.sharedMs.every((ms, at) => ms <= (b.sharedMs[at] as number));
}

function planTo(end: Label): Step[] {
  return stepsTo(end, ({ found }) => found && onto(found.stage.step, found.members));
}
