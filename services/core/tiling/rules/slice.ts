/** The rule of Slice: every step-th row and column, as the Focus layer of a YOLO reads them. */

import { sliceRanges } from '../../graph/slice-ranges.ts';
import type { Range } from '../../tensor/region.ts';
import type { BindContext, Bound, NodeEmitter, RegionRule, SlicePart } from './rule.ts';
import { cutOf, sameAxes } from './rule.ts';

type Along = { readonly start: number; readonly step: number };

const span = ({ start, step }: Along, [o0, o1]: Range): Range => [
  start + o0 * step,
  start + (o1 - 1) * step + 1,
];

function bind(context: BindContext): Bound | string {
  const shape = context.inputs[0]?.shape ?? [];
  const ranges = sliceRanges(context.node, context.opset, shape, (position) => context.values(position));
  if (ranges === undefined) return 'its bounds are not constants';
  const { row, column } = context.axes;
  const [rows, columns] = [ranges[row], ranges[column]];
  if (rows === undefined || columns === undefined || rows.step < 0 || columns.step < 0)
    return 'it runs backwards over rows or columns';
  const others = ranges.flatMap(({ start, step, count }, axis): SlicePart[] => {
    if (axis === row || axis === column || (start === 0 && step === 1 && count === shape[axis])) return [];
    const end = start + count * step;
    return [{ axis, begin: start, end: end < 0 ? undefined : end, step }];
  });
  const backwards = others.some(({ step = 1 }) => step < 0);
  return {
    step(out) {
      const [needRows, needColumns] = [span(rows, out.rows), span(columns, out.columns)];
      return {
        made: out,
        inputs: [cutOf(context, 0, needRows, needColumns)],
        emit: (emitter) => {
          if (emitter.opset < 10 || backwards) return emitApart(emitter, others);
          const { name, held } = emitter.uncut(0);
          const parts = [
            ...others,
            part(row, needRows, held.row ?? [0, shape[row] as number], rows.step),
            part(column, needColumns, held.column ?? [0, shape[column] as number], columns.step),
          ];
          emitter.replace(sliceNode(emitter, name, parts));
        },
      };

      /** The attribute form has no steps: the strided part is a Slice of the tile's own, the rest the node's. */
      function emitApart(emitter: NodeEmitter, rest: readonly SlicePart[]): void {
        const strided = [
          { axis: row, begin: 0, end: undefined, step: rows?.step ?? 1 },
          { axis: column, begin: 0, end: undefined, step: columns?.step ?? 1 },
        ].filter(({ step }) => step !== 1);
        emitter.replace(sliceNode(emitter, emitter.operand(0), [...rest, ...strided]));
      }
    },
  };
}

/** Amounts off the front and the back of what is held; sizes stay open. */
function part(axis: number, need: Range, held: Range, step: number): SlicePart {
  const rest = need[1] - held[1];
  return { axis, begin: need[0] - held[0], end: rest === 0 ? undefined : rest, step };
}

/** INT64_MAX: to the end whatever the extent. */
const END = 2 ** 63;
/** INT64_MIN: to the front, for a negative step. */
const FRONT = -(2 ** 63);

/** A Slice in the form of the operator set; parts that take everything are left out. */
export function sliceNode(
  emitter: Pick<NodeEmitter, 'opset' | 'constant'>,
  input: string,
  parts: readonly SlicePart[],
): Parameters<NodeEmitter['replace']>[0] {
  const real = parts.filter(({ begin, end, step = 1 }) => begin !== 0 || end !== undefined || step !== 1);
  if (real.length === 0) return { op: 'Identity', inputs: [input] };
  const starts = real.map(({ begin }) => begin);
  const ends = real.map(({ end, step = 1 }) => end ?? (step < 0 ? FRONT : END));
  const axes = real.map(({ axis }) => axis);
  const steps = real.map(({ step = 1 }) => step);
  if (emitter.opset < 10) {
    return {
      op: 'Slice',
      inputs: [input],
      attributes: new Map([
        ['starts', starts],
        ['ends', ends],
        ['axes', axes],
      ]),
    };
  }
  const lists = steps.every((step) => step === 1) ? [starts, ends, axes] : [starts, ends, axes, steps];
  return {
    op: 'Slice',
    inputs: [input, ...lists.map((list) => emitter.constant('int64', [list.length], list))],
  };
}

export const slice: readonly RegionRule[] = [
  {
    op: 'Slice',
    domain: '',
    region: "start + o step to start + (o' - 1) step + 1 along rows and columns.",
    pads: 'None: nothing is read outside the input.',
    limits: 'Constant bounds; along rows and columns positive steps.',
    layout: sameAxes,
    bind,
  },
];
