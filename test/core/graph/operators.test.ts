/** The operator table itself. */

import { describe, expect, it } from 'vitest';
import { channel } from '../../../services/core/graph/operators/channel.ts';
import { global } from '../../../services/core/graph/operators/global.ts';
import { layout } from '../../../services/core/graph/operators/layout.ts';
import { pointwise } from '../../../services/core/graph/operators/pointwise.ts';
import { resample } from '../../../services/core/graph/operators/resample.ts';
import { shape } from '../../../services/core/graph/operators/shape.ts';
import { spatial } from '../../../services/core/graph/operators/spatial.ts';
import { OPERATORS, operatorKey } from '../../../services/core/graph/operators/table.ts';

const rows = [channel, global, layout, pointwise, resample, shape, spatial].flat();

describe('operator table', () => {
  it('has one row for each operator', () => {
    expect(OPERATORS.size).toBe(rows.length);
    for (const row of rows) expect(OPERATORS.get(operatorKey(row.op, row.domain))).toBe(row);
  });

  it('says in one sentence what each does', () => {
    for (const { op, summary } of rows) expect(summary, op).toMatch(/^\S.+\.$/);
  });
});
