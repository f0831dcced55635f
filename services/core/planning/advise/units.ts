/** Speeds, times and factors as sentences print them. */

import { MBIT } from '../units.ts';

/** A link's speed for people. */
export function rateText(bytesPerMs: number): string {
  const mbit = bytesPerMs / MBIT;
  if (!Number.isFinite(mbit)) return 'unlimited';
  if (mbit >= 1000) return `${figure(mbit / 1000)} Gbit/s`;
  return mbit >= 1 ? `${figure(mbit)} Mbit/s` : `${figure(mbit * 1000)} kbit/s`;
}

/** Milliseconds for people. */
export function timeText(ms: number): string {
  if (ms >= 10_000) return `${figure(ms / 1000)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** Frames per second for people. */
export function frameRateText(framesPerSecond: number): string {
  return `${figure(framesPerSecond)} frames/s`;
}

/** At least two digits that count, and never a fraction of 100 or more. */
export function figure(value: number): string {
  if (value >= 100 || value === 0) return String(Math.round(value));
  return String(Number(value.toPrecision(value >= 10 ? 3 : 2)));
}

/** How many times, for people: finer near 1, where a tenth would hide the difference. */
export function factorText(factor: number): string {
  return factor >= 10 ? String(Math.round(factor)) : factor.toFixed(factor < 1.1 ? 2 : 1);
}
