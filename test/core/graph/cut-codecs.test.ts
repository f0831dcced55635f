import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { type CutCodec, codecRefusal, withCutCodecs } from '../../../services/core/graph/cut-codecs.ts';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import { withOutputs } from '../../../services/core/graph/write.ts';
import { typedView } from '../../../services/core/tensor/dtype.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { encodeGraph } from '../../support/encode-graph.ts';
import { ModelBuilder } from '../../support/model-builder.ts';
import { wholeModel } from '../../support/ort.ts';
import { floatTensor, problem } from '../../support/tensors.ts';

const SHAPE = [1, 2, 4, 8];
const COUNT = 64;

/** `t` is the input itself, made by a node; two nodes read it. */
const passing = (opset = 17) =>
  readGraph(
    new ModelBuilder(opset)
      .input('x', SHAPE)
      .node('Neg', ['x'], ['minus'])
      .node('Neg', ['minus'], ['t'])
      .node('Neg', ['t'], ['y'])
      .node('Abs', ['t'], ['z'])
      .output('y')
      .output('z')
      .encode(),
  );

const floats = (tensor: TensorData | undefined) =>
  Array.from(typedView('float32', (tensor as TensorData).bytes));

/** What comes back of `values`, and the type of what travels. */
async function coded(values: readonly number[], codec: CutCodec, range = { min: 0, max: 0 }, opset = 17) {
  const { graph, cuts } = withCutCodecs(await passing(opset), { t: codec }, { t: range });
  const cut = cuts.get('t');
  if (cut === undefined) throw new Error('t is not coded');
  const session = await wholeModel(withOutputs(encodeGraph(graph), [cut.wire]));
  const made = await session.run([floatTensor('x', SHAPE, values)]);
  const [y, z, wire] = ['y', 'z', cut.wire].map((name) => made.find((tensor) => tensor.name === name));
  const back = floats(y).map((value) => -value);
  expect(floats(z)).toEqual(back.map(Math.abs));
  expect(wire?.dtype).toBe(graph.tensors.get(cut.wire)?.dtype);
  return { back, cut, wire: wire as TensorData };
}

const values = (min: number, max: number) =>
  fc.array(fc.float({ min: Math.fround(min), max: Math.fround(max), noNaN: true }), {
    minLength: COUNT,
    maxLength: COUNT,
  });

describe('withCutCodecs', () => {
  it('rounds to halves, within half a unit of their last place', async () => {
    await fc.assert(
      fc.asyncProperty(values(-60_000, 60_000), async (given) => {
        const { back, wire } = await coded(given, 'fp16');
        expect(wire.dtype).toBe('float16');
        for (const [i, value] of given.entries())
          expect(Math.abs((back[i] as number) - value)).toBeLessThanOrEqual(
            2 ** -11 * Math.abs(value) + 2 ** -25,
          );
      }),
      { numRuns: 10 },
    );
  });

  it('rounds to bytes, within half a step of the range; zero stays zero', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(9, 17),
        fc.integer({ min: 0, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        async (opset, below, above, shares) => {
          const [min, max] = [-below, above / 3];
          const given = Array.from({ length: COUNT }, (_, i) =>
            Math.fround(i === 0 ? 0 : min + (max - min) * (shares.next().value as number)),
          );
          const { back, cut, wire } = await coded(given, 'uint8', { min, max }, opset);
          expect(wire.dtype).toBe('uint8');
          expect(back[0]).toBeCloseTo(0, 12);
          const step = (max - min) / 255;
          expect(cut.scale).toBeCloseTo(step, 6);
          // The zero point is rounded, so the ends of the range may lie half a step outside.
          for (const [i, value] of given.entries())
            expect(Math.abs((back[i] as number) - value)).toBeLessThanOrEqual(1.001 * step);
        },
      ),
      { numRuns: 10 },
    );
  });

  it('saturates beyond the range, and keeps a tensor that was all zero', async () => {
    const given = Array.from({ length: COUNT }, (_, i) => i - 32);
    const { back } = await coded(given, 'uint8', { min: 0, max: 10 });
    expect(Math.max(...back)).toBeCloseTo(10, 5);
    expect(Math.min(...back)).toBeCloseTo(0, 12);
    const zero = await coded(new Array<number>(COUNT).fill(0), 'uint8');
    expect(zero.cut).toMatchObject({ scale: 1, zeroPoint: 0 });
    expect(zero.back.every((value) => Math.abs(value) === 0)).toBe(true);
  });

  it('leaves raw tensors, inputs and outputs as they are', async () => {
    const graph = await passing();
    const { graph: same, cuts } = withCutCodecs(graph, { t: 'raw' });
    expect(cuts.size).toBe(0);
    expect(same.nodes.map(({ outputs }) => outputs)).toEqual(graph.nodes.map(({ outputs }) => outputs));
    const { graph: changed } = withCutCodecs(graph, { t: 'fp16', minus: 'fp16' });
    expect(changed.inputs).toEqual(graph.inputs);
    expect(changed.outputs).toEqual(graph.outputs);
  });

  it('takes names that are free', async () => {
    const graph = await readGraph(
      new ModelBuilder()
        .input('x', SHAPE)
        .node('Neg', ['x'], ['t'])
        .node('Neg', ['t'], ['t/fp16/0'])
        .node('Neg', ['t/fp16/0'], ['y'])
        .output('y')
        .encode(),
    );
    const { graph: changed, cuts } = withCutCodecs(graph, { t: 'fp16' });
    expect(cuts.get('t')?.wire).toBe('t/fp16/0-');
    expect(changed.nodes).toHaveLength(5);
  });
});

describe('codecRefusal', () => {
  const graph = readGraph(
    new ModelBuilder()
      .input('x', SHAPE)
      .node('Neg', ['x'], ['t'])
      .node('Cast', ['t'], ['half'], { to: 10 })
      .node('GlobalAveragePool', ['t'], ['mean'])
      .node('Neg', ['half'], ['y'])
      .node('Neg', ['mean'], ['z'])
      .output('y')
      .output('z')
      .encode(),
  );

  test.each([
    ['t', undefined],
    ['x', 'no node makes it'],
    ['nothing', 'no node makes it'],
    ['y', 'it is an output of the network'],
    ['half', 'its elements are float16, not float32'],
    ['mean', 'it is a single row and column'],
  ])('%s: %s', async (tensor, reason) => {
    expect(codecRefusal(await graph, tensor, 'uint8')).toBe(reason);
    expect(codecRefusal(await graph, tensor, 'raw')).toBeUndefined();
  });

  test('what cannot be coded is not', async () => {
    expect(codecRefusal(await passing(6), 't', 'fp16')).toMatch(/operator set 6/);
    const given = await graph;
    expect(() => withCutCodecs(given, { y: 'fp16' })).toThrow(
      problem('config-invalid', '"y" cannot travel as fp16: it is an output'),
    );
    for (const range of [undefined, { min: 0, max: Number.NaN }, { min: 0, max: Number.POSITIVE_INFINITY }])
      expect(() => withCutCodecs(given, { t: 'uint8' }, range === undefined ? {} : { t: range })).toThrow(
        'no finite range',
      );
  });
});
