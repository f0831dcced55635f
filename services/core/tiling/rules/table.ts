/** The table of region rules: adding an operator is one row here, and the property tests already cover it. */

import { operatorKey } from '../../graph/operators/table.ts';
import { blocks } from './blocks.ts';
import { channel } from './channel.ts';
import { convTranspose } from './conv-transpose.ts';
import { layout } from './layout.ts';
import { pad } from './pad.ts';
import { pointwise } from './pointwise.ts';
import { REFUSED } from './refused.ts';
import { resize } from './resize.ts';
import type { RegionRule } from './rule.ts';
import { slice } from './slice.ts';
import { window } from './window.ts';

const rows = [
  ...window,
  ...convTranspose,
  ...resize,
  ...pad,
  ...blocks,
  ...slice,
  ...layout,
  ...channel,
  ...pointwise,
];

/** By `operatorKey`. */
export const RULES: ReadonlyMap<string, RegionRule> = new Map(
  rows.map((row) => [operatorKey(row.op, row.domain), row]),
);

/** One row of the page of supported operators. */
export interface RuleDescription {
  readonly op: string;
  readonly domain: string;
  readonly tiled: boolean;
  /** What of the input a rectangle of the output needs; empty for operators that run whole. */
  readonly region: string;
  readonly pads: string;
  /** When it runs whole, or why it always does. */
  readonly limits: string;
}

/** Every rule in words, tiled operators first. */
export function describeRules(): RuleDescription[] {
  const tiled = rows.map(({ op, domain, region, pads, limits }) => ({
    op,
    domain,
    tiled: true,
    region,
    pads,
    limits,
  }));
  const whole = [...REFUSED].map(([op, reason]) => ({
    op,
    domain: '',
    tiled: false,
    region: '',
    pads: '',
    limits: reason,
  }));
  return [...tiled, ...whole];
}
