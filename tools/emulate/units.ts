/** Quantities of an emulated device as people write them: `250m`, `200mbit`, `256MB`, `20ms`. */

import { parseRate, parseSize } from '../../services/core/planning/units.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';

/** `250` is more likely a forgotten `m`. */
const MOST_MILLICORES = 64_000;
/** Bits per second of one byte per millisecond. */
const BITS_PER_SECOND = 8000;
/** Below, one packet takes longer than connections wait; above, no shaper keeps up. */
const LEAST_BITS = 8_000;
const MOST_BITS = 1e11;
/** A Node process does not start in less. */
const LEAST_MEMORY = 32e6;

/** Thousandths of a core from `250m` or `0.25`. */
export function millicores(text: string): number {
  const [, number = '', unit] = /^(\d+(?:\.\d+)?)(m?)$/.exec(text.trim()) ?? [];
  const value = Math.round(Number(number) * (unit === 'm' ? 1 : 1000));
  if (number !== '' && value >= 1 && value <= MOST_MILLICORES) return value;
  throw new TilepipeError('usage', `"${text}" is no share of a processor: write 250m or 0.25`);
}

/** Bits per second from `200mbit`. */
export function bitRate(text: string): number {
  const value = Math.round(parseRate(text) * BITS_PER_SECOND);
  if (value >= LEAST_BITS && value <= MOST_BITS) return value;
  throw new TilepipeError('usage', `"${text}" is no speed that can be emulated: 8kbit to 100gbit can`);
}

/** Bytes from `256MB` or `256MiB`. */
export function memorySize(text: string): number {
  const value = parseSize(text);
  if (value >= LEAST_MEMORY) return value;
  throw new TilepipeError('usage', `"${text}" is too little for a device: 32MB at least`);
}

/** Milliseconds from `20ms`. */
export function periodMs(text: string): number {
  const [, number = ''] = /^(\d+)ms$/.exec(text.trim()) ?? [];
  const value = Number(number);
  // What the kernel takes as the period of a quota.
  if (number !== '' && value >= 1 && value <= 1000) return value;
  throw new TilepipeError('usage', `"${text}" is no period of a quota: write 20ms, from 1ms to 1000ms`);
}

/** One value for all devices, or one for each, separated by commas. */
export function perDevice<T>(text: string, devices: number, parse: (text: string) => T): T[] {
  const parts = text.split(',');
  if (parts.length === 1) return Array.from({ length: devices }, () => parse(text));
  if (parts.length === devices) return parts.map(parse);
  throw new TilepipeError('usage', `"${text}" has ${parts.length} values, and there are ${devices} devices`);
}
