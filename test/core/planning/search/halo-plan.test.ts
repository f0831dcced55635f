/** What moves come to: the parts of each block, on the devices that hold what they read. */

import { expect, it } from 'vitest';
import { evenCover } from '../../../../services/core/planning/search/covers.ts';
import { viewOf } from '../../../../services/core/planning/search/fleet-view.ts';
import { keeping } from '../../../../services/core/planning/search/halo-cost.ts';
import { stepsOf } from '../../../../services/core/planning/search/halo-plan.ts';
import type { Span } from '../../../../services/core/planning/search/span.ts';
import { draftBlocks } from '../../../../services/core/planning/search/step.ts';
import { RAW_FORM } from '../../../../services/core/planning/search/wire-form.ts';
import type { Tile } from '../../../../services/core/tiling/types.ts';
import { ModelBuilder } from '../../../support/model-builder.ts';
import { fleetOf, spaceOf } from './small.ts';

const ROWS = 36;

/** A map of three rows that is summed up, and beside it one of all rows: of four strips one holds nothing of the first. */
function twoMaps(): Uint8Array {
  const conv = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  return new ModelBuilder()
    .input('x', [1, 3, ROWS, ROWS])
    .random('w1', [8, 3, 3, 3])
    .random('w2', [8, 8, 3, 3])
    .random('w3', [72, 10])
    .random('w4', [10, 10])
    .node('Conv', ['x', 'w1'], ['a'], conv)
    .node('MaxPool', ['a'], ['small'], { kernel_shape: [12, 12], strides: [12, 12] })
    .node('Conv', ['a', 'w2'], ['large'], conv)
    .node('Flatten', ['small'], ['flat'])
    .node('MatMul', ['flat', 'w3'], ['h'])
    .node('Relu', ['h'], ['r'])
    .node('MatMul', ['r', 'w4'], ['logits'])
    .output('logits', 'float32', [1, 10])
    .output('large', 'float32', [1, 8, ROWS, ROWS])
    .encode();
}

const space = await spaceOf(twoMaps());

function spanOf(inputs: string, outputs: string): Span {
  for (let from = 0; from < space.end; from++)
    for (let to = from + 1; to <= space.end; to++) {
      const span = space.span(from, to);
      const { block } = span ?? {};
      if (block?.inputs.join(' ') === inputs && block.outputs.join(' ') === outputs) return span as Span;
    }
  throw new Error(`no span from ${inputs} to ${outputs}`);
}

it('parts of a sum are on the devices that made what they sum, where a tile makes nothing of it', () => {
  const view = viewOf(fleetOf({ slowness: [1, 1, 1, 1] }));
  const keep = keeping(view.members, evenCover([1, 1, 1, 1]));
  const maker = spanOf('x', 'small large');
  const adder = spanOf('small', 'h');
  const steps = stepsOf(
    [
      { kind: 'tile', span: maker, keep, entry: undefined },
      { kind: 'partial', span: adder, keep, entry: 'halo' },
    ],
    RAW_FORM,
  );
  const [made, summed] = draftBlocks(space, view, steps ?? []);
  const holders = made?.parts.flatMap(({ tile, devices }) =>
    tile.outputs.has('small') ? [{ devices, region: tile.outputs.get('small') }] : [],
  );
  expect(holders).toHaveLength(3);
  const parts = summed?.parts ?? [];
  expect(parts.map(({ tile, devices }) => ({ devices, region: regionOf(tile) }))).toEqual(holders);
  for (const { tile, work, weightBytes } of parts) {
    expect(work.reduce((sum, { macs }) => sum + macs, 0)).toBeCloseTo(tile.macs, 6);
    expect(weightBytes).toBeCloseTo(adder.whole.weightBytes / 3, 6);
  }
});

function regionOf(tile: Tile) {
  return tile.inputs.get('small');
}
