/** Written models, as ONNX Runtime loads them. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { writeElements } from '../../../services/core/graph/dtype.ts';
import { encodeModel, withOutputs } from '../../../services/core/graph/write.ts';
import { ModelBuilder } from '../../support/model-builder.ts';
import { wholeModel } from '../../support/ort.ts';
import { floatTensor } from '../../support/tensors.ts';

const opsets = new Map([['', 17]]);

describe('encodeModel', () => {
  it('refers to weights beside the file, and leaves symbolic extents open', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tilepipe-write-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'weights'), writeElements('float32', [9, 9, 2, 3]));
    const model = encodeModel({
      nodes: [{ op: 'Mul', inputs: ['x', 'w'], outputs: ['y'] }],
      inputs: [{ name: 'x', dtype: 'float32', shape: ['rows', 2] }],
      outputs: [{ name: 'y', dtype: 'float32', shape: ['rows', 2] }],
      externalInitializers: [
        { name: 'w', dtype: 'float32', shape: [2], location: 'weights', offset: 8, length: 8 },
      ],
      opsets,
      irVersion: 3,
    });
    writeFileSync(join(folder, 'model.onnx'), model);
    const session = await wholeModel(join(folder, 'model.onnx'));
    for (const rows of [1, 3]) {
      const x = new Array(2 * rows).fill(1);
      const [y] = await session.run([floatTensor('x', [rows, 2], x)]);
      expect(y?.shape).toEqual([rows, 2]);
      expect(y?.bytes).toEqual(
        writeElements(
          'float32',
          x.map((_, i) => 2 + (i % 2)),
        ),
      );
    }
  });
});

describe('withOutputs', () => {
  it('shows inner tensors beside the outputs, once each', async () => {
    const model = new ModelBuilder()
      .input('x', [2])
      .node('Neg', ['x'], ['n'])
      .node('Abs', ['n'], ['y'])
      .output('y')
      .encode();
    const session = await wholeModel(withOutputs(model, ['n', 'y']));
    const results = await session.run([floatTensor('x', [2], [1, -2])]);
    expect(results.map(({ name }) => name)).toEqual(['y', 'n']);
    expect(results[1]?.bytes).toEqual(writeElements('float32', [-1, 2]));
  });
});
