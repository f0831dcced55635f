/** The rule of ConvTranspose: an input position spreads over a window of outputs. */

import { type AxisWindow, deconvWindows } from '../../graph/window.ts';
import type { Range } from '../../tensor/region.ts';
import type { BindContext, Bound, RegionRule } from './rule.ts';
import { channelsFirst, cutOf, inputExtent } from './rule.ts';
import { checkedWindows, otherAxes } from './window.ts';

interface SpreadStep {
  readonly input: Range;
  /** Rows cut off the front and the back of what the inputs spread over. */
  readonly padBegin: number;
  readonly padEnd: number;
  /** Rows added behind it, which no input reaches. */
  readonly outputPadding: number;
}

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

/**
 * Inputs `i` with `i s + t d` in `[o0 + p, o1 + p)` for some tap `t`. What they spread over starts at `i0 s` and
 * ends at `(i1 - 1) s + (k - 1) d + 1`, counted before the crop; crops as pads bring it to the asked range. Where the
 * stride is longer than the kernel the range may start in a gap, then the input before the gap anchors it.
 */
export function spreadStep(window: AxisWindow, [o0, o1]: Range): SpreadStep {
  const { kernel, stride, dilation, padBegin, input } = window;
  const reach = (kernel - 1) * dilation;
  const [from, to] = [o0 + padBegin, o1 + padBegin];
  const anchor = Math.floor(from / stride);
  const first = clamp(Math.min(Math.ceil((from - reach) / stride), anchor), 0, input - 1);
  const last = clamp(Math.floor((to - 1) / stride), first, input - 1);
  const end = last * stride + reach + 1;
  return {
    input: [first, last + 1],
    padBegin: from - first * stride,
    padEnd: Math.max(0, end - to),
    outputPadding: Math.max(0, to - end),
  };
}

function bind(context: BindContext): Bound | string {
  const { node, inputs } = context;
  const [x, weights] = [inputs[0]?.shape, inputs[1]?.shape];
  if (x === undefined || weights === undefined) return 'its weights are unknown';
  const checked = checkedWindows(context, deconvWindows(node, x.slice(2), weights.slice(2)));
  if (typeof checked === 'string') return checked;
  const [rowWindow, columnWindow] = checked;
  if (checked.some(({ padBegin, padEnd }) => padBegin < 0 || padEnd < 0)) return 'its pads are negative';
  const extent = inputExtent(context);
  return {
    step(out) {
      const rows = spreadStep(rowWindow, out.rows);
      const columns = spreadStep(columnWindow, out.columns);
      const covered = (rows.input[1] - rows.input[0]) * (columns.input[1] - columns.input[0]);
      return {
        made: out,
        inputs: [cutOf(context, 0, rows.input, columns.input)],
        share: covered / (extent.rows * extent.columns),
        emit: (emitter) =>
          emitter.keep({
            attributes: {
              pads: [rows.padBegin, columns.padBegin, rows.padEnd, columns.padEnd],
              output_padding: [rows.outputPadding, columns.outputPadding],
              output_shape: undefined,
              auto_pad: undefined,
            },
          }),
      };
    },
  };
}

export const convTranspose: readonly RegionRule[] = [
  {
    op: 'ConvTranspose',
    domain: '',
    region:
      "The inputs whose windows reach the outputs: ceil((o + p - (k - 1) d) / s) to floor((o' - 1 + p) / s) + 1.",
    pads: 'Pads crop what the halo spreads beyond the tile; output_padding fills what no input reaches.',
    limits: 'Two spatial axes.',
    layout: channelsFirst,
    lost: otherAxes,
    bind,
  },
];
