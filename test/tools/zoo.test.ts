import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../services/controller/model-file.ts';
import { nodeMacs } from '../../services/core/graph/macs.ts';
import { readGraph } from '../../services/core/graph/read-graph.ts';
import type { Graph } from '../../services/core/graph/types.ts';
import { analyse } from '../../services/core/tiling/analyse.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import { partition } from '../../services/core/tiling/partition.ts';
import { register } from '../../tools/commands/zoo.ts';
import { NETWORKS, type ZooNetwork } from '../../tools/zoo/networks.ts';
import { centreRows, fillNormal, startOf } from '../../tools/zoo/normals.ts';
import { encodeDrawing, writeNetwork } from '../../tools/zoo/write-network.ts';
import { encodeGraph } from '../support/encode-graph.ts';
import { difference, inputFor, runModel } from '../support/graph-reference.ts';
import { problem } from '../support/tensors.ts';
import { runTiled } from '../support/tiled.ts';

interface Published {
  readonly name: string;
  /**
   * Trainable parameters as published, and how many of them are batch normalisation's scales: folded into the
   * convolutions, they are gone, and its shifts are the biases.
   */
  readonly parameters: number;
  readonly scales: number;
  readonly gmacs: number;
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly convolutions: number;
}

/**
 * torchvision's counts of vgg16, resnet50 and mobilenet_v2; darknet's yolov2.weights has 50,983,561 numbers, 20,672 of
 * them running statistics, and its yolov2.cfg 62.94 BFLOPs at 608 x 608.
 */
const PUBLISHED: readonly Published[] = [
  {
    name: 'vgg16',
    parameters: 138_357_544,
    scales: 0,
    gmacs: 15.47,
    input: [1, 3, 224, 224],
    output: [1, 1000],
    convolutions: 13,
  },
  {
    name: 'resnet50',
    parameters: 25_557_032,
    scales: 26_560,
    gmacs: 4.09,
    input: [1, 3, 224, 224],
    output: [1, 1000],
    convolutions: 53,
  },
  {
    name: 'mobilenetv2',
    parameters: 3_504_872,
    scales: 17_056,
    gmacs: 0.301,
    input: [1, 3, 224, 224],
    output: [1, 1000],
    convolutions: 52,
  },
  {
    name: 'yolov2',
    parameters: 50_962_889,
    scales: 10_336,
    gmacs: 31.47,
    input: [1, 3, 608, 608],
    output: [1, 425, 19, 19],
    convolutions: 23,
  },
];

const find = (name: string): ZooNetwork => NETWORKS.find((network) => network.name === name) as ZooNetwork;

/** The graph of a network whose weights nobody made: reading one fails. */
async function outline(name: string): Promise<Graph> {
  const { model, bytes } = encodeDrawing(name, find(name).draw(), 'absent');
  const read = () => {
    throw new Error('no weights were made');
  };
  return readGraph(model, { external: { size: () => bytes, read } });
}

const macsOf = (graph: Graph): number => graph.nodes.reduce((sum, node) => sum + nodeMacs(graph, node), 0);

describe('topologies', () => {
  for (const { name, parameters, scales, gmacs, input, output, convolutions } of PUBLISHED) {
    it(`${name} has the published parameters, work and shapes`, async () => {
      const graph = await outline(name);
      const weights = find(name).draw().weights;
      const count = weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
      expect(count).toBe(parameters - scales);
      expect(Math.abs(macsOf(graph) / 1e9 / gmacs - 1)).toBeLessThan(0.005);
      expect(graph.inputs.map(({ shape }) => shape)).toEqual([input]);
      expect(graph.outputs.map(({ shape }) => shape)).toEqual([output]);
      expect(graph.nodes.filter(({ op }) => op === 'Conv')).toHaveLength(convolutions);
      expect(graph.constants.size).toBe(weights.length + (name === 'mobilenetv2' ? 2 : 0));
    });
  }

  it("yolov2-16 is the beginning of yolov2: DeepThings' 12 convolutions and 4 pools, 41 % of the work", async () => {
    const [first, all] = [await outline('yolov2-16'), await outline('yolov2')];
    expect(first.outputs[0]?.shape).toEqual([1, 256, 38, 38]);
    expect(first.nodes.filter(({ op }) => op === 'Conv')).toHaveLength(12);
    expect(first.nodes.filter(({ op }) => op === 'MaxPool')).toHaveLength(4);
    expect(first.nodes.map(({ name }) => name)).toEqual(
      all.nodes.slice(0, first.nodes.length).map(({ name }) => name),
    );
    expect(macsOf(first) / 1e9).toBeCloseTo(13.0, 1);
    expect(macsOf(first) / macsOf(all)).toBeCloseTo(0.41, 2);
  });
});

describe('weights', () => {
  it('are nearly normal and depend on name and seed alone', () => {
    const draw = (name: string, seed: number): Float32Array => {
      const values = new Float32Array(100_000);
      fillNormal(values, startOf(name, seed), 0.5);
      return values;
    };
    const values = draw('conv1.weight', 1);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(Math.sqrt(variance)).toBeCloseTo(0.5, 2);
    const within = (deviations: number) =>
      values.filter((value) => Math.abs(value) < deviations * 0.5).length / values.length;
    expect(Math.abs(within(1) - 0.683)).toBeLessThan(0.02);
    expect(Math.abs(within(2) - 0.954)).toBeLessThan(0.02);
    expect(draw('conv1.weight', 1)).toEqual(values);
    expect(draw('conv2.weight', 1)).not.toEqual(values);
    expect(draw('conv1.weight', 2)).not.toEqual(values);
  });

  it('go on from chunk to chunk', () => {
    const [whole, halves] = [new Float32Array(10), new Float32Array(10)];
    fillNormal(whole, 7, 1);
    fillNormal(halves.subarray(4), fillNormal(halves.subarray(0, 4), 7, 1), 1);
    expect(halves).toEqual(whole);
  });
});

describe('centring', () => {
  it('takes a share of its mean from each row', () => {
    const values = Float32Array.of(1, 2, 3, -4, 0, 4);
    centreRows(values, 3, 0.5);
    expect([...values]).toEqual([0, 1, 2, -4, 0, 4]);
  });
});

describe('mobilenetv2 on disk', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tilepipe-zoo-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('runs in tiles as it runs whole, and tells pictures apart', async () => {
    const { file, bytes, written, parameters } = await writeNetwork(find('mobilenetv2'), folder, { seed: 1 });
    expect(written).toBe(true);
    expect(parameters).toBe(3_487_816);
    expect(statSync(join(folder, 'mobilenetv2.weights')).size).toBe(bytes);

    const { graph } = await openModel(file);
    const analysis = analyse(graph);
    const inputs = graph.inputs.map(inputFor);
    const inner = ['stem', 'stage4.0.project', 'head'];
    const reference = await runModel(encodeGraph(graph), graph.inputs, inner);
    const tiled = await runTiled(graph, analysis, gridCover(2, 2), inputs, partition(graph, analysis));
    expect(tiled.refusals).toEqual([]);
    expect(tiled.tiles).toBeGreaterThanOrEqual(4);
    expect(difference(tiled.outputs.get('logits'), reference.get('logits'))).toBeLessThan(1e-4);

    for (const name of [...inner, 'logits']) {
      const level = rootMeanSquare(floats(reference.get(name)?.bytes));
      expect(level, name).toBeGreaterThan(0.05);
      expect(level, name).toBeLessThan(20);
    }
    const other = inputs.map(({ bytes: from, ...rest }) => ({ ...rest, bytes: from.slice().reverse() }));
    const answer = await runTiled(graph, analysis, gridCover(1, 1), swapped(other));
    expect(difference(answer.outputs.get('logits'), reference.get('logits'))).toBeGreaterThan(0.02);
  });

  it('is refused a folder that cannot be made', async () => {
    const program = new Command().exitOverride();
    register(program);
    for (const output of ['/proc/x', fileURLToPath(import.meta.url)])
      await expect(
        program.parseAsync(['node', 'tilepipe', 'zoo', 'mobilenetv2', '--output', output]),
      ).rejects.toEqual(problem('usage', `cannot write to ${output}`));
  });

  it('is left alone while network and seed are the same, and made anew otherwise', async () => {
    const network = find('mobilenetv2');
    const weights = join(folder, 'mobilenetv2.weights');
    const before = readFileSync(weights);
    const long = new Date(0);
    utimesSync(weights, long, long);
    expect((await writeNetwork(network, folder, { seed: 1 })).written).toBe(false);
    expect(statSync(weights).mtimeMs).toBe(0);
    const stop = new AbortController();
    const half = writeNetwork(network, folder, {
      seed: 2,
      signal: stop.signal,
      progress: () => stop.abort(new Error('enough')),
    });
    await expect(half).rejects.toThrow('enough');
    expect(readdirSync(folder)).toEqual(['mobilenetv2.weights']);
    expect((await writeNetwork(network, folder, { seed: 2 })).written).toBe(true);
    expect(readFileSync(weights).equals(before)).toBe(false);
    expect((await writeNetwork(network, folder, { seed: 1 })).written).toBe(true);
    expect(readFileSync(weights).equals(before)).toBe(true);
  });
});

function floats(bytes: Uint8Array = new Uint8Array(0)): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}

function rootMeanSquare(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

/** Numbers in the other order, from bytes in the other order. */
function swapped<T extends { readonly bytes: Uint8Array }>(tensors: readonly T[]): T[] {
  return tensors.map((tensor) => {
    Buffer.from(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.byteLength).swap32();
    return tensor;
  });
}
