/** Rules of sliding windows: Conv and the pools. */

import { numberAttribute } from '../../graph/attributes.ts';
import type { AttributeValue } from '../../graph/types.ts';
import { type AxisWindow, convWindows, poolWindows } from '../../graph/window.ts';
import type { Range } from '../../tensor/region.ts';
import type { BindContext, Bound, RegionRule, RuleContext } from './rule.ts';
import { channelsFirst, cutOf, outputExtent } from './rule.ts';

/** One axis of a window operator on a tile. */
export interface WindowStep {
  /** Outputs it makes, the asked ones among them. */
  readonly made: Range;
  /** Inputs it reads, inside the image. */
  readonly input: Range;
  readonly padBegin: number;
  readonly padEnd: number;
  /** The last window hangs over the padded end (ceil_mode). */
  readonly hangs: boolean;
}

/** Inputs outputs `[o0, o1)` look at, padding included: `[o0 s - p, (o1 - 1) s - p + (k - 1) d + 1)`. */
export function windowSpan({ kernel, stride, dilation, padBegin }: AxisWindow, [o0, o1]: Range): Range {
  return [o0 * stride - padBegin, (o1 - 1) * stride - padBegin + (kernel - 1) * dilation + 1];
}

/**
 * What a tile needs along one axis and how much of its padding is real. Outputs that lie entirely in the padding
 * are made together with the nearest one that reads the image, because no executor takes an empty input.
 */
export function windowStep(window: AxisWindow, asked: Range): WindowStep {
  const { input: extent, output, padEnd } = window;
  let [o0, o1] = asked;
  while (o1 < output && windowSpan(window, [o0, o1])[1] <= 0) o1++;
  while (o0 > 0 && windowSpan(window, [o0, o1])[0] >= extent) o0--;
  const [low, high] = windowSpan(window, [o0, o1]);
  const hangs = high > extent + padEnd;
  return {
    made: [o0, o1],
    input: [Math.max(low, 0), Math.min(high, extent)],
    padBegin: Math.max(0, -low),
    padEnd: hangs ? padEnd : Math.max(0, high - extent),
    hangs,
  };
}

/** Whether any output reads the image at all. */
function reads(window: AxisWindow): boolean {
  const [low, high] = windowSpan(window, [0, window.output]);
  return low < window.input && high > 0;
}

/** Pads as ONNX lists them: all begins, then all ends. */
export function padsOf(rows: WindowStep, columns: WindowStep): readonly number[] {
  return [rows.padBegin, columns.padBegin, rows.padEnd, columns.padEnd];
}

type Windows = readonly [AxisWindow, AxisWindow];

/** The windows of both axes, or why they cannot be tiled. */
export function checkedWindows(context: BindContext, windows: readonly AxisWindow[]): Windows | string {
  const [rows, columns] = windows;
  if (rows === undefined || columns === undefined || windows.length !== 2) {
    return `only windows of rows and columns are tiled, not of ${windows.length} axes`;
  }
  const extent = outputExtent(context);
  if (rows.output !== extent.rows || columns.output !== extent.columns) {
    return `its output has ${extent.rows} x ${extent.columns} positions where its attributes make ${rows.output} x ${columns.output}`;
  }
  return [rows, columns];
}

function bindWindow(context: BindContext, windows: readonly AxisWindow[], ceil: boolean): Bound | string {
  const checked = checkedWindows(context, windows);
  if (typeof checked === 'string') return checked;
  const [rowWindow, columnWindow] = checked;
  if (!reads(rowWindow) || !reads(columnWindow)) return 'all of its windows lie in the padding';
  return {
    step(out) {
      const rows = windowStep(rowWindow, out.rows);
      const columns = windowStep(columnWindow, out.columns);
      const attributes: Record<string, AttributeValue | undefined> = {
        pads: padsOf(rows, columns),
        auto_pad: undefined,
      };
      if (ceil) attributes.ceil_mode = rows.hangs || columns.hangs ? 1 : 0;
      return {
        made: { rows: rows.made, columns: columns.made },
        inputs: [cutOf(context, 0, rows.input, columns.input)],
        emit: (emitter) => emitter.keep({ attributes }),
      };
    },
  };
}

function bindConv(context: BindContext): Bound | string {
  const { node, inputs } = context;
  const [x, weights] = [inputs[0]?.shape, inputs[1]?.shape];
  if (x === undefined || weights === undefined) return 'its weights are unknown';
  if (node.inputs.length > 3) return 'it adds a further tensor';
  return bindWindow(context, convWindows(node, x.slice(2), weights.slice(2)), false);
}

function bindPool(context: BindContext): Bound | string {
  const { node, inputs } = context;
  const x = inputs[0]?.shape ?? [];
  return bindWindow(context, poolWindows(node, x.slice(2)), numberAttribute(node, 'ceil_mode', 0) !== 0);
}

/** Windows over one axis or three. */
export function otherAxes({ inputs }: RuleContext): string | undefined {
  const axes = (inputs[0]?.shape.length ?? 4) - 2;
  return axes === 2 ? undefined : `it has ${axes} spatial axes; only two are tiled`;
}

const REGION =
  "o s - p to (o' - 1) s - p + (k - 1) d + 1 on each axis, for outputs o to o', inside the image.";
const PADS = 'Exactly the pads that lie outside the image: none inside it, all of them at its border.';

const rule = (op: string, bind: RegionRule['bind'], more: Partial<RegionRule> = {}): RegionRule => ({
  op,
  domain: '',
  region: REGION,
  pads: PADS,
  limits: 'Two spatial axes.',
  layout: channelsFirst,
  lost: otherAxes,
  bind,
  ...more,
});

const POOL_PADS = `${PADS} ceil_mode stays, with the original end pads, on the tile whose last window hangs over the end.`;
const POOL_LIMITS = 'Two spatial axes; MaxPool without its second output.';

export const window: readonly RegionRule[] = [
  rule('Conv', bindConv),
  rule('FusedConv', bindConv, { domain: 'com.microsoft', limits: 'Two spatial axes, no added tensor.' }),
  rule('MaxPool', bindPool, { pads: POOL_PADS, limits: POOL_LIMITS }),
  rule('AveragePool', bindPool, { pads: POOL_PADS, limits: POOL_LIMITS }),
  rule('LpPool', bindPool, { pads: POOL_PADS, limits: POOL_LIMITS }),
];
