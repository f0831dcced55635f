/** The rule of Pad: the part of the border that a tile touches. */

import { numberAttribute, numbersAttribute, stringAttribute } from '../../graph/attributes.ts';
import type { Range } from '../../tensor/region.ts';
import type { BindContext, Bound, NodeEmitter, RegionRule } from './rule.ts';
import { cutOf, inputExtent, outputExtent, sameAxes } from './rule.ts';

export type PadMode = 'constant' | 'edge' | 'reflect';

export interface PadAxis {
  readonly mode: PadMode;
  readonly begin: number;
  readonly input: number;
  readonly output: number;
}

export interface PadStep {
  readonly made: Range;
  readonly input: Range;
  readonly padBegin: number;
  readonly padEnd: number;
}

/**
 * Output `o` is input `o - begin`. A border alone has nothing to copy from, so the nearest input comes along; a
 * reflected border of `p` needs `p + 1` inputs, and what they make beside the border is made too and cropped.
 */
export function padStep({ mode, begin, input, output }: PadAxis, asked: Range): PadStep {
  let [o0, o1] = asked;
  for (let settled = false; !settled; ) {
    const [low, high] = [o0 - begin, o1 - begin];
    const before = [o0, o1];
    if (high <= 0) o1 = Math.min(output, begin + 1);
    if (low >= input) o0 = Math.max(0, begin + input - 1);
    if (mode === 'reflect' && low < 0) o1 = Math.max(o1, Math.min(begin + input, begin - low + 1));
    if (mode === 'reflect' && high > input)
      o0 = Math.min(o0, Math.max(begin, begin + input - 1 - (high - input)));
    settled = before[0] === o0 && before[1] === o1;
  }
  const [low, high] = [o0 - begin, o1 - begin];
  return {
    made: [o0, o1],
    input: [Math.max(0, low), Math.min(input, high)],
    padBegin: Math.max(0, -low),
    padEnd: Math.max(0, high - input),
  };
}

/** Pads of every axis, begins then ends; undefined where they are not constants. */
function allPads(context: BindContext): readonly number[] | undefined {
  const rank = context.inputs[0]?.shape.length ?? 0;
  const listed =
    numbersAttribute(context.node, 'pads') ?? numbersAttribute(context.node, 'paddings') ?? context.values(1);
  if (listed === undefined) return undefined;
  const named = (context.node.inputs[3] ?? '') === '' ? undefined : context.values(3);
  if (named === undefined) return (context.node.inputs[3] ?? '') === '' ? listed : undefined;
  const full = new Array<number>(2 * rank).fill(0);
  for (const [index, given] of named.entries()) {
    const axis = given < 0 ? given + rank : given;
    full[axis] = listed[index] as number;
    full[axis + rank] = listed[index + named.length] as number;
  }
  return full;
}

function bind(context: BindContext): Bound | string {
  const { axes } = context;
  const rank = context.inputs[0]?.shape.length ?? 0;
  const mode = stringAttribute(context.node, 'mode', 'constant');
  if (mode !== 'constant' && mode !== 'edge' && mode !== 'reflect')
    return `mode ${mode} joins opposite borders`;
  const pads = allPads(context);
  if (pads === undefined) return 'its pads are not constants';
  const [input, output] = [inputExtent(context), outputExtent(context)];
  const along = (axis: number) => ({ begin: pads[axis] ?? 0, end: pads[axis + rank] ?? 0 });
  const [rowPads, columnPads] = [along(axes.row), along(axes.column)];
  if (mode !== 'constant' && [rowPads, columnPads].some(({ begin, end }) => begin < 0 || end < 0))
    return 'it crops and pads at once';
  const rowAxis: PadAxis = { mode, begin: rowPads.begin, input: input.rows, output: output.rows };
  const columnAxis: PadAxis = { mode, begin: columnPads.begin, input: input.columns, output: output.columns };
  if (
    [rowAxis, columnAxis].some(
      (axis) => axis.input < 1 || axis.begin >= axis.output || axis.begin + axis.input <= 0,
    )
  ) {
    return 'none of its output lies inside its input';
  }
  return {
    step(out) {
      const [rows, columns] = [padStep(rowAxis, out.rows), padStep(columnAxis, out.columns)];
      const amounts = [...pads];
      amounts[axes.row] = rows.padBegin;
      amounts[axes.row + rank] = rows.padEnd;
      amounts[axes.column] = columns.padBegin;
      amounts[axes.column + rank] = columns.padEnd;
      return {
        made: { rows: rows.made, columns: columns.made },
        inputs: [cutOf(context, 0, rows.input, columns.input)],
        emit: (emitter) => emitPad(emitter, mode, amounts),
      };
    },
  };
}

function emitPad(emitter: NodeEmitter, mode: PadMode, amounts: readonly number[]): void {
  const x = emitter.operand(0);
  if (amounts.every((amount) => amount === 0)) {
    emitter.replace({ op: 'Identity', inputs: [x] });
    return;
  }
  if (emitter.opset < 11) {
    const value = numberAttribute(emitter.node, 'value', 0);
    emitter.replace({
      op: 'Pad',
      inputs: [x],
      attributes: new Map<string, string | number | readonly number[]>([
        ['mode', mode],
        ['pads', amounts],
        ['value', value],
      ]),
      floats: new Set(['value']),
    });
    return;
  }
  const filler = emitter.operand(2);
  const inputs = [
    x,
    emitter.constant('int64', [amounts.length], amounts),
    ...(filler === '' ? [] : [filler]),
  ];
  emitter.replace({ op: 'Pad', inputs, attributes: new Map([['mode', mode]]) });
}

export const pad: readonly RegionRule[] = [
  {
    op: 'Pad',
    domain: '',
    region: "o - p to o' - p inside the input; a reflected border of p needs p + 1 inputs.",
    pads: 'The part of the border the tile touches, and none inside.',
    limits: 'Constant pads; constant, edge and reflect modes; only constant mode crops (negative pads).',
    layout: sameAxes,
    bind,
  },
];
