/** Numbers on the command line, within limits that are said when they are broken. */

import { TilepipeError } from '../services/core/runtime/errors.ts';

/** Most worker processes one command starts: beyond it they only take memory from each other. */
export const MOST_WORKERS = 64;
/** Most threads of one run. */
export const MOST_THREADS = 256;
const LAST_PORT = 65_535;

/** An option's parser: whole numbers from `least` to `most`; anything else is `usage`. */
export function whole(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} up` : `from ${least} to ${most}`;
    throw new TilepipeError('usage', `"${text}" is not a whole number ${range}`);
  };
}

/** An option's parser: numbers above 0 up to `most`. */
export function positive(most: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value > 0 && value <= most) return value;
    throw new TilepipeError('usage', `"${text}" is not a number above 0 and up to ${most}`);
  };
}

/** An option's parser: a share of a whole, from 0 to 1. */
export function share(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= 0 && value <= 1) return value;
  throw new TilepipeError('usage', `"${text}" is not a share from 0 to 1, as in 0.02`);
}

export const wholeNumber = whole(0);
export const workerCount = whole(1, MOST_WORKERS);
export const threadCount = whole(1, MOST_THREADS);
export const portNumber = whole(0, LAST_PORT);
