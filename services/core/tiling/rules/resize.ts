/** The rule of Resize and Upsample. */

import { numberAttribute, stringAttribute } from '../../graph/attributes.ts';
import { constantOf } from '../../graph/constant.ts';
import { onnxTypeOf } from '../../graph/dtype.ts';
import { resizeParameters } from '../../graph/resized-shape.ts';
import type { AttributeValue } from '../../graph/types.ts';
import type { Range } from '../../tensor/region.ts';
import { length, sameRange } from '../range.ts';
import {
  type CoordinateMode,
  type Interpolation,
  isOutside,
  type NearestMode,
  period,
  type ResampledAxis,
  resizedExtent,
  tapSpan,
  taps,
} from './resample-map.ts';
import type { BindContext, Bound, EmittedNode, NodeEmitter, RegionRule } from './rule.ts';
import { cutOf, inputAxis, sameAxes } from './rule.ts';

type Axes = { readonly rows: ResampledAxis; readonly columns: ResampledAxis };

/** How one axis of a tile is made: unchanged, by the operator on a crop, or by taps written out. */
interface AxisStep {
  readonly kind: 'same' | 'crop' | 'taps';
  readonly made: Range;
  readonly input: Range;
}

const FLOATS = new Set(['float32', 'float16', 'float64']);
const MODES = new Set([
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
  'tf_half_pixel_for_nn',
  'tf_crop_and_resize',
]);

interface Scales {
  readonly scales: readonly number[];
  readonly roi: readonly number[] | undefined;
  /** Whether they follow from sizes. */
  readonly sized: boolean;
}

/** Scales as the executor takes them: given, or made of the sizes, one for all axes where the aspect is kept. */
function scalesOf(context: BindContext): Scales | string {
  const x = context.inputs[0]?.shape ?? [];
  const parameters = resizeParameters(context.node, context.opset, x, (position) => context.values(position));
  if (parameters === undefined) return 'its scales or sizes are not constants';
  const { scales, sizes, roi } = parameters;
  if (scales !== undefined) return { scales: scales.map(Math.fround), roi, sized: false };
  const ratios = (sizes ?? x).map((size, axis) => Math.fround(size / (x[axis] as number)));
  const policy = stringAttribute(context.node, 'keep_aspect_ratio_policy', 'stretch');
  if (policy === 'stretch') return { scales: ratios, roi, sized: true };
  const listed =
    (context.node.attributes.get('axes') as readonly number[] | undefined) ?? x.map((_, axis) => axis);
  const axes = listed.map((axis) => (axis < 0 ? axis + x.length : axis));
  const kept = axes.map((axis) => ratios[axis] as number);
  const one = policy === 'not_larger' ? Math.min(...kept) : Math.max(...kept);
  return { scales: ratios.map((_, axis) => (axes.includes(axis) ? one : 1)), roi, sized: false };
}

function resampledAxes(context: BindContext): Axes | string {
  const { node, opset, axes } = context;
  const [x, y] = [context.inputs[0]?.shape ?? [], context.outputs[0]?.shape ?? []];
  const found = scalesOf(context);
  if (typeof found === 'string') return found;
  const resize11 = node.op === 'Resize' && opset >= 11;
  const mode = stringAttribute(node, 'mode', 'nearest');
  const interpolation: Interpolation | undefined =
    mode === 'nearest'
      ? 'nearest'
      : mode === 'linear' || mode === 'bilinear'
        ? 'linear'
        : mode === 'cubic'
          ? 'cubic'
          : undefined;
  const coordinates = resize11
    ? stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel')
    : 'asymmetric';
  if (interpolation === undefined) return `mode ${mode} is unknown`;
  if (!MODES.has(coordinates)) return `coordinate_transformation_mode ${coordinates} is unknown`;
  if (numberAttribute(node, 'antialias', 0) !== 0)
    return 'antialias blends a window that depends on the whole extent';
  const nearest = resize11 ? stringAttribute(node, 'nearest_mode', 'round_prefer_floor') : 'simple';
  if (x.some((extent, axis) => axis !== axes.row && axis !== axes.column && extent !== y[axis])) {
    return 'it resizes an axis that is neither rows nor columns';
  }
  const { scales, roi, sized } = found;
  // Where nothing changes size the executor copies, whatever the scales.
  const copies = x.every((extent, axis) => extent === y[axis]);
  const along = (axis: number): ResampledAxis => ({
    interpolation,
    coordinates: coordinates as CoordinateMode,
    nearest: nearest as NearestMode,
    sized,
    scale: copies ? 1 : (scales[axis] ?? 1),
    input: x[axis] as number,
    output: y[axis] as number,
    roi: [roi?.[axis] ?? 0, roi?.[axis + x.length] ?? 1],
    cubicCoefficient: numberAttribute(node, 'cubic_coeff_a', -0.75),
    excludeOutside: interpolation === 'cubic' && numberAttribute(node, 'exclude_outside', 0) !== 0,
  });
  const pair = { rows: along(axes.row), columns: along(axes.column) };
  if (!sized && [pair.rows, pair.columns].some((axis) => axis.output !== resizedExtent(axis, axis.input))) {
    return 'its output is not as large as its scales make it';
  }
  const filler = numberAttribute(node, 'extrapolation_value', 0);
  if ([pair.rows, pair.columns].some((axis) => extrapolates(axis))) {
    return `its region reaches outside the image, where it puts ${filler}`;
  }
  return pair;
}

/** The region of tf_crop_and_resize may leave the image by a rounding; what it puts there is no blend of inputs. */
function extrapolates(axis: ResampledAxis): boolean {
  for (let o = 0; o < axis.output; o++) if (isOutside(axis, o)) return true;
  return false;
}

const isSame = (axis: ResampledAxis) => axis.scale === 1 && axis.input === axis.output;

/** The crop the operator itself can run on: whole periods before it, and enough behind it for the asked outputs. */
function cropStep(axis: ResampledAxis, asked: Range, inputs: number): AxisStep | undefined {
  const span = tapSpan(axis, asked);
  const outputs = axis.scale * inputs;
  const first = Math.min(Math.floor(span[0] / inputs), Math.floor(asked[0] / outputs));
  const begin = first * inputs;
  const madeBegin = first * outputs;
  let end = span[1];
  while (end < axis.input && madeBegin + resizedExtent(axis, end - begin) < asked[1]) end++;
  const made = resizedExtent(axis, end - begin);
  // Where a crop would come out as large as it went in, the executor copies instead of resampling.
  if (madeBegin + made < asked[1] || made === end - begin) return undefined;
  return { kind: 'crop', made: [madeBegin, madeBegin + made], input: [begin, end] };
}

function axisStep(axis: ResampledAxis, asked: Range, repeats: number | undefined): AxisStep {
  if (isSame(axis)) return { kind: 'same', made: asked, input: asked };
  const crop = repeats === undefined ? undefined : cropStep(axis, asked, repeats);
  if (crop !== undefined) return crop;
  const [begin, end] = tapSpan(axis, asked);
  // A rounding of the executor's may take the next neighbour.
  const margin = axis.interpolation === 'nearest' ? 1 : 0;
  return {
    kind: 'taps',
    made: asked,
    input: [Math.max(0, begin - margin), Math.min(axis.input, end + margin)],
  };
}

function bind(context: BindContext): Bound | string {
  const pair = resampledAxes(context);
  if (typeof pair === 'string') return pair;
  const dtype = context.outputs[0]?.dtype ?? 'float32';
  const nearest = pair.rows.interpolation === 'nearest';
  const same = isSame(pair.rows) && isSame(pair.columns);
  const periods = { rows: period(pair.rows), columns: period(pair.columns) };
  // ONNX Runtime 1.30 moves a Transpose behind such a Resize and then refuses its own graph.
  const fragile = pair.rows.interpolation === 'cubic' && Math.min(pair.rows.scale, pair.columns.scale) < 1;
  const crops = periods.rows !== undefined && periods.columns !== undefined && !fragile;
  const exact = crops && [pair.rows, pair.columns].every((axis) => Number.isInteger(Math.log2(axis.scale)));
  if (!exact && !nearest && !FLOATS.has(dtype)) {
    return `it rounds to ${dtype} at scales that are no powers of two`;
  }
  const written = (axis: ResampledAxis, asked: Range) => axisStep(axis, asked, undefined);
  return {
    step(out) {
      let rows = axisStep(pair.rows, out.rows, crops ? periods.rows : undefined);
      let columns = axisStep(pair.columns, out.columns, crops ? periods.columns : undefined);
      if (rows.kind === 'taps' || columns.kind === 'taps') {
        rows = written(pair.rows, out.rows);
        columns = written(pair.columns, out.columns);
      }
      return {
        made: { rows: rows.made, columns: columns.made },
        inputs: [cutOf(context, 0, rows.input, columns.input)],
        emit(emitter) {
          if (same) emitter.replace({ op: 'Identity', inputs: [emitter.operand(0)] });
          else if (rows.kind !== 'taps' && columns.kind !== 'taps') emitCrop(context, emitter, pair);
          else if (nearest) emitGather(context, emitter, pair, rows, columns);
          else emitMatrices(context, emitter, pair, rows, columns);
        },
      };
    },
  };
}

/** The operator on a crop, by scales: the coordinates that repeat are those of half_pixel. */
function emitCrop(context: BindContext, emitter: NodeEmitter, { rows, columns }: Axes): void {
  const rank = context.inputs[0]?.shape.length ?? 4;
  const scales = new Array<number>(rank).fill(1);
  scales[inputAxis(context.layout, 0, context.axes.row) ?? 2] = rows.scale;
  scales[inputAxis(context.layout, 0, context.axes.column) ?? 3] = columns.scale;
  const x = emitter.operand(0);
  const mode = stringAttribute(emitter.node, 'mode', 'nearest');
  if (emitter.opset < 9) {
    const attributes = new Map<string, AttributeValue>([
      ['mode', mode],
      ['scales', scales],
    ]);
    emitter.replace({ op: 'Upsample', inputs: [x], attributes, floats: new Set(['scales']) });
    return;
  }
  const list = emitter.constant('float32', [rank], scales);
  if (emitter.node.op === 'Upsample' || emitter.opset < 11) {
    emitter.replace({ op: emitter.node.op, inputs: [x, list], attributes: new Map([['mode', mode]]) });
    return;
  }
  const shared = new Set<CoordinateMode>(['pytorch_half_pixel', 'half_pixel_symmetric']);
  const attributes = new Map<string, AttributeValue>([
    ['mode', mode],
    ['coordinate_transformation_mode', shared.has(rows.coordinates) ? 'half_pixel' : rows.coordinates],
    ['nearest_mode', rows.nearest],
    ['cubic_coeff_a', rows.cubicCoefficient],
    ['exclude_outside', rows.excludeOutside ? 1 : 0],
  ]);
  const roi = emitter.opset < 13 ? emitter.constant('float32', [0], []) : '';
  emitter.replace({ op: 'Resize', inputs: [x, roi, list], attributes, floats: new Set(['cubic_coeff_a']) });
}

/**
 * Nearest neighbours by their indices, counted from the tile's first input. The executor itself works them out when
 * it loads the sub-model, by resizing 0, 1, 2, ...: so ties round as they do in the uncut model.
 */
function emitGather(
  context: BindContext,
  emitter: NodeEmitter,
  pair: Axes,
  rows: AxisStep,
  columns: AxisStep,
): void {
  const gathers = [
    { axis: context.axes.row, along: pair.rows, step: rows },
    { axis: context.axes.column, along: pair.columns, step: columns },
  ].filter(({ step }) => step.kind === 'taps');
  let x = emitter.operand(0);
  for (const [at, { axis, along, step }] of gathers.entries()) {
    const node = {
      op: 'Gather',
      inputs: [x, indices(context, emitter, along, step)],
      attributes: new Map([['axis', inputAxis(context.layout, 0, axis) ?? 0]]),
    };
    if (at === gathers.length - 1) emitter.replace(node);
    else x = emitter.add(node);
  }
}

function indices(context: BindContext, emitter: NodeEmitter, axis: ResampledAxis, step: AxisStep): string {
  const count = Array.from({ length: axis.input }, (_, i) => i);
  const ramp = emitter.constant('float32', [1, 1, axis.input, 1], count);
  // A second axis that grows keeps the executor from copying where the first stays as long as it was.
  const resized = emitter.add(rampResize(context, emitter, ramp, axis));
  const part = emitter.slice(resized, [
    { axis: 2, begin: step.made[0], end: step.made[1] === axis.output ? undefined : step.made[1] },
    { axis: 3, begin: 0, end: 1 },
  ]);
  const flat = emitter.add({ op: 'Reshape', inputs: [part, emitter.constant('int64', [1], [-1])] });
  const whole = emitter.add({
    op: 'Cast',
    inputs: [flat],
    attributes: new Map([['to', onnxTypeOf('int64')]]),
  });
  return emitter.add({ op: 'Sub', inputs: [whole, emitter.constant('int64', [1], [step.input[0]])] });
}

/** The node's own resize of one axis, on a tensor of another rank. */
function rampResize(
  context: BindContext,
  emitter: NodeEmitter,
  ramp: string,
  axis: ResampledAxis,
): EmittedNode {
  const { node } = context;
  const scales = [1, 1, axis.scale, 2];
  if (emitter.opset < 9) {
    const attributes = new Map<string, AttributeValue>([
      ['mode', 'nearest'],
      ['scales', scales],
    ]);
    return { op: 'Upsample', inputs: [ramp], attributes, floats: new Set(['scales']) };
  }
  const list = () => emitter.constant('float32', [4], scales);
  if (node.op === 'Upsample' || emitter.opset < 11) {
    return { op: node.op, inputs: [ramp, list()], attributes: new Map([['mode', 'nearest']]) };
  }
  const none = emitter.opset < 13 ? emitter.constant('float32', [0], []) : '';
  const roi =
    axis.coordinates === 'tf_crop_and_resize'
      ? emitter.constant('float32', [8], [0, 0, axis.roi[0], 0, 1, 1, axis.roi[1], 1])
      : none;
  const attributes = new Map<string, AttributeValue>([
    ['mode', 'nearest'],
    ['coordinate_transformation_mode', axis.coordinates],
    ['nearest_mode', axis.nearest],
  ]);
  const size = () => emitter.constant('int64', [4], [1, 1, axis.output, 2]);
  return { op: 'Resize', inputs: axis.sized ? [ramp, roi, none, size()] : [ramp, roi, list()], attributes };
}

/** Rows of a matrix are outputs, columns inputs of the tile; `transposed` the other way round. */
function matrix(
  emitter: NodeEmitter,
  context: BindContext,
  axis: ResampledAxis,
  step: AxisStep,
  transposed: boolean,
): string {
  const [outputs, inputs] = [length(step.made), length(step.input)];
  const values = new Float64Array(outputs * inputs);
  for (let o = 0; o < outputs; o++) {
    for (const { index, weight } of taps(axis, step.made[0] + o)) {
      const i = index - step.input[0];
      const at = transposed ? i * outputs + o : o * inputs + i;
      values[at] = (values[at] as number) + weight;
    }
  }
  const shape = transposed ? [inputs, outputs] : [outputs, inputs];
  return emitter.constantLike(constantOf('', context.outputs[0]?.dtype ?? 'float32', shape, values));
}

/** Interpolation written out as two matrix products, rows and columns apart. */
function emitMatrices(
  context: BindContext,
  emitter: NodeEmitter,
  pair: Axes,
  rows: AxisStep,
  columns: AxisStep,
): void {
  const rank = context.inputs[0]?.shape.length ?? 4;
  const row = inputAxis(context.layout, 0, context.axes.row) ?? 2;
  const column = inputAxis(context.layout, 0, context.axes.column) ?? 3;
  const order = [...Array(rank).keys()].filter((axis) => axis !== row && axis !== column).concat(row, column);
  const moved = order.some((axis, at) => axis !== at);
  let x = emitter.operand(0);
  if (moved) x = emitter.add({ op: 'Transpose', inputs: [x], attributes: new Map([['perm', order]]) });
  const steps = [
    ...(sameRange(rows.made, rows.input) && isSame(pair.rows)
      ? []
      : [(from: string) => [matrix(emitter, context, pair.rows, rows, false), from]]),
    ...(sameRange(columns.made, columns.input) && isSame(pair.columns)
      ? []
      : [(from: string) => [from, matrix(emitter, context, pair.columns, columns, true)]]),
  ];
  for (const [at, operands] of steps.entries()) {
    const node = { op: 'MatMul', inputs: operands(x) };
    if (at === steps.length - 1 && !moved) {
      emitter.replace(node);
      return;
    }
    x = emitter.add(node);
  }
  const back = order.map((_, axis) => order.indexOf(axis));
  emitter.replace({ op: 'Transpose', inputs: [x], attributes: new Map([['perm', back]]) });
}

const rule = (op: string, limits: string): RegionRule => ({
  op,
  domain: '',
  region:
    'The inputs its outputs are blended from. Where the scale is a simple fraction and the coordinates do not depend on the extent, the operator runs on a crop that starts at a whole period; else the tile has the indices (nearest) or weights (linear, cubic) of its own outputs.',
  pads: 'The border repeats at the border of the image only.',
  limits,
  layout: sameAxes,
  bind,
});

export const resize: readonly RegionRule[] = [
  rule(
    'Resize',
    'Rows and columns only; constant scales or sizes; no antialias; tf_crop_and_resize inside the image; whole numbers with linear or cubic only at powers of two.',
  ),
  rule('Upsample', 'Rows and columns only; constant scales.'),
];
