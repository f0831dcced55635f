/** Sizes and rates as people write them: in flags, in `devices.yaml`, in what-if questions. */

import { type ErrorCode, TilepipeError } from '../runtime/errors.ts';

/** Bytes per millisecond of one Mbit/s. */
export const MBIT = 125;

/** B, KB, MB and GB are powers of 1000, KiB, MiB and GiB of 1024. */
const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};
const RATES: Readonly<Record<string, number>> = {
  bit: MBIT / 1e6,
  kbit: MBIT / 1e3,
  mbit: MBIT,
  gbit: MBIT * 1e3,
};

/** Bytes of `64MB`, `1.5 GiB` or `4096B`, whole ones; throws `code` for anything else. */
export function parseSize(text: string, code: ErrorCode = 'usage'): number {
  const bytes = Math.round(measure(text, SIZES));
  if (bytes >= 1) return bytes;
  throw new TilepipeError(code, `"${text}" is no size: write 64MB, 512KB or 1.5GiB`);
}

/** Bytes per millisecond of `100mbit`, `500kbit` or `1gbit/s`; throws `code` for anything else. */
export function parseRate(text: string, code: ErrorCode = 'usage'): number {
  const bytesPerMs = measure(text.replace(/(\/s|ps)\s*$/i, ''), RATES);
  if (bytesPerMs > 0) return bytesPerMs;
  throw new TilepipeError(code, `"${text}" is no speed of a link: write 500kbit, 100mbit or 1gbit/s`);
}

/** NaN where it is no number and a unit of the table; letters count alike, large or small. */
function measure(text: string, units: Readonly<Record<string, number>>): number {
  const [, value, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text.trim()) ?? [];
  const product = Number(value) * (units[unit.toLowerCase()] ?? Number.NaN);
  return Number.isFinite(product) ? product : Number.NaN;
}
