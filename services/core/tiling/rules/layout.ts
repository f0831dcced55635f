/** Rules of operators that move elements and leave rows and columns axes of their own. */

import { numberAttribute, numbersAttribute } from '../../graph/attributes.ts';
import { length } from '../range.ts';
import { sameRectangleRule } from './channel.ts';
import { broadcastCut } from './pointwise.ts';
import type { AxisMap, BindContext, Bound, Layout, NodeEmitter, RegionRule, RuleContext } from './rule.ts';
import { identityMap, inputAxis, sameAxes } from './rule.ts';

function normal(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

const shapeOf = (context: RuleContext): readonly number[] => context.inputs[0]?.shape ?? [];
const keep = (context: BindContext): Bound => sameRectangleRule(context, (emitter) => emitter.keep());
const isSpatial = ({ axes }: BindContext, axis: number) => axis === axes.row || axis === axes.column;

function concatLayout(context: RuleContext): Layout {
  return { maps: context.inputs.map((input) => input && identityMap(input.shape.length)) };
}

function bindConcat(context: BindContext): Bound | string {
  const axis = normal(numberAttribute(context.node, 'axis', 1), shapeOf(context).length);
  return isSpatial(context, axis) ? 'it joins tensors along rows or columns' : keep(context);
}

function bindSplit(context: BindContext): Bound | string {
  const axis = normal(numberAttribute(context.node, 'axis', 0), shapeOf(context).length);
  return isSpatial(context, axis) ? 'it splits along rows or columns' : keep(context);
}

function bindTile(context: BindContext): Bound | string {
  const repeats = context.values(1);
  if (repeats === undefined) return 'its repeats are not constants';
  const spatial = [context.axes.row, context.axes.column].some((axis) => repeats[axis] !== 1);
  return spatial ? 'it repeats along rows or columns' : keep(context);
}

function gatherLayout(context: RuleContext): Layout | undefined {
  const rank = shapeOf(context).length;
  const indices = context.inputs[1]?.shape;
  if (indices === undefined) return undefined;
  const axis = normal(numberAttribute(context.node, 'axis', 0), rank);
  const map: AxisMap = identityMap(rank).map((at) => {
    if (at === axis) return undefined;
    return (at as number) < axis ? at : (at as number) + indices.length - 1;
  });
  return { maps: [map] };
}

function transposeLayout(context: RuleContext): Layout {
  const rank = shapeOf(context).length;
  const order = numbersAttribute(context.node, 'perm') ?? identityMap(rank).map((_, axis) => rank - 1 - axis);
  return { maps: [identityMap(rank).map((axis) => order.indexOf(axis as number))] };
}

/**
 * An axis survives a reshape where as many elements come before it as before, and its extent is the same: then
 * in row-major order it still counts the same thing. Extents of 1 are told apart by their neighbours.
 */
export function reshapeMap(from: readonly number[], to: readonly number[]): AxisMap {
  const before = (shape: readonly number[]) => {
    let product = 1;
    return shape.map((extent) => {
      const here = product;
      product *= extent;
      return here;
    });
  };
  const [sources, targets] = [before(from), before(to)];
  const taken = new Set<number>();
  const map = from.map((extent, axis): number | undefined => {
    const found = to.findIndex(
      (other, at) => other === extent && extent !== 1 && targets[at] === sources[axis],
    );
    if (found < 0) return undefined;
    taken.add(found);
    return found;
  });
  return map.map((found, axis) => {
    if (found !== undefined || from[axis] !== 1) return found;
    // Of several candidates the one as far from the end as before: [1, C, 1, W] stays what it is.
    const shift = to.length - from.length;
    const candidates = to.flatMap((other, at) =>
      other === 1 && !taken.has(at) && targets[at] === sources[axis] ? [at] : [],
    );
    const best = candidates.includes(axis + shift) ? axis + shift : candidates[0];
    if (best !== undefined) taken.add(best);
    return best;
  });
}

function reshapeLayout(context: RuleContext): Layout | undefined {
  const to = context.outputs[0]?.shape;
  return to && { maps: [reshapeMap(shapeOf(context), to)] };
}

/** Writes a Reshape whose target has the tile's own rows and columns. */
function emitReshape(context: BindContext, emitter: NodeEmitter): void {
  const to = context.outputs[0]?.shape ?? [];
  const { row, column } = context.axes;
  const [fromRow, fromColumn] = [inputAxis(context.layout, 0, row), inputAxis(context.layout, 0, column)];
  const x = emitter.operand(0);
  const target = (list: readonly number[]) => emitter.constant('int64', [list.length], list);
  if (fromRow === row && fromColumn === column) {
    // A 0 copies the input's extent at the same place.
    const shape = to.map((extent, axis) => (axis === row || axis === column ? 0 : extent));
    emitter.replace({ op: 'Reshape', inputs: [x, target(shape)] });
    return;
  }
  const shape = emitter.add({ op: 'Shape', inputs: [x] });
  const pieces: string[] = [];
  let run: number[] = [];
  const flush = () => {
    if (run.length > 0) pieces.push(target(run));
    run = [];
  };
  for (const [axis, extent] of to.entries()) {
    const from = axis === row ? fromRow : axis === column ? fromColumn : undefined;
    if (from === undefined) {
      run.push(extent);
      continue;
    }
    flush();
    pieces.push(
      emitter.add({ op: 'Gather', inputs: [shape, target([from])], attributes: new Map([['axis', 0]]) }),
    );
  }
  flush();
  const whole = emitter.add({ op: 'Concat', inputs: pieces, attributes: new Map([['axis', 0]]) });
  emitter.replace({ op: 'Reshape', inputs: [x, whole] });
}

const bindReshape = (context: BindContext): Bound =>
  sameRectangleRule(context, (emitter) => emitReshape(context, emitter));

/** Axes Squeeze removes or Unsqueeze adds: an attribute, or from opset 13 an input. */
function listedAxes(context: RuleContext): readonly number[] | undefined {
  return (
    numbersAttribute(context.node, 'axes') ??
    ((context.node.inputs[1] ?? '') === '' ? undefined : context.values(1))
  );
}

function squeezeLayout(context: RuleContext): Layout {
  const shape = shapeOf(context);
  const listed = listedAxes(context)?.map((axis) => normal(axis, shape.length));
  let next = 0;
  const map = shape.map((extent, axis) => ((listed?.includes(axis) ?? extent === 1) ? undefined : next++));
  return { maps: [map] };
}

function unsqueezeLayout(context: RuleContext): Layout | undefined {
  const rank = context.outputs[0]?.shape.length ?? 0;
  const added = listedAxes(context)?.map((axis) => normal(axis, rank));
  if (added === undefined) return undefined;
  return { maps: [identityMap(rank).filter((axis) => !added.includes(axis as number))] };
}

/** A tile may have one row by chance: only the axes of the whole tensor may go. */
function bindSqueeze(context: BindContext): Bound {
  const gone = (context.layout.maps[0] ?? []).flatMap((to, axis) => (to === undefined ? [axis] : []));
  return sameRectangleRule(context, (emitter) => {
    const x = emitter.operand(0);
    if (emitter.opset < 13) {
      emitter.replace({ op: 'Squeeze', inputs: [x], attributes: new Map([['axes', gone]]) });
    } else {
      emitter.replace({ op: 'Squeeze', inputs: [x, emitter.constant('int64', [gone.length], gone)] });
    }
  });
}

function expandLayout(context: RuleContext): Layout | undefined {
  const rank = context.outputs[0]?.shape.length;
  const shape = context.inputs[0]?.shape;
  if (rank === undefined || shape === undefined) return undefined;
  return { maps: [shape.map((_, axis) => axis + rank - shape.length)], broadcasts: true };
}

/** Along rows and columns the target is 1 where the input has them, else what the tile asks for. */
function bindExpand(context: BindContext): Bound {
  const to = context.outputs[0]?.shape ?? [];
  const from = shapeOf(context);
  return {
    step(out) {
      const target = to.map((extent, axis) => {
        if (!isSpatial(context, axis)) return extent;
        const own = inputAxis(context.layout, 0, axis);
        if (own !== undefined && from[own] === extent) return 1;
        return length(axis === context.axes.row ? out.rows : out.columns);
      });
      return {
        made: out,
        inputs: [broadcastCut(context, 0, out)],
        emit: (emitter) =>
          emitter.keep({ inputs: [emitter.operand(0), emitter.constant('int64', [target.length], target)] }),
      };
    },
  };
}

const SAME = 'The same rectangle.';
const NONE = 'None: no element is computed.';
const lost: RegionRule['lost'] = (_, had) =>
  had ? 'rows and columns do not stay axes of their own' : undefined;

const rule = (
  op: string,
  limits: string,
  layout: RegionRule['layout'],
  bind: RegionRule['bind'],
  more: Partial<RegionRule> = {},
) =>
  ({
    op,
    domain: '',
    region: SAME,
    pads: NONE,
    limits,
    layout,
    bind,
    lost,
    ...more,
  }) satisfies RegionRule;

const ALONG = 'Along an axis that is neither rows nor columns.';

export const layout: readonly RegionRule[] = [
  rule('Concat', ALONG, concatLayout, bindConcat),
  rule('Split', ALONG, sameAxes, bindSplit, { many: true }),
  rule('Gather', ALONG, gatherLayout, keep),
  rule('Tile', ALONG, sameAxes, bindTile),
  rule('Transpose', 'None.', transposeLayout, keep),
  rule(
    'Reshape',
    'Rows and columns must stay axes of their own, as in a channel shuffle.',
    reshapeLayout,
    bindReshape,
  ),
  rule('Squeeze', 'Of axes that are neither rows nor columns.', squeezeLayout, bindSqueeze),
  rule('Unsqueeze', 'None.', unsqueezeLayout, keep),
  rule(
    'Expand',
    'None; along rows and columns the sub-model is made for the size of the tile.',
    expandLayout,
    bindExpand,
  ),
];
