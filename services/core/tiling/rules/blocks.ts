/** Rules of operators that trade channels for rows and columns in blocks. */

import { numberAttribute } from '../../graph/attributes.ts';
import type { Range } from '../../tensor/region.ts';
import type { BindContext, Bound, RegionRule } from './rule.ts';
import { channelsFirst, cutOf } from './rule.ts';

/** Outputs come in blocks of `size`: whole blocks are made, and the asked part cropped out. */
function bindDepthToSpace(context: BindContext): Bound | string {
  const size = numberAttribute(context.node, 'blocksize', 1);
  const input = ([o0, o1]: Range): Range => [Math.floor(o0 / size), Math.ceil(o1 / size)];
  const made = ([i0, i1]: Range): Range => [i0 * size, i1 * size];
  return {
    step(out) {
      const [rows, columns] = [input(out.rows), input(out.columns)];
      return {
        made: { rows: made(rows), columns: made(columns) },
        inputs: [cutOf(context, 0, rows, columns)],
        emit: (emitter) => emitter.keep(),
      };
    },
  };
}

function bindSpaceToDepth(context: BindContext): Bound | string {
  const size = numberAttribute(context.node, 'blocksize', 1);
  const input = ([o0, o1]: Range): Range => [o0 * size, o1 * size];
  return {
    step: (out) => ({
      made: out,
      inputs: [cutOf(context, 0, input(out.rows), input(out.columns))],
      emit: (emitter) => emitter.keep(),
    }),
  };
}

export const blocks: readonly RegionRule[] = [
  {
    op: 'DepthToSpace',
    domain: '',
    region: "floor(o / b) to ceil(o' / b); the block the tile starts or ends in is cropped after.",
    pads: 'None.',
    limits: 'None; both modes.',
    layout: channelsFirst,
    bind: bindDepthToSpace,
  },
  {
    op: 'SpaceToDepth',
    domain: '',
    region: "o b to o' b.",
    pads: 'None.',
    limits: 'None.',
    layout: channelsFirst,
    bind: bindSpaceToDepth,
  },
];
