/** Frames per second of a closed loop, without its beginning and its end. */

import type { CameraFrame } from './camera-messages.ts';

/**
 * Between the end of frame `inFlight` and the last end while as many as ever were under way: the frames after it empty
 * the pipeline. NaN where less than two ends are left.
 */
export function loopRate(ended: readonly Pick<CameraFrame, 'endedAt'>[], inFlight: number): number {
  const between = ended.length - 2 * inFlight;
  const first = ended[inFlight - 1];
  const last = ended[inFlight - 1 + between];
  if (first === undefined || last === undefined || between < 1) return Number.NaN;
  return (1000 * between) / (last.endedAt - first.endedAt);
}

/** Below, one frame's end decides the rate. */
const FEWEST = 8;

/**
 * Frames a loop must be given for so many seconds between. Equal devices end their frames together: only over a
 * multiple of `devices` frames no part of such a bunch is counted.
 */
export function framesFor(
  framesPerSecond: number,
  seconds: number,
  { inFlight, devices }: { inFlight: number; devices: number },
): number {
  const between = Math.max(FEWEST, framesPerSecond * seconds);
  return 2 * inFlight + devices * Math.ceil(between / devices);
}
