/** What a plan is expected to do, by the same arithmetic the search compares plans with. */

import { computeMs } from '../cost/fleet.ts';
import type { Draft, Prediction, Strategy } from '../draft.ts';
import { simulate } from '../simulate/simulate.ts';
import { type FleetView, gatherMs, HUB, type Member, sendMs, taskMs } from './fleet-view.ts';
import { bytesOn, type Holding, holdingsOf, together } from './memory-of.ts';
import { codingOf } from './refine.ts';
import { schedule } from './schedule.ts';
import type { SearchSpace } from './space.ts';
import { type Steady, steady } from './steady.ts';
import { draftBlocks, type Step } from './step.ts';
import { RAW_FORM, type WireForm } from './wire-form.ts';

/** A plan that is compared with others: its steps and what is expected of it. */
export interface Candidate {
  readonly strategy: Strategy;
  readonly steps: readonly Step[];
  /** How its cut tensors travel. */
  readonly form: WireForm;
  readonly inFlight: number;
  readonly predicted: Prediction;
}

export interface CandidateInput {
  readonly strategy: Strategy;
  readonly steps: readonly Step[];
  /** Frames under way at once; absent: as many as keep the busiest resource busy. */
  readonly inFlight?: number | undefined;
  /** Absent: cut tensors travel as they are. */
  readonly form?: WireForm;
}

/** Predicts a plan: one frame alone block by block, and a stream by the loads of its resources. */
export function predict(view: FleetView, input: CandidateInput): Candidate {
  const { strategy, steps, inFlight, form = RAW_FORM } = input;
  const alone = strategy === 'one-device' ? localAlone(view, steps) : undefined;
  const parts = steps.flatMap((step) => step.parts);
  const latencyMs = alone ?? steps.reduce((sum, step) => sum + stepMs(view, step), 0);
  const only = view.members[parts[0]?.on[0] ?? -1]?.processor ?? HUB;
  const stream =
    alone === undefined ? steady(view, parts, steps[0]?.parts.length) : { periodMs: alone, bottleneck: only };
  const held = together(steps.map(holdingsOf));
  const frames = inFlight ?? enough(latencyMs + waitsMs(view, steps), stream.periodMs, held.size);
  const periodMs = Math.max(stream.periodMs, latencyMs / frames);
  return {
    strategy,
    steps,
    form,
    inFlight: frames,
    predicted: {
      latencyMs,
      framesPerSecond: 1000 / periodMs,
      bytesPerFrame: alone === undefined ? bytesOf(view, steps) : 0,
      bottleneck: nameOf(view, steps, stream),
      memoryBytes: memoryOf(view, held),
    },
  };
}

const times = new WeakMap<FleetView, WeakMap<Step, number>>();

/** Milliseconds of one step alone; worked out once where plans have it in common. */
function stepMs(view: FleetView, step: Step): number {
  const known = times.get(view) ?? new WeakMap<Step, number>();
  times.set(view, known);
  const ms = known.get(step) ?? schedule(view, step.parts).ms;
  known.set(step, ms);
  return ms;
}

/** Frames of a stream that is simulated to see its rate. */
const STREAM = 40;

/** Predicts a plan whose tiles stay: what its devices tell one another makes blocks overlap, which only the simulator knows. */
export function predictKept(space: SearchSpace, view: FleetView, input: CandidateInput): Candidate {
  const { strategy, steps, inFlight, form = RAW_FORM } = input;
  const blocks = draftBlocks(space, view, steps, form);
  const { fleet } = view;
  const alone = simulate(blocks, fleet, { frames: 1, inFlight: 1, binding: 'late' });
  const held = together(steps.map(holdingsOf));
  const frames = inFlight ?? held.size + 1;
  const stream =
    frames === 1 ? alone : simulate(blocks, fleet, { frames: STREAM, inFlight: frames, binding: 'late' });
  return {
    strategy,
    steps,
    form,
    inFlight: frames,
    predicted: {
      latencyMs: alone.latency.median,
      framesPerSecond: frames === 1 ? 1000 / alone.latency.median : stream.framesPerSecond,
      bytesPerFrame: alone.bytesPerFrame,
      bottleneck: stream.bottleneck,
      memoryBytes: memoryOf(view, held),
    },
  };
}

function memoryOf(view: FleetView, held: ReadonlyMap<number, Holding>): Record<string, number> {
  const memoryBytes: Record<string, number> = {};
  for (const [index, holding] of [...held].sort(([a], [b]) => a - b)) {
    const member = view.members[index] as Member;
    memoryBytes[member.device.id] = bytesOn(member, holding);
  }
  return memoryBytes;
}

/** Tasks of other blocks that one may have to wait for on a device: one computed, one received before it. */
const AHEAD = 2;

/** Milliseconds a frame waits in a stream for devices that are busy with other blocks, at the worst. */
function waitsMs(view: FleetView, steps: readonly Step[]): number {
  const longest = steps.map((step) => {
    const onDevice = new Map<number, number>();
    for (const { cost, on } of step.parts)
      for (const index of on) {
        const ms = taskMs(view.members[index] as Member, cost);
        onDevice.set(index, Math.max(onDevice.get(index) ?? 0, ms));
      }
    return onDevice;
  });
  return longest.reduce((sum, own, at) => {
    const others = longest.filter((_, block) => block !== at);
    const wait = [...own.keys()].reduce(
      (most, index) => Math.max(most, ...others.map((other) => other.get(index) ?? 0)),
      0,
    );
    return sum + AHEAD * wait;
  }, 0);
}

/** Frames that cover a frame's latency, and one more for each device to receive while it computes. */
function enough(latencyMs: number, periodMs: number, devices: number): number {
  if (!(periodMs > 0)) return 1 + devices;
  return Math.ceil(latencyMs / periodMs - 1e-9) + devices;
}

/** Milliseconds of a model that runs in one piece where the frames are: nothing is sent at all. */
function localAlone({ members }: FleetView, steps: readonly Step[]): number | undefined {
  const part = steps.length === 1 ? steps[0]?.parts[0] : undefined;
  const member = members[part?.on[0] ?? -1];
  const isHere = member !== undefined && member.device.medium === undefined;
  return part !== undefined && isHere ? computeMs(member.device, part.cost.work) : undefined;
}

function bytesOf({ members }: FleetView, steps: readonly Step[]): number {
  let bytes = 0;
  for (const { parts } of steps) {
    for (const { cost, on } of parts) {
      if (on.some((index) => members[index]?.device.medium !== undefined))
        bytes += cost.bytesIn + cost.bytesOut;
    }
  }
  return bytes;
}

/** The hub's processor goes by the name of the device on it where it computes for longer than it serves messages. */
function nameOf(view: FleetView, steps: readonly Step[], { bottleneck, periodMs }: Steady): string {
  if (bottleneck !== HUB) return view.resources[bottleneck] as string;
  let messages = 0;
  const used = new Set<number>();
  for (const { parts } of steps) {
    for (const { cost, on } of parts) {
      messages += sendMs(view, cost) + gatherMs(view, cost);
      for (const index of on) used.add(index);
    }
  }
  const local = view.members.find((member) => member.local && used.has(member.index));
  return local !== undefined && messages < periodMs / 2 ? local.device.id : 'hub';
}

/** A candidate with its blocks as they are written. */
export function draftFrom(space: SearchSpace, view: FleetView, candidate: Candidate): Draft {
  const { strategy, steps, form, inFlight, predicted } = candidate;
  const blocks = draftBlocks(space, view, steps, form);
  return { strategy, blocks, inFlight, predicted, ...codingOf(steps, form) };
}
