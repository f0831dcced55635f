/** Sliding windows as ONNX Runtime slides them: every auto_pad, ceil_mode and output_shape made explicit. */

import { TilepipeError } from '../runtime/errors.ts';
import { numberAttribute, numbersAttribute, stringAttribute } from './attributes.ts';
import type { GraphNode } from './types.ts';

/** One spatial axis of a Conv, a pool or a ConvTranspose, all in elements of that axis. */
export interface AxisWindow {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Below 0 where SAME with a stride beyond the kernel crops a convolution's input. */
  readonly padBegin: number;
  readonly padEnd: number;
  /** Rows added behind a ConvTranspose's output; 0 elsewhere. */
  readonly outputPadding: number;
  readonly input: number;
  readonly output: number;
}

function badShape(node: GraphNode, problem: string): never {
  throw new TilepipeError('model-shape', `node ${node.name} (${node.op}): ${problem}.`);
}

interface RawWindow {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begins: readonly number[];
  readonly ends: readonly number[];
  readonly autoPad: string;
}

function positives(node: GraphNode, name: string, rank: number, fallback: number): readonly number[] {
  const list = numbersAttribute(node, name);
  if (list === undefined || list.length === 0) return new Array<number>(rank).fill(fallback);
  if (list.length !== rank || list.some((item) => !Number.isSafeInteger(item) || item < 1)) {
    return badShape(node, `${name} [${list.join(', ')}] does not fit ${rank} spatial axes`);
  }
  return list;
}

function rawWindow(node: GraphNode, rank: number, kernelOfWeights?: readonly number[]): RawWindow {
  const given = numbersAttribute(node, 'kernel_shape');
  const kernel =
    given !== undefined && given.length > 0 ? positives(node, 'kernel_shape', rank, 1) : kernelOfWeights;
  if (kernel === undefined) return badShape(node, 'kernel_shape is missing');
  if (kernelOfWeights?.some((extent, axis) => extent !== kernel[axis])) {
    return badShape(
      node,
      `kernel_shape [${kernel.join(', ')}] is not that of its weights [${kernelOfWeights.join(', ')}]`,
    );
  }
  const autoPad = stringAttribute(node, 'auto_pad', 'NOTSET') || 'NOTSET';
  if (!['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'].includes(autoPad)) {
    return badShape(node, `auto_pad ${JSON.stringify(autoPad)} is unknown`);
  }
  const pads = numbersAttribute(node, 'pads') ?? [];
  if (
    pads.length !== 0 &&
    (pads.length !== 2 * rank || pads.some((pad) => !Number.isSafeInteger(pad) || pad < 0))
  ) {
    return badShape(node, `pads [${pads.join(', ')}] do not fit ${rank} spatial axes`);
  }
  const explicit = autoPad === 'NOTSET' && pads.length > 0;
  return {
    kernel,
    strides: positives(node, 'strides', rank, 1),
    dilations: positives(node, 'dilations', rank, 1),
    begins: explicit ? pads.slice(0, rank) : new Array<number>(rank).fill(0),
    ends: explicit ? pads.slice(rank) : new Array<number>(rank).fill(0),
    autoPad,
  };
}

/** Splits padding that may be odd: SAME_UPPER puts the larger half behind. */
function splitPadding(total: number, upper: boolean): readonly [begin: number, end: number] {
  const begin = upper ? Math.floor(total / 2) : Math.ceil(total / 2);
  return [begin, total - begin];
}

/**
 * SAME pads up to ceil(input / stride) outputs; the dilation is not counted. Where the stride exceeds the
 * kernel there can be too many rows instead: ONNX Runtime 1.30 was seen to crop, rounding as written here.
 */
function samePadding(
  input: number,
  stride: number,
  kernel: number,
  upper: boolean,
): readonly [number, number] {
  const total = (Math.ceil(input / stride) - 1) * stride + kernel - input;
  if (total >= 0) return splitPadding(total, upper);
  // Adding 0 turns -0 into 0.
  const begin = Math.trunc((upper ? total + 1 : total + 2) / 2) + 0;
  return [begin, total - begin];
}

function slide(
  node: GraphNode,
  spatial: readonly number[],
  raw: RawWindow,
  count: (span: number, stride: number, input: number, begin: number) => number,
): readonly AxisWindow[] {
  return spatial.map((input, axis) => {
    const [kernel, stride, dilation] = [raw.kernel[axis], raw.strides[axis], raw.dilations[axis]] as [
      number,
      number,
      number,
    ];
    let [padBegin, padEnd] = [raw.begins[axis], raw.ends[axis]] as [number, number];
    if (raw.autoPad.startsWith('SAME')) {
      [padBegin, padEnd] = samePadding(input, stride, kernel, raw.autoPad === 'SAME_UPPER');
    }
    const span = input + padBegin + padEnd - dilation * (kernel - 1) - 1;
    const output = span < 0 ? 0 : count(span, stride, input, padBegin);
    if (output < 1)
      badShape(node, `a kernel of ${kernel} (dilation ${dilation}) does not fit ${input} rows or columns`);
    return { kernel, stride, dilation, padBegin, padEnd, outputPadding: 0, input, output };
  });
}

/**
 * The windows of Conv and its quantised and fused kin, by spatial axis. `spatial`: input extents without
 * batch and channels; `kernel`: those of the weights. Throws `model-shape`.
 */
export function convWindows(
  node: GraphNode,
  spatial: readonly number[],
  kernel: readonly number[],
): readonly AxisWindow[] {
  const raw = rawWindow(node, spatial.length, kernel);
  if (raw.autoPad.startsWith('SAME') && raw.dilations.some((dilation) => dilation !== 1)) {
    throw new TilepipeError(
      'model-unsupported',
      `node ${node.name} (${node.op}) has dilations with auto_pad ${raw.autoPad}, which ONNX Runtime refuses.`,
    );
  }
  return slide(node, spatial, raw, (span, stride) => Math.floor(span / stride) + 1);
}

/** The windows of MaxPool, AveragePool and LpPool; with ceil_mode the last one may hang over the end. Throws `model-shape`. */
export function poolWindows(node: GraphNode, spatial: readonly number[]): readonly AxisWindow[] {
  const raw = rawWindow(node, spatial.length);
  const ceil = numberAttribute(node, 'ceil_mode', 0) !== 0;
  const windows = slide(node, spatial, raw, (span, stride, input, begin) => {
    if (!ceil) return Math.floor(span / stride) + 1;
    const outputs = Math.ceil(span / stride) + 1;
    // A window that would start behind the input is dropped (onnx/onnx pull request 5741).
    return (outputs - 1) * stride >= input + begin ? outputs - 1 : outputs;
  });
  if (windows.some(({ padBegin, padEnd }) => padBegin < 0 || padEnd < 0)) {
    throw new TilepipeError(
      'model-unsupported',
      `node ${node.name} (${node.op}) has negative padding, which ONNX Runtime refuses.`,
    );
  }
  return windows;
}

/**
 * The windows of ConvTranspose: `output = (input - 1) * stride + outputPadding + dilation * (kernel - 1) + 1
 * - padBegin - padEnd` holds on every axis, also where output_shape asked for more. Throws `model-shape`.
 */
export function deconvWindows(
  node: GraphNode,
  spatial: readonly number[],
  kernel: readonly number[],
): readonly AxisWindow[] {
  const rank = spatial.length;
  const raw = rawWindow(node, rank, kernel);
  const asked = numbersAttribute(node, 'output_shape') ?? [];
  const added = numbersAttribute(node, 'output_padding') ?? [];
  if (asked.length !== 0 && asked.length !== rank && asked.length !== rank + 2) {
    return badShape(node, `output_shape [${asked.join(', ')}] does not fit ${rank} spatial axes`);
  }
  if (
    added.length !== 0 &&
    (added.length !== rank || added.some((rows) => !Number.isSafeInteger(rows) || rows < 0))
  ) {
    return badShape(node, `output_padding [${added.join(', ')}] does not fit ${rank} spatial axes`);
  }
  return spatial.map((input, axis) => {
    const [kernelRows, stride, dilation] = [raw.kernel[axis], raw.strides[axis], raw.dilations[axis]] as [
      number,
      number,
      number,
    ];
    const full = (input - 1) * stride + (added[axis] ?? 0) + dilation * (kernelRows - 1) + 1;
    const same = raw.autoPad.startsWith('SAME');
    const wanted =
      asked.length > 0 ? (asked[asked.length - rank + axis] as number) : same ? input * stride : undefined;
    let [padBegin, padEnd] = [raw.begins[axis], raw.ends[axis]] as [number, number];
    if (wanted !== undefined) {
      [padBegin, padEnd] = splitPadding(Math.max(0, full - wanted), raw.autoPad === 'SAME_UPPER');
    }
    const output = asked.length > 0 ? (wanted as number) : full - padBegin - padEnd;
    // ONNX Runtime adds at most what another stride would not fill.
    if (!Number.isSafeInteger(output) || output < 1 || output >= full - padBegin - padEnd + stride)
      badShape(node, `its output cannot have ${output} rows or columns`);
    const outputPadding = (added[axis] ?? 0) + output - (full - padBegin - padEnd);
    return { kernel: kernelRows, stride, dilation, padBegin, padEnd, outputPadding, input, output };
  });
}
