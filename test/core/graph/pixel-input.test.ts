import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withPixelInput } from '../../../services/core/graph/pixel-input.ts';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { DType, Graph } from '../../../services/core/graph/types.ts';
import type { Preprocess } from '../../../services/core/schema/generated/pipeline.ts';
import { analyse } from '../../../services/core/tiling/analyse.ts';
import { gridCover } from '../../../services/core/tiling/cover.ts';
import { partition } from '../../../services/core/tiling/partition.ts';
import { tileBlock } from '../../../services/core/tiling/tile-block.ts';
import { identity } from '../../../services/core/vision/letterbox.ts';
import { imageAxes, inputFormat, writeTensor } from '../../../services/core/vision/preprocess.ts';
import { settle } from '../../../services/core/vision/settings.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { encodeGraph } from '../../support/encode-graph.ts';
import { difference } from '../../support/graph-reference.ts';
import { ModelBuilder } from '../../support/model-builder.ts';
import { residualNetwork } from '../../support/networks.ts';
import { wholeModel } from '../../support/ort.ts';
import { problem } from '../../support/tensors.ts';
import { runTiled } from '../../support/tiled.ts';

const settings = (preprocess: Preprocess) =>
  settle({ preprocess: { resize: 'none', ...preprocess } }).preprocess;

/** A network that shows its input as it is. */
const passing = (shape: readonly number[], dtype: DType = 'float32') =>
  readGraph(
    new ModelBuilder().input('image', shape, dtype).node('Neg', ['image'], ['y']).output('y').encode(),
  );

/** An RGB picture in which every value occurs in every channel. */
function picture(width: number, height: number) {
  const bytes = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 86 + (i >> 3)) & 255);
  return { width, height, bands: 3, bytes } as const;
}

/** The picture as the splitter writes it into an input, at its own size. */
function written(graph: Graph, preprocess: ReturnType<typeof settings>): TensorData {
  const [input] = graph.inputs;
  if (input === undefined) throw new Error('the graph has no input');
  const format = inputFormat(input, preprocess);
  const { width, height } = format;
  const bytes = new Uint8Array(format.byteLength);
  const crop = { left: 0, top: 0, width, height };
  const placement = { crop, resized: crop, left: 0, top: 0, letterbox: identity(crop) };
  writeTensor(format, picture(width, height), placement, bytes);
  return { name: input.name, dtype: input.dtype, shape: input.shape, bytes };
}

async function run(graph: Graph, input: TensorData): Promise<TensorData> {
  const [output] = await (await wholeModel(encodeGraph(graph))).run([input]);
  return output as TensorData;
}

interface Case {
  readonly title: string;
  readonly shape: readonly number[];
  readonly preprocess: Preprocess;
  readonly dtype?: DType;
  readonly ops: readonly string[];
  /** Equal in every bit. */
  readonly exact?: boolean;
}

const IMAGENET = { divide: 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const NCHW = [1, 3, 32, 24];

const CASES: readonly Case[] = [
  {
    title: 'pixels as they are',
    shape: NCHW,
    preprocess: { divide: 1 },
    ops: ['Transpose', 'Cast'],
    exact: true,
  },
  {
    title: '0 to 1',
    shape: NCHW,
    preprocess: { divide: 255 },
    ops: ['Transpose', 'Cast', 'Div'],
    exact: true,
  },
  {
    title: '-1 to 1, BGR',
    shape: NCHW,
    preprocess: { color: 'BGR', divide: 255, mean: [0.5], std: [0.5] },
    ops: ['Transpose', 'Gather', 'Cast', 'Sub', 'Div'],
    exact: true,
  },
  {
    title: "Caffe's means",
    shape: NCHW,
    preprocess: { color: 'BGR', divide: 1, mean: [104, 117, 123] },
    ops: ['Transpose', 'Gather', 'Cast', 'Sub'],
    exact: true,
  },
  {
    title: "ImageNet's statistics",
    shape: NCHW,
    preprocess: IMAGENET,
    ops: ['Transpose', 'Cast', 'Sub', 'Div'],
  },
  {
    title: 'statistics of pixels',
    shape: NCHW,
    preprocess: { color: 'BGR', divide: 1, mean: [103.53, 116.28, 123.675], std: [57.375, 57.12, 58.395] },
    ops: ['Transpose', 'Gather', 'Cast', 'Sub', 'Div'],
  },
  {
    title: 'channels last',
    shape: [1, 32, 24, 3],
    preprocess: IMAGENET,
    ops: ['Cast', 'Sub', 'Div'],
  },
  {
    title: 'channels last, BGR',
    shape: [1, 32, 24, 3],
    preprocess: { ...IMAGENET, color: 'BGR' },
    ops: ['Gather', 'Cast', 'Sub', 'Div'],
  },
  {
    title: 'gray for three channels',
    shape: NCHW,
    preprocess: { ...IMAGENET, color: 'GRAY' },
    ops: ['Transpose', 'Cast', 'Sub', 'Div'],
  },
  {
    title: 'gray',
    shape: [1, 1, 32, 24],
    preprocess: { divide: 255 },
    ops: ['Transpose', 'Cast', 'Div'],
    exact: true,
  },
  {
    title: 'half precision',
    shape: NCHW,
    preprocess: { divide: 255 },
    dtype: 'float16',
    ops: ['Transpose', 'Cast', 'Div', 'Cast'],
    exact: true,
  },
];

describe('withPixelInput', () => {
  for (const { title, shape, preprocess, dtype, ops, exact } of CASES) {
    it(`normalises as the splitter does: ${title}`, async () => {
      const graph = await passing(shape, dtype);
      const before = settings(preprocess);
      const taken = withPixelInput(graph, before);
      const { width, height, channels } = imageAxes(shape) ?? {};
      expect(taken.graph.inputs).toEqual([
        { name: 'image/pixels', dtype: 'uint8', shape: [1, height, width, channels] },
      ]);
      expect(taken.graph.nodes.map(({ op }) => op)).toEqual([...ops, 'Neg']);
      expect(taken.graph.nodes.map(({ index }) => index)).toEqual([...taken.graph.nodes.keys()]);
      expect(taken.preprocess).toEqual({
        ...before,
        layout: 'NHWC',
        color: before.color === 'GRAY' ? 'GRAY' : 'RGB',
        divide: 1,
        mean: [0],
        std: [1],
      });

      const pixels = written(taken.graph, taken.preprocess);
      const [expected, found] = [await run(graph, written(graph, before)), await run(taken.graph, pixels)];
      if (exact === true) expect(Buffer.compare(found.bytes, expected.bytes)).toBe(0);
      else expect(difference(found, expected)).toBeLessThan(1e-6);
    });
  }

  it('leaves an input of bytes as it is', async () => {
    const graph = await readGraph(
      new ModelBuilder()
        .input('image', [1, 3, 8, 8], 'uint8')
        .node('Cast', ['image'], ['y'], { to: 1 })
        .output('y')
        .encode(),
    );
    const before = settings({ divide: 1 });
    expect(withPixelInput(graph, before)).toEqual({ graph, preprocess: before });
  });

  it('keeps an input that is read twice and is an output too', async () => {
    const graph = await readGraph(
      new ModelBuilder()
        .input('image', [1, 3, 8, 8])
        .node('Relu', ['image'], ['a'])
        .node('Add', ['a', 'image'], ['y'])
        .output('y')
        .output('image')
        .encode(),
    );
    const { graph: taken, preprocess } = withPixelInput(graph, settings({ divide: 255 }));
    expect(taken.outputs.map(({ name }) => name)).toEqual(['y', 'image']);
    const [y] = await (await wholeModel(encodeGraph(taken))).run([written(taken, preprocess)]);
    expect(y?.shape).toEqual([1, 3, 8, 8]);
  });

  it('refuses what takes no picture', async () => {
    const vector = await passing([1, 1000]);
    expect(() => withPixelInput(vector, settings({}))).toThrow(
      problem('config-invalid', '"image" [1, 1000]'),
    );
    const whole = await passing([1, 3, 8, 8], 'int64');
    expect(() => withPixelInput(whole, settings({}))).toThrow(problem('config-invalid', 'int64'));
    const two = await readGraph(
      new ModelBuilder()
        .input('a', [1, 3, 8, 8])
        .input('b', [1, 3, 8, 8])
        .node('Add', ['a', 'b'], ['y'])
        .output('y')
        .encode(),
    );
    expect(() => withPixelInput(two, settings({}))).toThrow(problem('config-invalid', '"a", "b"'));
    const gray = await passing([1, 1, 8, 8]);
    expect(() => withPixelInput(gray, settings({ mean: [1, 2, 3] }))).toThrow(
      problem('config-invalid', 'mean'),
    );
    const old = { ...(await passing(NCHW)), opset: 6 };
    expect(() => withPixelInput(old, settings({}))).toThrow(problem('model-unsupported', 'operator set 7'));
  });
});

describe('tiles of pixels', () => {
  it('are crops of the picture, a quarter of the bytes, with the same halo', async () => {
    const graph = await readGraph(residualNetwork());
    const { graph: taken } = withPixelInput(graph, settings({ ...IMAGENET, color: 'BGR' }));
    const tiles = (of: Graph) => {
      const analysis = analyse(of);
      const [block] = partition(of, analysis);
      if (block === undefined) throw new Error('nothing can be tiled');
      expect(block.nodes).toHaveLength(of.nodes.length);
      return tileBlock(of, analysis, block, gridCover(2, 2));
    };
    const floats = tiles(graph);
    for (const [at, tile] of tiles(taken).entries()) {
      expect([...tile.inputs.keys()]).toEqual(['image/pixels']);
      const [, , rows, columns] = floats[at]?.inputs.get('image') ?? [];
      expect(tile.inputs.get('image/pixels')).toEqual([[0, 1], rows, columns, [0, 3]]);
    }
  });

  it('merge to what the float network makes of the picture, on any grid', async () => {
    const graph = await readGraph(residualNetwork());
    const before = settings({ ...IMAGENET, color: 'BGR' });
    const taken = withPixelInput(graph, before);
    const analysis = analyse(taken.graph);
    const reference = await run(graph, written(graph, before));
    const input = written(taken.graph, taken.preprocess);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        async (rows, columns) => {
          const merged = await runTiled(taken.graph, analysis, gridCover(rows, columns), [input]);
          expect(merged.refusals).toEqual([]);
          expect(difference(merged.outputs.get('out'), reference)).toBeLessThan(1e-6);
        },
      ),
      { numRuns: Math.min(25, Number(process.env.TILEPIPE_PROPERTY_RUNS ?? 12)) },
    );
  });
});
