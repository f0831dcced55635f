/** Rules of operators that read one position of each input: the output's own rectangle, broadcasting per axis. */

import { numberAttribute } from '../../graph/attributes.ts';
import { onnxTypeOf } from '../../graph/dtype.ts';
import { OPERATORS } from '../../graph/operators/table.ts';
import type { Rectangle } from '../types.ts';
import { isQuantised } from './refused.ts';
import type {
  AxisMap,
  BindContext,
  Bound,
  Cut,
  Layout,
  NodeEmitter,
  RegionRule,
  RuleContext,
} from './rule.ts';
import { inputAxis, outputExtent } from './rule.ts';

/** Where the axes of an input lie among those of the output: aligned at the end, before opset 7 at `axis`. */
function alignment(context: RuleContext, position: number, rank: number): AxisMap | undefined {
  const shape = context.inputs[position]?.shape;
  if (shape === undefined) return undefined;
  const first = rank - shape.length;
  const legacy = context.opset < 7 && context.node.domain === '' && position > 0;
  const offset = legacy ? numberAttribute(context.node, 'axis', first) : first;
  return shape.map((_, axis) => axis + (offset < 0 ? offset + rank : offset));
}

export function broadcastLayout(context: RuleContext): Layout | undefined {
  const rank = context.outputs[0]?.shape.length;
  if (rank === undefined) return undefined;
  return { maps: context.inputs.map((_, position) => alignment(context, position, rank)), broadcasts: true };
}

/** What an operand gives to a rectangle of the output: nothing to cut on an axis it repeats along. */
export function broadcastCut(context: BindContext, position: number, out: Rectangle): Cut | undefined {
  const shape = context.inputs[position]?.shape;
  if (shape === undefined) return undefined;
  const extent = outputExtent(context);
  const row = inputAxis(context.layout, position, context.axes.row);
  const column = inputAxis(context.layout, position, context.axes.column);
  const repeats = (axis: number, wanted: number) => shape[axis] === 1 && wanted !== 1;
  return {
    ...(row === undefined || repeats(row, extent.rows) ? {} : { row: { axis: row, range: out.rows } }),
    ...(column === undefined || repeats(column, extent.columns)
      ? {}
      : { column: { axis: column, range: out.columns } }),
  };
}

/** A bound rule whose operands are cut to the output's rectangle, position by position. */
export function bindBroadcast(context: BindContext, emit: (emitter: NodeEmitter) => void): Bound {
  return {
    step: (out) => ({
      made: out,
      inputs: context.inputs.map((_, position) => broadcastCut(context, position, out)),
      emit,
    }),
  };
}

const REGION =
  'The same rectangle of each input; an input that repeats along rows or columns is read whole on that axis.';
const NO_PADS = 'None: no position looks at another.';

function bind(context: BindContext): Bound | string {
  const { node } = context;
  if (node.op === 'Dropout' && (node.inputs[2] ?? '') !== '') return 'it may run in training mode';
  if (node.op === 'CastLike') {
    const to = context.outputs[0]?.dtype ?? 'float32';
    return bindBroadcast(context, (emitter) =>
      emitter.replace({
        op: 'Cast',
        inputs: [emitter.operand(0)],
        attributes: new Map([['to', onnxTypeOf(to)]]),
      }),
    );
  }
  return bindBroadcast(context, (emitter) => emitter.keep());
}

export const pointwise: readonly RegionRule[] = [...OPERATORS.values()]
  .filter(({ op, family }) => family === 'pointwise' && !isQuantised(op))
  .map(({ op, domain }) => ({
    op,
    domain,
    region: REGION,
    pads: NO_PADS,
    limits: op === 'Dropout' ? 'Runs whole in training mode.' : 'None.',
    layout: broadcastLayout,
    bind,
  }));
