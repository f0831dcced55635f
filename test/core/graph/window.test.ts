/** Windows made explicit: the same operator with their pads in place of auto_pad computes the same. */

import { describe, expect, it } from 'vitest';
import { constantOf } from '../../../services/core/graph/constant.ts';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { AttributeValue, GraphNode } from '../../../services/core/graph/types.ts';
import {
  type AxisWindow,
  convWindows,
  deconvWindows,
  poolWindows,
} from '../../../services/core/graph/window.ts';
import { encodeModel } from '../../../services/core/graph/write.ts';
import { difference, runModel } from '../../support/graph-reference.ts';
import { ModelBuilder } from '../../support/model-builder.ts';

const EXTENTS = [5, 6, 7, 8, 9];
const STEPS = [1, 2, 3, 4];
const AUTO = ['SAME_UPPER', 'SAME_LOWER', 'VALID'];

async function sameWhenExplicit(
  op: string,
  extent: readonly number[],
  weights: readonly number[] | undefined,
  attributes: Record<string, number | string | readonly number[]>,
  windowsOf: (node: GraphNode, spatial: readonly number[]) => readonly AxisWindow[],
): Promise<void> {
  const builder = new ModelBuilder(18).input('x', [1, 2, ...extent]).output('y');
  if (weights) builder.random('w', weights);
  const model = builder.node(op, weights ? ['x', 'w'] : ['x'], ['y'], attributes).encode();
  const graph = await readGraph(model);
  const node = graph.nodes[0] as GraphNode;
  const windows = windowsOf(node, extent);
  const [begins, ends] = [windows.map((axis) => axis.padBegin), windows.map((axis) => axis.padEnd)];
  const explicit = new Map<string, AttributeValue>(node.attributes);
  for (const name of ['auto_pad', 'ceil_mode', 'output_shape']) explicit.delete(name);
  // ONNX Runtime takes no negative pads from a file, though SAME makes them: Pad can crop.
  const apart = op === 'Conv';
  explicit.set('pads', apart ? [0, 0, 0, 0] : [...begins, ...ends]);
  if (op === 'ConvTranspose')
    explicit.set(
      'output_padding',
      windows.map((axis) => axis.outputPadding),
    );
  const padded = { op: 'Pad', inputs: ['x', 'pads'], outputs: ['padded'] };
  const rewritten = encodeModel({
    ...graph,
    nodes: [
      ...(apart ? [padded] : []),
      { ...node, attributes: explicit, inputs: apart ? ['padded', 'w'] : node.inputs },
    ],
    initializers: [
      ...graph.constants.values(),
      constantOf('pads', 'int64', [8], [0, 0, ...begins, 0, 0, ...ends]),
    ],
  });
  const [wanted, found] = [await runModel(model, graph.inputs), await runModel(rewritten, graph.inputs)];
  expect(found.get('y')?.shape.slice(2)).toEqual(windows.map((axis) => axis.output));
  expect(difference(found.get('y'), wanted.get('y'))).toBeLessThanOrEqual(1e-6);
}

describe('explicit pads', () => {
  for (const autoPad of AUTO) {
    it(`Conv ${autoPad}`, async () => {
      for (const extent of EXTENTS) {
        for (const stride of STEPS) {
          for (const kernel of [1, 2, 3, 4]) {
            const attributes = { auto_pad: autoPad, strides: [stride, 1] };
            await sameWhenExplicit('Conv', [extent, 7], [3, 2, kernel, 2], attributes, (node, spatial) =>
              convWindows(node, spatial, [kernel, 2]),
            );
          }
        }
      }
    });

    for (const op of ['MaxPool', 'AveragePool']) {
      it(`${op} ${autoPad}`, async () => {
        for (const extent of EXTENTS) {
          for (const stride of STEPS) {
            for (const kernel of [2, 3, 4]) {
              if ((Math.ceil(extent / stride) - 1) * stride + kernel < extent) continue;
              const attributes = { auto_pad: autoPad, strides: [stride, 1], kernel_shape: [kernel, 2] };
              await sameWhenExplicit(op, [extent, 7], undefined, attributes, poolWindows);
            }
          }
        }
      });
    }

    it(`ConvTranspose ${autoPad}`, async () => {
      for (const stride of [1, 2, 3]) {
        for (const kernel of [3, 4, 5]) {
          const attributes = { auto_pad: autoPad, strides: [stride, 1] };
          await sameWhenExplicit('ConvTranspose', [6, 7], [2, 3, kernel, 2], attributes, (node, spatial) =>
            deconvWindows(node, spatial, [kernel, 2]),
          );
        }
      }
    });
  }

  for (const autoPad of ['NOTSET', 'SAME_UPPER', 'SAME_LOWER']) {
    it(`ConvTranspose with output_shape, ${autoPad}`, async () => {
      // Without output_shape the output has 18 rows: (6 - 1) * 3 + 3.
      for (const rows of [14, 15, 16, 17, 18, 19, 20]) {
        const attributes = { auto_pad: autoPad, strides: [3, 1], output_shape: [rows, 7] };
        await sameWhenExplicit('ConvTranspose', [6, 7], [2, 3, 3, 2], attributes, (node, spatial) =>
          deconvWindows(node, spatial, [3, 2]),
        );
      }
    });
  }
});

describe('refused windows', () => {
  it('an output_shape that leaves more than a stride to fill', async () => {
    const builder = new ModelBuilder().input('x', [1, 2, 6, 7]).random('w', [2, 3, 3, 2]).output('y');
    builder.node('ConvTranspose', ['x', 'w'], ['y'], { strides: [3, 1], output_shape: [21, 8] });
    await expect(readGraph(builder.encode())).rejects.toMatchObject({ code: 'model-shape' });
  });

  const conv = (attributes: Record<string, string | number | readonly number[]>) =>
    readGraph(
      new ModelBuilder()
        .input('x', [1, 2, 6, 6])
        .random('w', [3, 2, 3, 3])
        .node('Conv', ['x', 'w'], ['y'], attributes)
        .output('y')
        .encode(),
    );

  it('a dilated SAME convolution, which ONNX Runtime refuses', async () => {
    await expect(conv({ auto_pad: 'SAME_UPPER', dilations: [2, 2] })).rejects.toMatchObject({
      code: 'model-unsupported',
    });
  });

  it('pads, strides and kernels that do not fit', async () => {
    for (const attributes of [
      { pads: [1, 1] },
      { pads: [0, 0, -1, 0] },
      { strides: [0, 1] },
      { kernel_shape: [2, 2] },
      { dilations: [4, 1] },
      { auto_pad: 'MIDDLE' },
    ]) {
      await expect(conv(attributes)).rejects.toMatchObject({ code: 'model-shape' });
    }
  });
});
