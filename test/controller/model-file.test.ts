/** Model files on disk: digest, external weights beside them, and locations that lead elsewhere. */

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openModel } from '../../services/controller/model-file.ts';
import { writeElements } from '../../services/core/graph/dtype.ts';
import { ModelBuilder } from '../support/model-builder.ts';
import { problem } from '../support/tensors.ts';

const weights = writeElements('float32', [0, 1, 2, 3, 4]);
let root = '';
let folder = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tilepipe-model-file-'));
  folder = join(root, 'model');
  mkdirSync(join(folder, 'sub'), { recursive: true });
});

afterEach(() => rmSync(root, { recursive: true }));

function save(location: string): string {
  const bytes = new ModelBuilder()
    .input('x', [4])
    .external({ name: 'w', dtype: 'float32', shape: [4], location, offset: 4, length: 16 })
    .node('Add', ['x', 'w'], ['y'])
    .output('y')
    .encode();
  const path = join(folder, 'small.v1.onnx');
  writeFileSync(path, bytes);
  return path;
}

describe('openModel', () => {
  it.each(['weights.bin', 'sub/weights.bin', './sub/../weights.bin'])(
    'reads weights at %s',
    async (location) => {
      writeFileSync(join(folder, location), weights);
      const { graph, name } = await openModel(save(location));
      expect(name).toBe('small.v1');
      expect(graph.constants.get('w')?.bytes()).toEqual(weights.subarray(4));
    },
  );

  it('tells the sha256 of the file', async () => {
    writeFileSync(join(folder, 'w'), weights);
    const path = save('w');
    const { readFileSync } = await import('node:fs');
    expect((await openModel(path)).digest).toBe(
      createHash('sha256').update(readFileSync(path)).digest('hex'),
    );
  });

  it('gives the probe the folder of the weights', async () => {
    const path = join(folder, 'm.onnx');
    writeFileSync(
      path,
      new ModelBuilder().input('x', [3]).node('NonZero', ['x'], ['y']).output('y').encode(),
    );
    const folders: (string | undefined)[] = [];
    const { graph } = await openModel(path, {
      async probe(request) {
        folders.push(request.folder);
        return new Map([['y', { dtype: 'int64', shape: [1, 0] }]]);
      },
    });
    expect(folders).toEqual([folder]);
    expect(graph.outputs[0]).toMatchObject({ shape: [1, 0], dynamic: true });
  });

  it('names weights that are missing or too short', async () => {
    await expect(openModel(save('absent.bin'))).rejects.toEqual(problem('weights-missing', 'absent.bin'));
    writeFileSync(join(folder, 'short.bin'), weights.subarray(0, 12));
    await expect(openModel(save('short.bin'))).rejects.toEqual(problem('weights-missing', 'which has 12'));
    await expect(openModel(save('sub'))).rejects.toEqual(problem('weights-missing', 'not a file'));
  });

  it('refuses locations outside the folder, which may be links', async () => {
    writeFileSync(join(root, 'secret'), weights);
    symlinkSync(join(root, 'secret'), join(folder, 'link'));
    for (const location of ['../secret', 'sub/../../secret', join(root, 'secret'), 'link', '../absent']) {
      await expect(openModel(save(location)), location).rejects.toEqual(
        problem('weights-missing', 'lead out of the folder'),
      );
    }
  });

  it('says which file cannot be read', async () => {
    await expect(openModel(join(folder, 'none.onnx'))).rejects.toEqual(
      problem('model-unreadable', 'none.onnx'),
    );
    writeFileSync(join(folder, 'bad.onnx'), 'no model');
    await expect(openModel(join(folder, 'bad.onnx'))).rejects.toEqual(
      problem('model-unreadable', 'bad.onnx'),
    );
  });
});
