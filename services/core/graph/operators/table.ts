/** The operator table: one row for each operator Tilepipe knows. */

import { channel } from './channel.ts';
import { global } from './global.ts';
import { layout } from './layout.ts';
import { pointwise } from './pointwise.ts';
import { resample } from './resample.ts';
import type { OperatorRow } from './row.ts';
import { shape } from './shape.ts';
import { spatial } from './spatial.ts';

/** Key of the table: the operator's name, with its domain in front where it is not a standard one. */
export function operatorKey(op: string, domain: string): string {
  return domain === '' ? op : `${domain}:${op}`;
}

/** By `operatorKey`. */
export const OPERATORS: ReadonlyMap<string, OperatorRow> = new Map(
  [...spatial, ...resample, ...pointwise, ...channel, ...layout, ...global, ...shape].map((row) => [
    operatorKey(row.op, row.domain),
    row,
  ]),
);
