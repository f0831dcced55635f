/**
 * Where Resize reads, along one axis: coordinates and neighbours in the same single-precision steps as ONNX Runtime
 * (core/providers/cpu/tensor/upsamplebase.h and upsample.cc). Near a tie of two neighbours its releases differ, so
 * an index is certain to within one place only, except at simple scales, where ties are exact.
 */

import type { Range } from '../../tensor/region.ts';

export type CoordinateMode =
  | 'half_pixel'
  | 'half_pixel_symmetric'
  | 'pytorch_half_pixel'
  | 'align_corners'
  | 'asymmetric'
  | 'tf_half_pixel_for_nn'
  | 'tf_crop_and_resize';

export type NearestMode = 'simple' | 'round_prefer_floor' | 'round_prefer_ceil' | 'floor' | 'ceil';

export type Interpolation = 'nearest' | 'linear' | 'cubic';

/** One axis of a Resize. */
export interface ResampledAxis {
  readonly interpolation: Interpolation;
  readonly coordinates: CoordinateMode;
  readonly nearest: NearestMode;
  /** Output per input, in single precision, as the executor takes it. */
  readonly scale: number;
  /** Whether the node gives the output's extent and the scale follows from it. */
  readonly sized: boolean;
  readonly input: number;
  readonly output: number;
  /** Part of the input that is stretched, as shares of its extent; only for tf_crop_and_resize. */
  readonly roi: readonly [start: number, end: number];
  readonly cubicCoefficient: number;
  /** Weights outside the image count as 0 and the rest is scaled up to 1. */
  readonly excludeOutside: boolean;
}

const f = Math.fround;

/** Input coordinate of output `o`, not clamped. */
export function coordinate(axis: ResampledAxis, o: number): number {
  const { scale, input, output, coordinates } = axis;
  if (scale === 1) return o;
  switch (coordinates) {
    case 'asymmetric':
      return f(o / scale);
    case 'pytorch_half_pixel':
      return output > 1 ? f(f(f(o + 0.5) / scale) - 0.5) : 0;
    case 'tf_half_pixel_for_nn':
      return f(f(o + 0.5) / scale);
    case 'align_corners':
      return output === 1 ? 0 : f(f(o * (input - 1)) / (output - 1));
    case 'tf_crop_and_resize': {
      const [start, end] = axis.roi.map(f) as [number, number];
      if (output <= 1) return f(0.5 * f(start + end) * (input - 1));
      return f(f(start * (input - 1)) + f(f(f(o * f(end - start)) * (input - 1)) / (output - 1)));
    }
    case 'half_pixel_symmetric': {
      const adjustment = f(output / f(scale * input));
      const offset = f(f(input / 2) * f(1 - adjustment));
      return f(offset + (o + 0.5) / scale - 0.5);
    }
    case 'half_pixel':
      return f(f(f(o + 0.5) / scale) - 0.5);
  }
}

/** Whether tf_crop_and_resize puts its extrapolation value at output `o`. */
export function isOutside(axis: ResampledAxis, o: number): boolean {
  if (axis.coordinates !== 'tf_crop_and_resize') return false;
  const at = coordinate(axis, o);
  return at < 0 || at > axis.input - 1;
}

const clampIndex = (index: number, input: number) => Math.min(Math.max(index, 0), input - 1);

/** C's round: halves away from zero. */
const roundAway = (value: number) => Math.sign(value) * Math.floor(Math.abs(value) + 0.5);

/** The input that nearest-neighbour output `o` copies. */
export function nearestIndex(axis: ResampledAxis, o: number): number {
  const at = coordinate(axis, o);
  if (axis.scale === 1) return clampIndex(o, axis.input);
  switch (axis.nearest) {
    case 'simple':
      return clampIndex(axis.scale < 1 ? Math.ceil(at) : Math.trunc(at), axis.input);
    case 'floor':
      return clampIndex(Math.floor(at), axis.input);
    case 'ceil':
      return clampIndex(Math.ceil(at), axis.input);
    case 'round_prefer_ceil':
      return clampIndex(roundAway(at), axis.input);
    case 'round_prefer_floor':
      return clampIndex(at === f(Math.trunc(at) + 0.5) ? Math.floor(at) : roundAway(at), axis.input);
  }
}

/** One input and its weight. */
export interface Tap {
  readonly index: number;
  readonly weight: number;
}

/** Inputs that output `o` is made of, inside the image; an input may be named twice where the border repeats. */
export function taps(axis: ResampledAxis, o: number): readonly Tap[] {
  if (axis.interpolation === 'nearest') return [{ index: nearestIndex(axis, o), weight: 1 }];
  return axis.interpolation === 'linear' ? linearTaps(axis, o) : cubicTaps(axis, o);
}

function linearTaps(axis: ResampledAxis, o: number): readonly Tap[] {
  const last = axis.input - 1;
  const at = Math.max(0, Math.min(coordinate(axis, o), last));
  const low = Math.min(Math.trunc(at), last);
  const high = Math.min(low + 1, last);
  if (low === high) return [{ index: low, weight: 1 }];
  return [
    { index: low, weight: f(high - at) },
    { index: high, weight: f(at - low) },
  ];
}

function cubicTaps(axis: ResampledAxis, o: number): readonly Tap[] {
  const at = coordinate(axis, o);
  const base = Math.floor(at);
  const s = f(at - base);
  const a = axis.cubicCoefficient;
  const weights = [
    ((a * (s + 1) - 5 * a) * (s + 1) + 8 * a) * (s + 1) - 4 * a,
    ((a + 2) * s - (a + 3)) * s * s + 1,
    ((a + 2) * (1 - s) - (a + 3)) * (1 - s) * (1 - s) + 1,
    ((a * (2 - s) - 5 * a) * (2 - s) + 8 * a) * (2 - s) - 4 * a,
  ];
  const list = weights.map((weight, k) => ({ at: base - 1 + k, weight }));
  const counted = axis.excludeOutside ? list.filter((tap) => tap.at >= 0 && tap.at < axis.input) : list;
  const sum = axis.excludeOutside ? counted.reduce((total, tap) => total + tap.weight, 0) : 1;
  return counted.map((tap) => ({ index: clampIndex(tap.at, axis.input), weight: tap.weight / sum }));
}

/** Inputs that outputs `[o0, o1)` are made of. */
export function tapSpan(axis: ResampledAxis, [o0, o1]: Range): Range {
  let begin = axis.input;
  let end = 0;
  for (let o = o0; o < o1; o++) {
    for (const { index } of taps(axis, o)) {
      begin = Math.min(begin, index);
      end = Math.max(end, index + 1);
    }
  }
  return [begin, end];
}

/** Largest numerator and denominator a scale may have to be called simple: then no rounding moves a tie. */
const SIMPLE = 64;

/**
 * Smallest number of inputs after which the pattern of a resize repeats, where moving the image by that much moves
 * the result by a whole number of outputs and the border alike: the operator itself can then run on a crop.
 * undefined where the coordinates depend on the extent, or the scale is no simple fraction.
 */
export function period(axis: ResampledAxis): number | undefined {
  const { scale, coordinates, input, output } = axis;
  if (scale === 1) return 1;
  if (coordinates === 'align_corners' || coordinates === 'tf_crop_and_resize') return undefined;
  if (coordinates === 'pytorch_half_pixel' && output === 1) return undefined;
  if (coordinates === 'half_pixel_symmetric' && output !== scale * input) return undefined;
  if (output > Math.floor(f(scale * input))) return undefined;
  for (let inputs = 1; inputs <= SIMPLE; inputs *= 2) {
    if (Number.isInteger(scale * inputs)) return scale * inputs <= SIMPLE ? inputs : undefined;
  }
  return undefined;
}

/** Outputs that the operator makes of a crop of `inputs`. */
export function resizedExtent(axis: ResampledAxis, inputs: number): number {
  return Math.floor(f(axis.scale * inputs));
}
