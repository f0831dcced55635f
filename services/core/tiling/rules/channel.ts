/** Rules of operators that look along channels only: each position of rows and columns stands for itself. */

import { numberAttribute, numbersAttribute } from '../../graph/attributes.ts';
import type { AxisMap, BindContext, Bound, Layout, NodeEmitter, RegionRule, RuleContext } from './rule.ts';
import { channelsFirst, cutOf, identityMap, inputAxis, sameAxes } from './rule.ts';

/** The output's own rectangle of the inputs that have axes; parameters whole. */
export function sameRectangleRule(context: BindContext, emit: (emitter: NodeEmitter) => void): Bound {
  return {
    step: (out) => ({
      made: out,
      inputs: context.inputs.map((_, position) =>
        context.layout.maps[position] === undefined
          ? undefined
          : cutOf(context, position, out.rows, out.columns),
      ),
      emit,
    }),
  };
}

const keep = (context: BindContext): Bound => sameRectangleRule(context, (emitter) => emitter.keep());

function normal(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

function rankOf(context: RuleContext): number {
  return context.inputs[0]?.shape.length ?? 0;
}

/** Whether input 0 has rows or columns at `axis`. */
function isSpatial(context: BindContext, axis: number): boolean {
  return (
    axis === inputAxis(context.layout, 0, context.axes.row) ||
    axis === inputAxis(context.layout, 0, context.axes.column)
  );
}

/** Whether rows or columns lie at `axis` or behind it. */
function reachesSpatial(context: BindContext, axis: number): boolean {
  const row = inputAxis(context.layout, 0, context.axes.row) ?? 0;
  const column = inputAxis(context.layout, 0, context.axes.column) ?? 0;
  return axis <= Math.max(row, column);
}

function bindBatchNorm(context: BindContext): Bound | string {
  const { node, opset } = context;
  if (numberAttribute(node, 'training_mode', 0) !== 0)
    return 'it computes statistics of the whole tensor (training)';
  if (opset < 7 && numberAttribute(node, 'is_test', 0) === 0)
    return 'it computes statistics of the whole tensor (training)';
  if (opset < 9 && numberAttribute(node, 'spatial', 1) === 0)
    return 'each position has parameters of its own (spatial = 0)';
  return isSpatial(context, 1) ? 'its channels are rows or columns' : keep(context);
}

/** Before opset 13 Softmax and its kin flatten the tensor at `axis` and work on all of the rest. */
function bindSoftmax(context: BindContext): Bound | string {
  const { node, opset } = context;
  const flattens = opset < 13;
  const axis = normal(numberAttribute(node, 'axis', flattens ? 1 : -1), rankOf(context));
  if (flattens && reachesSpatial(context, axis)) {
    return `before opset 13 it normalises over all axes from ${axis} on, rows and columns among them`;
  }
  return isSpatial(context, axis) ? 'it normalises along rows or columns' : keep(context);
}

function bindAlong(context: BindContext, fallback: number): Bound | string {
  const axis = normal(numberAttribute(context.node, 'axis', fallback), rankOf(context));
  return isSpatial(context, axis) ? 'it works along rows or columns' : keep(context);
}

function bindCumulative(context: BindContext): Bound | string {
  const axis = context.values(1)?.[0];
  if (axis === undefined) return 'its axis is not a constant';
  return isSpatial(context, normal(axis, rankOf(context))) ? 'it runs along rows or columns' : keep(context);
}

function bindLayerNorm(context: BindContext): Bound | string {
  const axis = normal(numberAttribute(context.node, 'axis', -1), rankOf(context));
  return reachesSpatial(context, axis)
    ? `it normalises over all axes from ${axis} on, rows or columns among them`
    : keep(context);
}

/** Axes a reduction takes away, counted from the front; undefined where they are not constants, [] for all. */
function reducedAxes(context: RuleContext): readonly number[] | undefined {
  const { node } = context;
  const listed = node.op.startsWith('Arg')
    ? [numberAttribute(node, 'axis', 0)]
    : (numbersAttribute(node, 'axes') ?? ((node.inputs[1] ?? '') === '' ? [] : context.values(1)));
  return listed?.map((axis) => normal(axis, rankOf(context)));
}

function reduceLayout(context: RuleContext): Layout | undefined {
  const axes = reducedAxes(context);
  if (axes === undefined) return undefined;
  if (axes.length === 0 && numberAttribute(context.node, 'noop_with_empty_axes', 0) !== 0)
    return sameAxes(context);
  const gone = new Set(axes.length === 0 ? identityMap(rankOf(context)) : axes);
  const kept = numberAttribute(context.node, 'keepdims', 1) !== 0;
  let next = 0;
  const map: AxisMap = identityMap(rankOf(context)).map((axis) => {
    if (kept) return axis;
    return gone.has(axis) ? undefined : next++;
  });
  return { maps: [map] };
}

function bindReduce(context: BindContext): Bound | string {
  const axes = reducedAxes(context) ?? [];
  if (axes.length === 0 && numberAttribute(context.node, 'noop_with_empty_axes', 0) === 0)
    return 'it reduces over rows and columns';
  return axes.some((axis) => isSpatial(context, axis)) ? 'it reduces over rows or columns' : keep(context);
}

/** Every axis but the last, which is summed over. */
function matMulLayout(context: RuleContext): Layout | undefined {
  const rank = rankOf(context);
  return { maps: [identityMap(rank).map((axis) => (axis === rank - 1 ? undefined : axis))] };
}

const ATTENTION = 'it multiplies two tensors of the frame (attention)';

function lostInMatMul(context: RuleContext, had: boolean): string | undefined {
  if (!context.isConstant(1)) return ATTENTION;
  return had ? 'it multiplies along rows or columns' : undefined;
}

function bindMatMul(context: BindContext): Bound | string {
  const matrix = context.inputs[1]?.shape;
  if (!context.isConstant(1)) return ATTENTION;
  if (matrix === undefined || matrix.length > 2) return 'it multiplies by a stack of matrices';
  return keep(context);
}

const SAME = 'The same rectangle, all channels.';
const NONE = 'None: no position looks at another.';

const rule = (
  op: string,
  limits: string,
  bind: RegionRule['bind'],
  more: Partial<RegionRule> = {},
): RegionRule => ({
  op,
  domain: '',
  region: SAME,
  pads: NONE,
  limits,
  layout: sameAxes,
  bind,
  ...more,
});

const ALONG = 'Along an axis that is neither rows nor columns.';
const FLATTENS = `${ALONG} Before opset 13 rows and columns must come before the axis.`;

const reduction = (op: string) =>
  rule(op, 'Over axes that are neither rows nor columns.', bindReduce, {
    layout: reduceLayout,
    lost: (_, had) => (had ? 'it reduces over rows or columns' : undefined),
  });

export const channel: readonly RegionRule[] = [
  rule('BatchNormalization', 'At inference, one scale and shift for each channel.', bindBatchNorm, {
    layout: channelsFirst,
  }),
  rule('LRN', 'None.', keep, { layout: channelsFirst }),
  rule('Softmax', FLATTENS, bindSoftmax),
  rule('LogSoftmax', FLATTENS, bindSoftmax),
  rule('Hardmax', FLATTENS, bindSoftmax),
  rule('LpNormalization', ALONG, (context) => bindAlong(context, -1)),
  rule('TopK', ALONG, (context) => bindAlong(context, -1), { many: true }),
  rule('CumSum', ALONG, bindCumulative),
  rule('CumProd', ALONG, bindCumulative),
  rule('LayerNormalization', 'Over axes behind rows and columns (channels last).', bindLayerNorm),
  rule('RMSNormalization', 'Over axes behind rows and columns (channels last).', bindLayerNorm),
  rule('MatMul', 'By a constant matrix along the last axis (channels last).', bindMatMul, {
    layout: matMulLayout,
    lost: lostInMatMul,
  }),
  ...['ReduceMax', 'ReduceMin', 'ReduceMean', 'ReduceSum', 'ReduceProd', 'ReduceL1', 'ReduceL2'].map(
    reduction,
  ),
  ...['ReduceSumSquare', 'ReduceLogSum', 'ReduceLogSumExp', 'ArgMax', 'ArgMin'].map(reduction),
];
