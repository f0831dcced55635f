/**
 * What deflating and inflating costs a processor. zlib at level 1 took 28 ns a byte in and 8 ns out (36 and 124 MB/s, one
 * core of an EPYC, maps of half zeros); other machines are taken to be slower by as much as they are with bytes as such.
 */

import { DEVICE_BYTE_MS, HUB_BYTE_MS } from './fleet.ts';

/** Milliseconds per byte before deflating. */
const DEFLATE_MS = 2.8e-5;
const INFLATE_MS = 8e-6;

/** Milliseconds per byte before deflating. */
export interface DeflateCost {
  readonly deflateMs: number;
  readonly inflateMs: number;
}

export function deviceDeflate({ byteMs }: { readonly byteMs: number }): DeflateCost {
  return scaled(byteMs / DEVICE_BYTE_MS);
}

export function hubDeflate({ byteMs }: { readonly byteMs: number }): DeflateCost {
  return scaled(byteMs / HUB_BYTE_MS);
}

function scaled(slowness: number): DeflateCost {
  return { deflateMs: DEFLATE_MS * slowness, inflateMs: INFLATE_MS * slowness };
}
