/** Constants in every form a file can hold them. */

import { readFileSync } from 'node:fs';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { readElements, writeElements } from '../../../services/core/graph/dtype.ts';
import { type ModelProto, ModelProtoSchema } from '../../../services/core/graph/onnx_pb.ts';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { Constant, DType, Graph } from '../../../services/core/graph/types.ts';
import { countVarints, decodeVarints } from '../../../services/core/graph/varint.ts';
import { ModelBuilder } from '../../support/model-builder.ts';
import { problem } from '../../support/tensors.ts';

const valuesOf = (graph: Graph, name: string) => {
  const constant = graph.constants.get(name) as Constant;
  return [...readElements(constant.dtype, constant.bytes())];
};

describe('elements outside raw_data, written by the reference encoder', () => {
  const file = readFileSync(new URL('fixtures/typed-data.onnx', import.meta.url));
  const wanted: Record<string, number[]> = {
    float32: [1.5, -2.25, 3e10].map(Math.fround),
    float64: [1.5, -1e300],
    float16: [1.5, -65504, 2 ** -24],
    bfloat16: [1.5, -2],
    int8: [-128, 0, 127],
    uint8: [0, 200, 255],
    int16: [-32768, -1, 32767],
    uint16: [0, 65535],
    int32: [-(2 ** 31), -1, 0, 2 ** 31 - 1],
    uint32: [0, 2 ** 32 - 1],
    int64: [-(2 ** 63), -1, 0, 300, 2 ** 63],
    uint64: [0, 2 ** 53 + 2, 2 ** 64],
    bool: [1, 0, 1],
  };

  it.each(Object.keys(wanted))('%s', async (dtype) => {
    const graph = await readGraph(file);
    expect(graph.constants.get(dtype)).toMatchObject({ dtype, shape: [wanted[dtype]?.length] });
    expect(valuesOf(graph, dtype)).toEqual(wanted[dtype]);
  });

  it('the largest 64-bit integers keep their last digit in bytes', async () => {
    const graph = await readGraph(file);
    const last = (name: string) => graph.constants.get(name)?.bytes().slice(-8);
    expect(last('int64')).toEqual(new Uint8Array([255, 255, 255, 255, 255, 255, 255, 127]));
    expect(last('uint64')).toEqual(new Uint8Array(8).fill(255));
  });

  it('floats are views of the file', async () => {
    const graph = await readGraph(file);
    expect(graph.constants.get('float32')?.bytes().buffer).toBe(file.buffer);
  });
});

describe('varints', () => {
  it('keep the low bytes of negative numbers', () => {
    const minusOne = new Uint8Array([...new Array(9).fill(0xff), 0x01]);
    expect(countVarints(minusOne)).toBe(1);
    expect(decodeVarints(minusOne, 4, 4)).toEqual(new Uint8Array(4).fill(255));
    expect(decodeVarints(minusOne, 8, 8)).toEqual(new Uint8Array(8).fill(255));
  });
});

describe('elements as numbers', () => {
  it.each<[DType, number[]]>([
    ['float16', [0, -0, 1, -1.5, 65504, 2 ** -14, 2 ** -24, Number.POSITIVE_INFINITY]],
    ['bfloat16', [0, 1, -1.5, 2 ** 100]],
    ['float64', [Math.PI]],
    ['int64', [2 ** 63, -(2 ** 63), 2 ** 53 - 1, -1]],
    ['uint64', [2 ** 53, 1]],
    ['bool', [0, 1]],
  ])('%s round-trips', (dtype, values) => {
    expect([...readElements(dtype, writeElements(dtype, values))]).toEqual(values);
  });
});

describe('Constant nodes', () => {
  const read = (attributes: Parameters<ModelBuilder['node']>[3]) =>
    readGraph(
      new ModelBuilder()
        .input('x', [2])
        .node('Constant', [], ['c'], attributes)
        .node('Add', ['x', 'c'], ['y'])
        .output('y')
        .encode(),
    );

  it('value_float and value_floats', async () => {
    expect(valuesOf(await read({ value_float: { float: 3 } }), 'c')).toEqual([3]);
    const graph = await read({ value_floats: { float: [1, 2] } });
    expect(graph.constants.get('c')).toMatchObject({ dtype: 'float32', shape: [2] });
  });

  it('value_int and value_ints', async () => {
    expect((await read({ value_int: 3 })).constants.get('c')).toMatchObject({ dtype: 'int64', shape: [] });
    expect(valuesOf(await read({ value_ints: [4, 5] }), 'c')).toEqual([4, 5]);
  });

  it('value', async () => {
    const value = {
      name: 'v',
      dtype: 'float32',
      shape: [2],
      byteLength: 8,
      bytes: () => writeElements('float32', [7, 8]),
    } as const;
    expect(valuesOf(await read({ value }), 'c')).toEqual([7, 8]);
  });

  it('strings and nothing at all are refused by name', async () => {
    await expect(read({ value_string: 'a' })).rejects.toEqual(problem('model-unsupported', 'value_string'));
    await expect(read({})).rejects.toEqual(problem('model-unreadable', 'no value'));
  });
});

describe('initializers', () => {
  type Init = Exclude<MessageInitShape<typeof ModelProtoSchema>, ModelProto>;

  /** y = x + w, with w as the file says. */
  function model(graph: Init['graph'], more: Init = {}): Uint8Array {
    const type = {
      value: {
        case: 'tensorType' as const,
        value: { elemType: 1, shape: { dim: [{ value: { case: 'dimValue' as const, value: 2n } }] } },
      },
    };
    const file: ModelProto = create(ModelProtoSchema, {
      irVersion: 3n,
      opsetImport: [{ domain: '', version: 9n }],
      graph: {
        name: 'g',
        node: [{ opType: 'Add', input: ['x', 'w'], output: ['y'] }],
        input: [{ name: 'x', type }],
        output: [{ name: 'y', type }],
        ...graph,
      },
      ...more,
    });
    return toBinary(ModelProtoSchema, file);
  }

  const raw = { name: 'w', dataType: 1, dims: [2n], rawData: writeElements('float32', [1, 2]) };

  it('also listed as inputs, as old files do, are constants', async () => {
    const type = { value: { case: 'tensorType' as const, value: { elemType: 1 } } };
    const shaped = {
      value: {
        case: 'tensorType' as const,
        value: { elemType: 1, shape: { dim: [{ value: { case: 'dimValue' as const, value: 2n } }] } },
      },
    };
    const graph = await readGraph(
      model({
        initializer: [raw],
        input: [
          { name: 'x', type: shaped },
          { name: 'w', type },
        ],
      }),
    );
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(valuesOf(graph, 'w')).toEqual([1, 2]);
  });

  it('that nobody reads are not looked at', async () => {
    const graph = await readGraph(
      model({ initializer: [raw, { name: 'unused', dataType: 22, dims: [3n] }] }),
    );
    expect([...graph.constants.keys()]).toEqual(['w']);
  });

  it('of 4-bit numbers and strings are refused by name', async () => {
    await expect(readGraph(model({ initializer: [{ ...raw, dataType: 22 }] }))).rejects.toEqual(
      problem('model-unsupported', 'int4'),
    );
    await expect(readGraph(model({ initializer: [{ ...raw, dataType: 8 }] }))).rejects.toEqual(
      problem('model-unsupported', 'string'),
    );
  });

  it('that are sparse are refused by name', async () => {
    const sparse = [{ values: { name: 'w' }, dims: [2n] }];
    await expect(readGraph(model({ sparseInitializer: sparse }))).rejects.toEqual(
      problem('model-unsupported', 'w is sparse'),
    );
  });

  it('whose size contradicts their shape are refused', async () => {
    await expect(readGraph(model({ initializer: [{ ...raw, dims: [3n] }] }))).rejects.toEqual(
      problem('model-unreadable', 'needs 12 bytes but holds 8'),
    );
    await expect(
      readGraph(model({ initializer: [{ ...raw, dims: [2n ** 40n, 2n ** 40n] }] })),
    ).rejects.toEqual(problem('model-unreadable'));
  });

  it('that are outputs of the graph stay outputs', async () => {
    const graph = await readGraph(model({ initializer: [raw], output: [{ name: 'y' }, { name: 'w' }] }));
    expect(graph.outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['y', [2]],
      ['w', [2]],
    ]);
    expect(graph.constants.has('w')).toBe(false);
    expect(graph.producers.get('w')?.op).toBe('Identity');
  });
});

describe('external weights', () => {
  const blob = writeElements('float32', [9, 9, 1, 2, 3, 4]);
  const external = {
    size: () => blob.byteLength,
    read: (_location: string, offset: number, length: number) => blob.subarray(offset, offset + length),
  };
  const model = (length: number) =>
    new ModelBuilder()
      .input('x', [4])
      .external({ name: 'w', dtype: 'float32', shape: [4], location: 'weights.bin', offset: 8, length })
      .node('Add', ['x', 'w'], ['y'])
      .output('y')
      .encode();

  it('are read where the file says', async () => {
    expect(valuesOf(await readGraph(model(16), { external }), 'w')).toEqual([1, 2, 3, 4]);
  });

  it('that are not there are named', async () => {
    await expect(readGraph(model(16))).rejects.toEqual(problem('weights-missing', 'weights.bin'));
    await expect(readGraph(model(16), { external: { ...external, size: () => 20 } })).rejects.toEqual(
      problem('weights-missing', 'which has 20'),
    );
    await expect(readGraph(model(12), { external })).rejects.toEqual(
      problem('model-unreadable', 'needs 16 bytes'),
    );
  });
});
