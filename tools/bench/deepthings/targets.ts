/** What DeepThings' case must show. */

import { atLeast, atMost, type Target } from '../report.ts';
import { DEVICES, MEMORY_SHARE } from './conditions.ts';

/** Frames of one plan on some devices, against one bare device in the same run. */
export interface SpeedResult {
  readonly plan: string;
  readonly devices: number;
  readonly medianMs: number;
  /** 95 % interval of the median; below six runs the range. */
  readonly interval: readonly [number, number];
  readonly n: number;
  readonly aloneMs: number;
}

/** The same with what the devices held. */
export interface MemoryResult extends SpeedResult {
  /** Bytes at most on any device while frames ran, beyond the same worker empty. */
  readonly peakBytes: number;
  /** Of the untiled run. */
  readonly untiledBytes: number;
}

const LEAST_SPEED_UP = 2.3;
const LEAST_BOUNDED = 1.6;

export function speedUp({ aloneMs, medianMs }: SpeedResult): number {
  return aloneMs / medianMs;
}

export function deepThingsTargets(
  speeds: readonly SpeedResult[],
  memories: readonly MemoryResult[],
): Target[] {
  const most = speeds.filter(({ plan, devices }) => plan === 'ours' && devices === DEVICES.length);
  const bounded = memories.filter(({ plan }) => plan === 'ours, bounded');
  return [
    ...most.map((result) =>
      atLeast(`${result.devices} devices: x one device`, LEAST_SPEED_UP, speedUp(result)),
    ),
    ...bounded.flatMap((result) => [
      atLeast('bounded memory: x one device', LEAST_BOUNDED, speedUp(result)),
      atMost('bounded memory: peak / untiled peak', MEMORY_SHARE, result.peakBytes / result.untiledBytes),
    ]),
  ];
}
