/** What DeepThings' case must show. */

import { atLeast, atMost, type PlanTimes, type Target } from '../report.ts';
import { DEVICES, MEMORY_SHARE } from './conditions.ts';

/** Frames of one plan on some devices, against one bare device in the same run. */
export interface SpeedResult extends PlanTimes {
  readonly devices: number;
  readonly aloneMs: number;
}

/** The same with what the devices held. */
export interface MemoryResult extends SpeedResult {
  /** Of weights and activations on any device, as the planner counts them. */
  readonly plannedBytes: number;
  /** At most on any device while frames ran, beyond the same worker empty: the whole process. */
  readonly peakBytes: number;
  /** Of the untiled run. */
  readonly untiledBytes: number;
  /** Of the executor alone with one device's sub-models, weights and inputs included. */
  readonly executorBytes: number;
  readonly untiledExecutorBytes: number;
}

/** The same of strips, with what a stream of frames takes. */
export interface ReuseResult extends SpeedResult {
  /** Multiply-accumulates of a frame. */
  readonly macs: number;
  readonly framesPerSecond: number;
  /** Processor milliseconds of all devices together, by frame. */
  readonly deviceMs: number;
}

/** All layers in one piece on one device; and the same on a lean worker: what of the difference the tiles make. */
export const UNTILED = 'untiled';
export const UNTILED_LEAN = `${UNTILED}, lean`;

const LEAST_SPEED_UP = 2.3;
const LEAST_BOUNDED = 1.6;
const LEAST_STEALING = 1.7;
const MOST_LOST = 0.02;

export function speedUp({ aloneMs, medianMs }: SpeedResult): number {
  return aloneMs / medianMs;
}

/** Shares of the untiled run's peak: of the executor's memory, and of the whole process. */
export function sharesOf(result: MemoryResult): { readonly executor: number; readonly process: number } {
  return {
    executor: result.executorBytes / result.untiledExecutorBytes,
    process: result.peakBytes / result.untiledBytes,
  };
}

/** The fastest plan within the share of the untiled run's peak; where none is, the smallest. */
function boundedOf(memories: readonly MemoryResult[]): MemoryResult | undefined {
  const tiled = memories.filter(({ plan }) => plan !== UNTILED && plan !== UNTILED_LEAN);
  const share = (result: MemoryResult): number => Math.max(...Object.values(sharesOf(result)));
  const within = tiled.filter((result) => share(result) <= MEMORY_SHARE);
  const bySpeed = [...within].sort((a, b) => a.medianMs - b.medianMs);
  return bySpeed[0] ?? [...tiled].sort((a, b) => share(a) - share(b))[0];
}

export function deepThingsTargets(
  speeds: readonly SpeedResult[],
  memories: readonly MemoryResult[],
): Target[] {
  const most = speeds.filter(({ plan, devices }) => plan === 'ours' && devices === DEVICES.length);
  const bounded = boundedOf(memories);
  return [
    ...most.map((result) =>
      atLeast(`${result.devices} devices: x one device`, LEAST_SPEED_UP, speedUp(result)),
    ),
    ...(bounded === undefined
      ? []
      : [
          atLeast(`bounded memory (${bounded.plan}): x one device`, LEAST_BOUNDED, speedUp(bounded)),
          atMost('bounded memory: executor, peak / untiled peak', MEMORY_SHARE, sharesOf(bounded).executor),
          atMost('bounded memory: whole process, the same', MEMORY_SHARE, sharesOf(bounded).process),
        ]),
  ];
}

export function sourcesTargets(gains: { readonly moving: number; readonly steady: number }): Target[] {
  return [
    atLeast('one busy source, moving: stealing / static', LEAST_STEALING, gains.moving),
    atLeast('steady sources: stealing / static', 1 - MOST_LOST, gains.steady),
  ];
}
