/** Sizes and rates as people write them, and as sentences print them. */

import { TilepipeError } from '../../runtime/errors.ts';

/** Bytes per millisecond of one Mbit/s. */
export const MBIT = 125;

const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};
const RATES: Readonly<Record<string, number>> = { kbit: MBIT / 1000, mbit: MBIT, gbit: MBIT * 1000 };

/** Bytes of `64MB`, `0.5GiB` or `4096B`; throws `usage` for anything else. */
export function parseSize(text: string): number {
  const bytes = measure(text, SIZES);
  if (bytes !== undefined && bytes >= 1) return Math.round(bytes);
  throw new TilepipeError('usage', `"${text}" is not a size like 64MB, 512KB or 1.5GiB`);
}

/** Bytes per millisecond of `100mbit`, `500kbit` or `1gbit`; undefined for anything else. */
export function readRate(text: string): number | undefined {
  return measure(text.replace(/(\/s|ps)$/i, ''), RATES);
}

function measure(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text.trim());
  const unit = units[match?.[2]?.toLowerCase() ?? ''];
  const value = Number(match?.[1]) * (unit ?? Number.NaN);
  return value > 0 && Number.isFinite(value) ? value : undefined;
}

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
