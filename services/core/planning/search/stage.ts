/** One stage of a pipeline: a span on devices of its own, and what each frame asks of them and of what all stages share. */

import type { Device } from '../cost/fleet.ts';
import { workerBytes } from '../cost/worker-memory.ts';
import { arrangements, evenCover } from './covers.ts';
import { type FleetView, gatherMs, HUB, type Leg, legMs, type Member, sendMs, taskMs } from './fleet-view.ts';
import { fitsStep } from './memory-of.ts';
import { shardStep } from './options.ts';
import { type Assigned, placeMs } from './schedule.ts';
import type { Span } from './span.ts';
import { type Step, wholeStep } from './step.ts';

export interface Stage {
  readonly step: Step;
  /** Milliseconds between frames by its own devices and their links, at the least. */
  readonly ownMs: number;
  /** Milliseconds of a frame at the shared resources, in the order of the fleet's list of them. */
  readonly sharedMs: readonly number[];
}

/** The stage of a span in one piece, whole frames by turns where it has several devices; undefined where it does not fit. */
export function wholeStage(view: FleetView, span: Span, members: readonly Member[]): Stage | undefined {
  const step = wholeStep(
    span,
    members.map(({ index }) => index),
  );
  return fitsStep(view, step) ? stageOf(view, step, true) : undefined;
}

/** The stages of a span whose every frame several devices share: shards, and tiles where memory asks for them. */
export function sharedStages(view: FleetView, span: Span, members: readonly Member[]): Stage[] {
  const stages: Stage[] = [];
  const add = (step: Step | undefined): void => {
    if (step !== undefined && fitsStep(view, step)) stages.push(stageOf(view, step, false));
  };
  if (members.length <= span.mostShards) add(shardStep(span, members));
  if (!span.tileable || !members.every(({ device }) => wantsTiles(device, span))) return stages;
  const { rows, columns } = span.extents;
  for (const arrangement of arrangements(members.length, rows, columns)) {
    const cover = evenCover(arrangement);
    const costs = span.tiles(cover);
    const parts = costs?.map((cost, at) => ({ cost, on: [(members[at] as Member).index] }));
    add(parts && { span, mode: 'tile', parts, cover });
  }
  return stages;
}

/** Whether a device can hold a span's weights, and lacks memory for its activations. */
function wantsTiles(device: Device, { whole }: Span): boolean {
  const weights = whole.weightBytes;
  const needs = (activations: number): number => workerBytes(device, { weights, activations, subModels: 1 });
  return needs(0) < device.memoryBytes && device.memoryBytes < needs(whole.activationBytes);
}

function stageOf(view: FleetView, step: Step, byTurns: boolean): Stage {
  const loads = new Float64Array(view.resources.length);
  const ownMs = byTurns ? turns(view, step, loads) : together(view, step, loads);
  for (const { cost } of step.parts) add(loads, HUB, sendMs(view, cost) + gatherMs(view, cost));
  return { step, ownMs, sharedMs: view.shared.map((resource) => loads[resource] as number) };
}

/** Frames go to whoever is free: every device takes as many as it can. Adds up what they have in common. */
function turns(view: FleetView, { parts: [part] }: Step, loads: Float64Array): number {
  const common = new Set(view.shared);
  const groups = new Map<number, { member: Member; count: number }>();
  for (const index of part?.on ?? []) {
    const member = view.members[index] as Member;
    const group = groups.get(member.like);
    if (group === undefined) groups.set(member.like, { member, count: 1 });
    else group.count++;
  }
  const all = [...groups.values()].map(({ member, count }) => {
    const uses = usesOf(view, member, part as Assigned);
    const own = uses.filter(([resource]) => !common.has(resource)).map(([, ms]) => ms);
    return { uses, own: own.length > 0, rate: count / Math.max(1e-9, ...own) };
  });
  const rate = all.reduce((sum, group) => sum + group.rate, 0);
  for (const group of all) {
    for (const [resource, ms] of group.uses)
      if (common.has(resource)) add(loads, resource, (ms * group.rate) / rate);
  }
  return all.some(({ own }) => own) ? 1 / rate : 0;
}

/** Every device has its part of each frame: the busiest decides. */
function together(view: FleetView, { parts }: Step, loads: Float64Array): number {
  for (const part of parts)
    for (const [resource, ms] of usesOf(view, view.members[part.on[0] as number] as Member, part))
      add(loads, resource, ms);
  const common = new Set(view.shared);
  return loads.reduce((most, ms, resource) => (common.has(resource) ? most : Math.max(most, ms)), 0);
}

function add(loads: Float64Array, resource: number, ms: number): void {
  loads[resource] = (loads[resource] as number) + ms;
}

/** Milliseconds of a part at each resource it needs on a device. */
function usesOf(view: FleetView, member: Member, { cost }: Assigned): [resource: number, ms: number][] {
  const along = (legs: readonly Leg[], bytes: number): [number, number][] =>
    legs.map((leg) => [leg.resource, legMs(leg, bytes)]);
  const uses = new Map<number, number>();
  for (const [resource, ms] of [
    // Devices of a stage have tasks of one dispatcher only.
    [member.places[0], placeMs(view, member, cost)] as const,
    [member.processor, taskMs(member, cost)] as const,
    ...along(member.down, cost.bytesIn),
    ...along(member.up, cost.bytesOut),
  ])
    uses.set(resource, (uses.get(resource) ?? 0) + ms);
  return [...uses];
}
