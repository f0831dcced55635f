/** Structure: order, names, inputs, functions, control flow, and files that are not whole. */

import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type FunctionProtoSchema,
  ModelProtoSchema,
  type NodeProtoSchema,
} from '../../../services/core/graph/onnx_pb.ts';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { ProbeRequest } from '../../../services/core/graph/resolve.ts';
import { withOutputs } from '../../../services/core/graph/write.ts';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import { encodeGraph } from '../../support/encode-graph.ts';
import { compareTypes, difference, inputFor, runModel } from '../../support/graph-reference.ts';
import { float, ModelBuilder } from '../../support/model-builder.ts';
import { wholeModel } from '../../support/ort.ts';
import { problem } from '../../support/tensors.ts';

type NodeInit = MessageInitShape<typeof NodeProtoSchema>;

const floatTensor = (...shape: (number | string)[]) => ({
  value: {
    case: 'tensorType' as const,
    value: {
      elemType: 1,
      shape: {
        dim: shape.map((extent) => ({
          value:
            typeof extent === 'string'
              ? { case: 'dimParam' as const, value: extent }
              : { case: 'dimValue' as const, value: BigInt(extent) },
        })),
      },
    },
  },
});

function modelOf(
  nodes: NodeInit[],
  more: Partial<MessageInitShape<typeof ModelProtoSchema>> = {},
  outputs = ['y'],
) {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [{ domain: '', version: 17n }],
      graph: {
        name: 'g',
        node: nodes,
        input: [{ name: 'x', type: floatTensor(1, 2, 4, 4) }],
        output: outputs.map((name) => ({ name, type: floatTensor() })),
      },
      ...more,
    } as MessageInitShape<typeof ModelProtoSchema>),
  );
}

const relu = (input: string, output: string): NodeInit => ({
  opType: 'Relu',
  input: [input],
  output: [output],
});

describe('order and names', () => {
  it('sorts nodes, drops those that reach no output, and names those without a name', async () => {
    const graph = await readGraph(
      modelOf([relu('b', 'y'), relu('x', 'dead'), relu('a', 'b'), { ...relu('x', 'a'), name: 'first' }]),
    );
    expect(graph.nodes.map(({ index, name }) => [index, name])).toEqual([
      [0, 'first'],
      [1, 'Relu_2'],
      [2, 'Relu_0'],
    ]);
    expect(graph.producers.get('b')?.index).toBe(1);
    expect(graph.consumers.get('a')?.map(({ name }) => name)).toEqual(['Relu_2']);
    expect(graph.tensors.has('dead')).toBe(false);
  });

  it('removes Identity and unused Dropout but keeps the names of outputs', async () => {
    const builder = new ModelBuilder()
      .input('x', [1, 2])
      .node('Identity', ['x'], ['x1'])
      .node('Relu', ['x1'], ['r'])
      .node('Dropout', ['r'], ['d', 'mask'])
      .node('Identity', ['d'], ['y'])
      .node('Neg', ['r'], ['n'])
      .node('Identity', ['n'], ['same'])
      .node('Identity', ['n'], ['again'])
      .node('Identity', ['x'], ['through']);
    for (const name of ['y', 'same', 'again', 'through']) builder.output(name);
    const bytes = builder.encode();
    const graph = await readGraph(bytes);
    expect(graph.nodes.map(({ op, inputs, outputs }) => [op, ...inputs, ...outputs])).toEqual([
      ['Relu', 'x', 'y'],
      ['Neg', 'y', 'same'],
      ['Identity', 'same', 'again'],
      ['Identity', 'x', 'through'],
    ]);
    const [whole, written] = [
      await runModel(bytes, graph.inputs),
      await runModel(encodeGraph(graph), graph.inputs),
    ];
    for (const { name } of graph.outputs) expect(difference(written.get(name), whole.get(name))).toBe(0);
  });

  it('keeps a Dropout whose mask is read', async () => {
    const bytes = new ModelBuilder()
      .input('x', [2])
      .node('Dropout', ['x'], ['d', 'mask'])
      .node('Not', ['mask'], ['y'])
      .output('y')
      .output('d')
      .encode();
    expect((await readGraph(bytes)).nodes.map(({ op }) => op)).toEqual(['Dropout', 'Not']);
  });
});

describe('contradictions are model-unreadable', () => {
  const table: [string, Uint8Array, string][] = [
    ['no bytes', new Uint8Array(), 'no graph'],
    ['no protobuf', new TextEncoder().encode('hello world, this is no model'), 'damaged'],
    ['no opset_import', modelOf([relu('x', 'y')], { opsetImport: [] }), 'opset_import'],
    ['a cycle', modelOf([relu('b', 'a'), relu('a', 'b'), relu('b', 'y')]), 'depends on itself'],
    [
      'a cycle beside the outputs',
      modelOf([relu('b', 'a'), relu('a', 'b'), relu('x', 'y')]),
      'depends on itself',
    ],
    ['a tensor nobody makes', modelOf([relu('nowhere', 'y')]), 'nowhere'],
    ['an output nobody makes', modelOf([relu('x', 'z')]), 'Output y'],
    ['a tensor made twice', modelOf([relu('x', 'y'), relu('x', 'y')]), 'made twice'],
    ['an input made again', modelOf([relu('x', 'x')], {}, ['x']), 'made twice'],
    ['no outputs', modelOf([relu('x', 'y')], {}, []), 'no outputs'],
    ['an input left out', modelOf([{ opType: 'Conv', input: ['x'], output: ['y'] }]), 'lacks input 1'],
    [
      'more outputs than there are',
      modelOf([{ opType: 'Relu', input: ['x'], output: ['y', 'z'] }]),
      'no output such as z',
    ],
  ];
  it.each(table)('%s', async (_, bytes, text) => {
    await expect(readGraph(bytes)).rejects.toEqual(problem('model-unreadable', text));
  });
});

describe('what is not supported is named', () => {
  it('an old operator set', async () => {
    const bytes = modelOf([relu('x', 'y')], { opsetImport: [{ domain: '', version: 5n }] } as never);
    await expect(readGraph(bytes)).rejects.toEqual(problem('model-unsupported', 'operator set 5'));
  });

  it('strings as input or output, sequences', async () => {
    const type = { value: { case: 'tensorType' as const, value: { elemType: 8 } } };
    const sequence = { value: { case: 'sequenceType' as const, value: { elemType: type } } };
    const graph = (input: object, output: object) =>
      modelOf([], {
        graph: {
          node: [relu('x', 'y')],
          input: [{ name: 'x', type: input }],
          output: [{ name: 'y', type: output }],
        },
      } as never);
    await expect(readGraph(graph(type, floatTensor(1)))).rejects.toEqual(
      problem('model-unsupported', 'input x has element type string'),
    );
    await expect(readGraph(graph(floatTensor(1), type))).rejects.toEqual(
      problem('model-unsupported', 'output y has element type string'),
    );
    await expect(readGraph(graph(sequence, floatTensor(1)))).rejects.toEqual(
      problem('model-unsupported', 'input x is sequence'),
    );
  });
});

describe('open dimensions', () => {
  const model = (...shapes: (number | string)[][]) => {
    const builder = new ModelBuilder();
    for (const [index, shape] of shapes.entries())
      builder
        .input(`x${index}`, shape)
        .node('Relu', [`x${index}`], [`y${index}`])
        .output(`y${index}`);
    return builder.encode();
  };

  it('an open batch is 1', async () => {
    const graph = await readGraph(model(['batch', 3, 4, 5]));
    expect(graph.inputs[0]?.shape).toEqual([1, 3, 4, 5]);
  });

  it('open rows and columns name the input and show an example', async () => {
    await expect(readGraph(model(['batch', 3, 'height', 'width']))).rejects.toEqual(
      problem('model-shape', '--shape x0=1x3x320x320'),
    );
    await expect(readGraph(model([0, 3, -1, 5]))).rejects.toEqual(
      problem('model-shape', '--shape x0=1x3x320x5'),
    );
  });

  it('shapes given are used, also for other inputs with the same symbols', async () => {
    const graph = await readGraph(model(['n', 'h'], ['h', 'n', 3]), { shapes: new Map([['x0', [2, 7]]]) });
    expect(graph.inputs.map(({ shape }) => shape)).toEqual([
      [2, 7],
      [7, 2, 3],
    ]);
  });

  it.each([
    ['an unknown input', 'x9', [1], 'no input x9'],
    ['another rank', 'x0', [1, 3, 4], 'contradicts'],
    ['a fixed extent', 'x0', [1, 4, 4, 5], 'contradicts'],
    ['nothing', 'x0', [1, 3, 0, 5], 'above 0'],
  ])('%s is refused', async (_, name, shape, text) => {
    await expect(readGraph(model([1, 3, 'h', 5]), { shapes: new Map([[name, shape]]) })).rejects.toEqual(
      problem('model-shape', text),
    );
  });
});

describe('model-local functions', () => {
  const opsetImport = [
    { domain: '', version: 17n },
    { domain: 'local', version: 1n },
  ];
  const leaky: MessageInitShape<typeof FunctionProtoSchema> = {
    name: 'LeakyTwice',
    domain: 'local',
    input: ['a'],
    output: ['b'],
    attribute: ['slope'],
    opsetImport: [{ domain: '', version: 17n }],
    node: [
      {
        opType: 'LeakyRelu',
        input: ['a'],
        output: ['t'],
        attribute: [{ name: 'alpha', refAttrName: 'slope', type: 1 }],
      },
      { opType: 'Mul', input: ['t', 't'], output: ['b'] },
    ],
  };
  const call = (input: string, output: string, slope: number): NodeInit => ({
    opType: 'LeakyTwice',
    domain: 'local',
    input: [input],
    output: [output],
    attribute: [{ name: 'slope', type: 1, f: slope }],
  });

  it('are put in place of their calls', async () => {
    const bytes = modelOf([call('x', 'm', 0.5), call('m', 'y', 0.25)], {
      opsetImport,
      functions: [leaky],
    } as never);
    const graph = await readGraph(bytes);
    expect(graph.nodes.map(({ op, attributes }) => [op, attributes.get('alpha')])).toEqual([
      ['LeakyRelu', 0.5],
      ['Mul', undefined],
      ['LeakyRelu', 0.25],
      ['Mul', undefined],
    ]);
    const [whole, written] = [
      await runModel(bytes, graph.inputs),
      await runModel(encodeGraph(graph), graph.inputs),
    ];
    expect(difference(written.get('y'), whole.get('y'))).toBe(0);
  });

  it('that call themselves are refused', async () => {
    const endless = { ...leaky, node: [call('a', 'b', 1)] };
    const bytes = modelOf([call('x', 'y', 1)], { opsetImport, functions: [endless] } as never);
    await expect(readGraph(bytes)).rejects.toEqual(problem('model-unsupported', 'calls itself'));
  });
});

describe('shapes only the executor knows', () => {
  /** Asks ONNX Runtime itself, and keeps count. */
  function prober() {
    const asked: string[][] = [];
    const probe = async ({ model, inputs, tensors }: ProbeRequest) => {
      asked.push([...tensors]);
      const session = await wholeModel(withOutputs(model, tensors));
      const results = await session.run(
        inputs.map((info) => ({ ...inputFor(info), bytes: new Uint8Array(inputFor(info).bytes.byteLength) })),
      );
      return new Map(
        results.filter(({ name }) => tensors.includes(name)).map((tensor) => [tensor.name, tensor]),
      );
    };
    return { asked, probe };
  }

  const detector = new ModelBuilder(13)
    .input('x', [1, 6, 4])
    .random('scores', [1, 1, 6])
    .constant('most', [], [3], 'int64')
    .node('NonMaxSuppression', ['x', 'scores', 'most'], ['chosen'])
    .ints('two', [2])
    .node('Gather', ['chosen', 'two'], ['boxes'], { axis: 1 })
    .node('Relu', ['x'], ['kept'])
    .output('boxes')
    .output('kept')
    .encode();

  it('are asked for once and marked as dynamic', async () => {
    const { asked, probe } = prober();
    const graph = await readGraph(detector, { probe });
    expect(asked).toEqual([['chosen', 'boxes']]);
    expect(graph.tensors.get('boxes')).toMatchObject({ dtype: 'int64', dynamic: true });
    expect(graph.tensors.get('kept')).not.toHaveProperty('dynamic');
  });

  it('without an executor are refused, naming node and operator', async () => {
    await expect(readGraph(detector)).rejects.toEqual(problem('model-unsupported', 'NonMaxSuppression'));
  });

  it('of operators outside the table are static', async () => {
    const bytes = new ModelBuilder(17)
      .opset('com.microsoft', 1)
      .input('x', [1, 4, 6, 6])
      .node('Relu', ['x'], ['square'])
      .node('Inverse', ['square'], ['inverse'], {}, 'com.microsoft')
      .node('Neg', ['inverse'], ['y'])
      .output('y')
      .encode();
    const { asked, probe } = prober();
    const graph = await readGraph(bytes, { probe });
    expect(asked).toEqual([['inverse']]);
    expect(graph.tensors.get('y')).toEqual({ name: 'y', dtype: 'float32', shape: [1, 4, 6, 6] });
  });

  it('inside control flow: bodies survive, with the outer tensors and weights they read', async () => {
    const branch = (op: string) => ({
      name: op,
      node: [{ opType: op, input: ['hidden', 'w'], output: [`${op}_out`] }],
      output: [{ name: `${op}_out`, type: floatTensor('a', 'b') }],
    });
    const bytes = modelOf([], {
      graph: {
        name: 'g',
        node: [
          { opType: 'Identity', input: ['x'], output: ['hidden'] },
          {
            opType: 'ReduceMax',
            input: ['x'],
            output: ['top'],
            attribute: [{ name: 'keepdims', type: 2, i: 0n }],
          },
          { opType: 'Cast', input: ['top'], output: ['cond'], attribute: [{ name: 'to', type: 2, i: 9n }] },
          {
            opType: 'If',
            input: ['cond'],
            output: ['y'],
            attribute: [
              { name: 'then_branch', type: 5, g: branch('Add') },
              { name: 'else_branch', type: 5, g: branch('Sub') },
            ],
          },
        ],
        initializer: [
          { name: 'w', dataType: 1, dims: [1n], rawData: new Uint8Array(new Float32Array([2]).buffer) },
        ],
        input: [{ name: 'x', type: floatTensor(2, 3) }],
        output: [{ name: 'y', type: floatTensor('a', 'b') }],
      },
    } as never);
    const { probe } = prober();
    const graph = await readGraph(bytes, { probe });
    const branching = graph.nodes.find(({ op }) => op === 'If');
    expect(branching?.captures?.toSorted()).toEqual(['hidden', 'w']);
    expect(graph.consumers.get('hidden')).toEqual([branching]);
    expect(graph.tensors.get('y')).toMatchObject({ shape: [2, 3], dynamic: true });
    const [whole, written] = [
      await runModel(bytes, graph.inputs),
      await runModel(encodeGraph(graph), graph.inputs),
    ];
    expect(difference(written.get('y'), whole.get('y'))).toBe(0);
  });
});

describe('attributes survive writing', () => {
  it('of every kind', async () => {
    const bytes = new ModelBuilder()
      .opset('other', 1)
      .input('x', [1])
      .node(
        'Anything',
        ['x'],
        ['y'],
        {
          whole: 3,
          wholeFloat: float(3),
          fraction: 0.5,
          most: 2 ** 63,
          text: 'tëxt',
          ints: [1, -2],
          floats: float([1, 2]),
          strings: ['a', 'b'],
        },
        'other',
      )
      .output('y')
      .encode();
    const probe = async () => new Map([['y', { dtype: 'float32', shape: [1] } as const]]);
    const first = await readGraph(bytes, { probe });
    const second = await readGraph(encodeGraph(first), { probe });
    expect(second.nodes).toEqual(first.nodes);
    expect([...(first.nodes[0]?.attributes ?? [])]).toEqual([
      ['whole', 3],
      ['wholeFloat', 3],
      ['fraction', 0.5],
      ['most', 2 ** 63],
      ['text', 'tëxt'],
      ['ints', [1, -2]],
      ['floats', [1, 2]],
      ['strings', ['a', 'b']],
    ]);
    expect(first.nodes[0]?.floats).toEqual(new Set(['wholeFloat', 'fraction', 'floats']));
  });
});

describe('damaged files', () => {
  const whole = new ModelBuilder(11)
    .input('x', [1, 4, 8, 8])
    .random('w', [4, 4, 3, 3])
    .node('Conv', ['x', 'w'], ['c'], { pads: [1, 1, 1, 1], strides: [2, 2] })
    .node('Shape', ['c'], ['s'])
    .ints('from', [2])
    .ints('to', [4])
    .node('Slice', ['s', 'from', 'to'], ['size'])
    .ints('front', [1, 4])
    .node('Concat', ['front', 'size'], ['sizes'], { axis: 0 })
    .constant('roi', [0], [])
    .node('Resize', ['c', 'roi', 'roi', 'sizes'], ['r'], { mode: 'linear' })
    .node('MaxPool', ['r'], ['p'], { kernel_shape: [2, 2], ceil_mode: 1 })
    .node('Flatten', ['p'], ['y'])
    .output('y')
    .encode();

  /** Read, or refused in our own words: nothing else. */
  async function orderly(bytes: Uint8Array): Promise<void> {
    try {
      const graph = await readGraph(bytes);
      for (const constant of graph.constants.values()) if (constant.byteLength < 1e7) constant.bytes();
    } catch (error) {
      if (!(error instanceof TilepipeError)) throw error;
      expect(error.code).toMatch(/^(model-(unreadable|unsupported|shape)|weights-missing)$/);
    }
  }

  it('the whole one is read', async () => {
    const graph = await readGraph(whole);
    expect((await compareTypes(whole, graph)).wrong).toEqual([]);
  });

  it('cut anywhere', async () => {
    for (let length = 0; length < whole.byteLength; length++) await orderly(whole.slice(0, length));
  });

  it('with any one bit flipped', async () => {
    for (let at = 0; at < whole.byteLength; at++) {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
      await orderly(bytes);
    }
  });

  it('with several bytes changed', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        async (changes) => {
          const bytes = whole.slice();
          for (const [at, value] of changes) bytes[at] = value;
          await orderly(bytes);
        },
      ),
      { numRuns: 2000 },
    ));
});
