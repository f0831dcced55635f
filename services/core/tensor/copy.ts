/** Copies boxes between tensors: what repartition is made of. */

import { TilepipeError } from '../runtime/errors.ts';
import { contains, type Range, type Region } from './region.ts';

/** Most axes a tensor may have. */
export const MAX_RANK = 8;

/** Offsets are kept as 32-bit integers. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * Longer runs go to the engine's own copy, shorter ones word by word (or byte by byte): such a call costs about
 * 100 ns for the view it needs, which short rows do not repay. Measured on Node 20 and 24: they meet near 56 words.
 */
const LONG_WORDS = 56;
const LONG_BYTES = 128;

/** Counters of one call, kept here so that a copy allocates nothing per row. */
const counts = new Int32Array(MAX_RANK);
const sourceSteps = new Int32Array(MAX_RANK);
const targetSteps = new Int32Array(MAX_RANK);
const position = new Int32Array(MAX_RANK);

/**
 * Copies `box` from a buffer that holds `sourceRegion` of a tensor to one that holds `targetRegion` of it.
 * All three are in the coordinates of the tensor; both buffers are dense, last axis fastest, little-endian.
 * Throws `internal` where the box is not inside both regions or a buffer is not as long as its region.
 */
export function copyRegion(
  source: Uint8Array,
  sourceRegion: Region,
  target: Uint8Array,
  targetRegion: Region,
  box: Region,
  elementBytes: number,
): void {
  if (!contains(sourceRegion, box) || !contains(targetRegion, box) || box.length > MAX_RANK) {
    throw new TilepipeError(
      'internal',
      `box ${show(box)} is not in ${show(sourceRegion)} and ${show(targetRegion)}`,
    );
  }
  // Trailing axes that the box spans in both buffers belong to one contiguous run.
  let axis = box.length - 1;
  let run = elementBytes;
  let sourceStride = elementBytes;
  let targetStride = elementBytes;
  let sourceOffset = 0;
  let targetOffset = 0;
  let outer = 0;
  let contiguous = true;
  let empty = false;
  for (; axis >= 0; axis--) {
    const [begin, end] = box[axis] as Range;
    const [sourceBegin, sourceEnd] = sourceRegion[axis] as Range;
    const [targetBegin, targetEnd] = targetRegion[axis] as Range;
    const extent = end - begin;
    if (extent <= 0) empty = true;
    sourceOffset += (begin - sourceBegin) * sourceStride;
    targetOffset += (begin - targetBegin) * targetStride;
    if (contiguous) {
      run *= extent;
      contiguous = extent === sourceEnd - sourceBegin && extent === targetEnd - targetBegin;
    } else if (extent !== 1) {
      counts[outer] = extent;
      sourceSteps[outer] = sourceStride;
      targetSteps[outer] = targetStride;
      outer++;
    }
    sourceStride *= sourceEnd - sourceBegin;
    targetStride *= targetEnd - targetBegin;
  }
  if (source.byteLength !== sourceStride || target.byteLength !== targetStride) {
    throw new TilepipeError(
      'internal',
      `buffers of ${source.byteLength} and ${target.byteLength} bytes cannot hold ${show(sourceRegion)} and ${show(targetRegion)}`,
    );
  }
  if (sourceStride > MAX_BYTES || targetStride > MAX_BYTES) {
    throw new TilepipeError('internal', `buffers of more than ${MAX_BYTES} bytes cannot be copied between`);
  }
  if (empty) return;
  copyRuns(source, sourceOffset, target, targetOffset, run, outer);
}

/** Walks the outer axes like an odometer, the innermost (index 0) as a plain loop of rows. */
function copyRuns(
  source: Uint8Array,
  sourceOffset: number,
  target: Uint8Array,
  targetOffset: number,
  run: number,
  outer: number,
): void {
  const unit = commonUnit(source, sourceOffset, target, targetOffset, run, outer);
  // Shifts, not divisions: the engine must know these for integers, or every index is computed in floating point.
  const shift = unit === 4 ? 2 : 0;
  const from = unit === 4 ? words(source) : plain(source);
  const to = unit === 4 ? words(target) : plain(target);
  const long = unit === 4 ? LONG_WORDS : LONG_BYTES;
  const length = run >> shift;
  const rows = outer === 0 ? 1 : (counts[0] as number);
  const rowFrom = outer === 0 ? 0 : (sourceSteps[0] as number) >> shift;
  const rowTo = outer === 0 ? 0 : (targetSteps[0] as number) >> shift;
  let fromBase = sourceOffset >> shift;
  let toBase = targetOffset >> shift;
  position.fill(0);
  for (;;) {
    if (length > long) copyLongRows(from, fromBase, rowFrom, to, toBase, rowTo, rows, length);
    else if (unit === 4)
      copyWordRows(from as Int32Array, fromBase, rowFrom, to as Int32Array, toBase, rowTo, rows, length);
    else copyByteRows(from as Uint8Array, fromBase, rowFrom, to as Uint8Array, toBase, rowTo, rows, length);
    let level = 1;
    for (; level < outer; level++) {
      fromBase += (sourceSteps[level] as number) >> shift;
      toBase += (targetSteps[level] as number) >> shift;
      const next = (position[level] as number) + 1;
      if (next < (counts[level] as number)) {
        position[level] = next;
        break;
      }
      position[level] = 0;
      fromBase -= next * ((sourceSteps[level] as number) >> shift);
      toBase -= next * ((targetSteps[level] as number) >> shift);
    }
    if (level >= outer) return;
  }
}

/** 4 where every row of both buffers starts and ends on a word, else 1. */
function commonUnit(
  source: Uint8Array,
  sourceOffset: number,
  target: Uint8Array,
  targetOffset: number,
  run: number,
  outer: number,
): 1 | 4 {
  let odd = (source.byteOffset | sourceOffset | target.byteOffset | targetOffset | run) % 4;
  for (let i = 0; i < outer; i++) odd |= ((sourceSteps[i] as number) | (targetSteps[i] as number)) % 4;
  return odd === 0 ? 4 : 1;
}

/**
 * Integers, not floats: a float array may change the bits of a NaN on the way.
 * A buffer whose length is no multiple of four keeps its tail out of reach; rows on words never touch it.
 */
function words(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);
}

/** A Buffer makes its views slowly. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function copyWordRows(
  from: Int32Array,
  fromBase: number,
  fromStep: number,
  to: Int32Array,
  toBase: number,
  toStep: number,
  rows: number,
  length: number,
): void {
  const blocks = length & ~7;
  for (let row = 0; row < rows; row++) {
    let i = fromBase + row * fromStep;
    let o = toBase + row * toStep;
    const last = i + blocks;
    const end = i + length;
    for (; i < last; i += 8, o += 8) {
      to[o] = from[i] as number;
      to[o + 1] = from[i + 1] as number;
      to[o + 2] = from[i + 2] as number;
      to[o + 3] = from[i + 3] as number;
      to[o + 4] = from[i + 4] as number;
      to[o + 5] = from[i + 5] as number;
      to[o + 6] = from[i + 6] as number;
      to[o + 7] = from[i + 7] as number;
    }
    for (; i < end; i++, o++) to[o] = from[i] as number;
  }
}

function copyByteRows(
  from: Uint8Array,
  fromBase: number,
  fromStep: number,
  to: Uint8Array,
  toBase: number,
  toStep: number,
  rows: number,
  length: number,
): void {
  for (let row = 0; row < rows; row++) {
    let i = fromBase + row * fromStep;
    let o = toBase + row * toStep;
    const end = i + length;
    for (; i < end; i++, o++) to[o] = from[i] as number;
  }
}

function copyLongRows(
  from: Int32Array | Uint8Array,
  fromBase: number,
  fromStep: number,
  to: Int32Array | Uint8Array,
  toBase: number,
  toStep: number,
  rows: number,
  length: number,
): void {
  for (let row = 0; row < rows; row++) {
    const begin = fromBase + row * fromStep;
    to.set(from.subarray(begin, begin + length), toBase + row * toStep);
  }
}

function show(region: Region): string {
  return region.map(([begin, end]) => `[${begin},${end})`).join('x');
}
