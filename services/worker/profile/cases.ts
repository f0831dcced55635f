/** What a profile measures where no model is given: single operators over varied shapes, with seeded random weights. */

import { constantOf } from '../../core/graph/constant.ts';
import { type Spread, seededConstant } from '../../core/graph/fill.ts';
import { readGraph } from '../../core/graph/read-graph.ts';
import type { AttributeValue, Constant } from '../../core/graph/types.ts';
import { encodeModel, type NodeSpec, type ValueSpec } from '../../core/graph/write.ts';
import { everything } from '../../core/planning/choose-blocks.ts';
import { wholeWork } from '../../core/planning/cost/work-of.ts';
import { analyse } from '../../core/tiling/analyse.ts';
import type { Case } from './case.ts';

/** A model with all its weights in it. */
export interface ModelCase {
  /** The kind it is made for. */
  readonly kind: string;
  /** Made on demand: all of them together would not fit a small device. */
  readonly model: () => Uint8Array;
}

const SPREAD: Spread = { low: -0.1, high: 0.1 };
const SEED = 1;
const OPSET = 17;
const IR_VERSION = 8;

type Attributes = Readonly<Record<string, AttributeValue>>;
type Shape = readonly number[];

/** A model with input x (or several: x, y, ...) and output z. */
export function caseOf(
  kind: string,
  inputs: readonly Shape[],
  nodes: readonly NodeSpec[],
  initializers: readonly Constant[] = [],
): ModelCase {
  const values = inputs.map(
    (shape, at): ValueSpec => ({ name: 'xyuv'[at] as string, dtype: 'float32', shape }),
  );
  const model = () =>
    encodeModel({
      nodes,
      inputs: values,
      outputs: [{ name: 'z' }],
      initializers,
      opsets: new Map([['', OPSET]]),
      irVersion: IR_VERSION,
    });
  return { kind, model };
}

export function weights(name: string, shape: Shape): Constant {
  return seededConstant(name, 'float32', shape, SEED, SPREAD);
}

function one(op: string, inputs: readonly string[], attributes: Attributes = {}): NodeSpec {
  return { op, inputs, outputs: ['z'], attributes: new Map(Object.entries(attributes)) };
}

interface ConvShape {
  /** Channels from convolution to convolution: one more number than there are. */
  readonly channels: readonly number[];
  readonly size: number;
  readonly columns?: number;
  readonly kernel?: number;
  /** Of the first; the others have 1. */
  readonly stride?: number;
  readonly groups?: number;
}

/** Several in a row tell what one costs from what any task costs. */
function conv(kind: string, shape: ConvShape): ModelCase {
  const { channels, size, columns = size, kernel = 3, stride = 1, groups = 1 } = shape;
  const pad = (kernel - 1) >> 1;
  const nodes: NodeSpec[] = [];
  const parameters: Constant[] = [];
  for (const [at, out] of channels.slice(1).entries()) {
    const before = channels[at] as number;
    const step = at === 0 ? stride : 1;
    const attributes = {
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [step, step],
      group: groups,
    };
    nodes.push(link('Conv', at, channels.length - 1, [`w${at}`, `b${at}`], attributes));
    parameters.push(weights(`w${at}`, [out, before / groups, kernel, kernel]), weights(`b${at}`, [out]));
  }
  return caseOf(kind, [[1, channels[0] as number, size, columns]], nodes, parameters);
}

/** Node `at` of a chain of `count`, from x to z. */
function link(
  op: string,
  at: number,
  count: number,
  more: readonly string[],
  attributes: Attributes = {},
): NodeSpec {
  const input = at === 0 ? 'x' : `t${at - 1}`;
  const output = at === count - 1 ? 'z' : `t${at}`;
  return { op, inputs: [input, ...more], outputs: [output], attributes: new Map(Object.entries(attributes)) };
}

type Rest = Omit<ConvShape, 'channels' | 'size'>;

const dense = (channels: readonly number[], size: number, rest: Rest = {}): ModelCase =>
  conv('conv-dense', { ...rest, channels, size });
const pointwise = (channels: readonly number[], size: number, rest: Omit<Rest, 'kernel'> = {}): ModelCase =>
  conv('conv-pointwise', { ...rest, channels, size, kernel: 1 });
const few = (channels: readonly number[], size: number, rest: Rest = {}): ModelCase =>
  conv('conv-few', { ...rest, channels, size });
const general = (channels: readonly number[], size: number, rest: Rest = {}): ModelCase =>
  conv('conv-general', { ...rest, channels, size });

function depthwise(count: number, channels: number, size: number, rest: Rest = {}): ModelCase {
  const all = new Array<number>(count + 1).fill(channels);
  return conv('conv-depthwise', { ...rest, channels: all, size, groups: channels });
}

function convolutions(): ModelCase[] {
  return [
    dense([64, 64], 112),
    dense([64, 64, 64], 56),
    dense([64, 128], 56, { columns: 29 }),
    dense([128, 128], 56, { stride: 2 }),
    dense([128, 128, 128, 128], 28),
    dense([128, 256], 30, { columns: 16 }),
    dense([256, 256], 28),
    dense([256, 256, 256], 14),
    dense([256, 512], 16, { columns: 9 }),
    dense([512, 512], 14),
    dense([512, 512], 9),
    dense([512, 512], 7),
    dense([512, 512], 14, { stride: 2 }),
    dense([256, 256, 256], 8, { columns: 15 }),
    dense([16, 32], 100),
    dense([32, 32, 32, 32], 60),
    dense([32, 64], 104, { stride: 2 }),
    dense([16, 16, 16, 16], 80),
    dense([48, 48, 48], 20),
    dense([96, 96, 96, 96], 13),
    dense([96, 208], 14, { kernel: 5 }),
    dense([64, 64, 64], 30, { columns: 57 }),
    pointwise([64, 64, 64, 64], 56),
    pointwise([64, 256], 56),
    pointwise([256, 64, 256], 56),
    pointwise([256, 128], 56, { columns: 30 }),
    pointwise([256, 512], 56, { stride: 2 }),
    pointwise([512, 128, 512], 28),
    pointwise([128, 512], 28),
    pointwise([512, 1024], 28, { stride: 2 }),
    pointwise([1024, 256, 1024], 14),
    pointwise([256, 1024], 14, { columns: 7 }),
    pointwise([2048, 512], 7),
    pointwise([512, 2048], 7),
    pointwise([16, 32], 104),
    pointwise([32, 16, 32, 16], 104, { columns: 52 }),
    pointwise([32, 32, 32, 32, 32], 52),
    pointwise([64, 64, 64, 64, 64], 26),
    pointwise([96, 24, 144, 24], 56),
    pointwise([320, 1280], 7),
    pointwise([1280, 1000], 1),
    pointwise([96, 96, 96, 96], 13),
    depthwise(1, 16, 104),
    depthwise(4, 32, 56),
    depthwise(1, 32, 112),
    depthwise(3, 64, 52, { kernel: 5 }),
    depthwise(1, 96, 112, { stride: 2 }),
    depthwise(3, 144, 56),
    depthwise(1, 192, 28, { stride: 2 }),
    depthwise(5, 64, 26),
    depthwise(4, 384, 14),
    depthwise(2, 960, 7),
    few([3, 64], 224, { kernel: 7, stride: 2 }),
    few([3, 64], 224),
    few([3, 64], 114, { columns: 60 }),
    few([3, 32], 224, { stride: 2 }),
    few([3, 16], 150),
    few([3, 32], 160),
    few([12, 16], 208),
    few([12, 16], 106),
    few([1, 32], 128, { kernel: 5 }),
    few([8, 8, 8, 8], 80),
    general([18, 36, 18], 56),
    general([64, 64, 64], 28, { groups: 8 }),
    general([30, 30, 30], 80, { kernel: 1 }),
    general([128, 128], 28, { groups: 32 }),
    general([58, 58, 58], 28, { groups: 58 }),
    general([130, 64], 28),
  ];
}

function deconv(channels: number, out: number, size: number, kernel: number): ModelCase {
  const pad = (kernel - 2) >> 1;
  const attributes = { kernel_shape: [kernel, kernel], strides: [2, 2], pads: [pad, pad, pad, pad] };
  return caseOf(
    'deconv',
    [[1, channels, size, size]],
    [one('ConvTranspose', ['x', 'w'], attributes)],
    [weights('w', [channels, out, kernel, kernel])],
  );
}

function gemm(inner: number, out: number, rows = 1): ModelCase {
  return caseOf(
    'gemm',
    [[rows, inner]],
    [one('Gemm', ['x', 'w', 'b'], { transB: 1 })],
    [weights('w', [out, inner]), weights('b', [out])],
  );
}

function products(): ModelCase[] {
  return [
    deconv(256, 3, 72, 4),
    deconv(64, 32, 40, 2),
    deconv(32, 16, 64, 4),
    deconv(128, 64, 20, 2),
    deconv(16, 8, 100, 2),
    gemm(2048, 1000),
    gemm(4096, 1000),
    gemm(4096, 2048),
    gemm(25088, 256),
    gemm(1280, 1000),
    gemm(512, 512),
  ];
}

const image = (channels: number, size: number, columns = size): Shape => [1, channels, size, columns];

function pool(op: string, shape: Shape, kernel: number, stride: number): ModelCase {
  const pad = (kernel - 1) >> 1;
  const attributes = {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
  };
  return caseOf('pool', [shape], [one(op, ['x'], attributes)]);
}

function binary(shape: Shape, ...ops: readonly string[]): ModelCase {
  return caseOf(
    'pointwise',
    [shape, shape],
    ops.map((op, at) => link(op, at, ops.length, ['y'])),
  );
}

/** Products of x and its Sigmoid: one operator of the executor each. */
function gates(count: number, shape: Shape): ModelCase {
  const nodes = Array.from({ length: count }, (_, at): NodeSpec[] => {
    const product = link('Mul', at, count, [`s${at}`]);
    return [{ op: 'Sigmoid', inputs: [product.inputs[0] as string], outputs: [`s${at}`] }, product];
  });
  return caseOf('exponential', [shape], nodes.flat());
}

function slice(shape: Shape, axis: number, step: number): ModelCase {
  const ints = (name: string, value: number): Constant => constantOf(name, 'int64', [1], [value]);
  const rows = shape[axis] as number;
  return caseOf(
    step === 1 ? 'layout' : 'strided',
    [shape],
    [one('Slice', ['x', 'begin', 'end', 'axis', 'step'])],
    [ints('begin', step === 1 ? 2 : 0), ints('end', rows), ints('axis', axis), ints('step', step)],
  );
}

function resize(shape: Shape): ModelCase {
  const node = one('Resize', ['x', '', 'scales'], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
  return caseOf('layout', [shape], [node], [constantOf('scales', 'float32', [4], [1, 1, 2, 2])]);
}

function others(): ModelCase[] {
  return [
    pool('MaxPool', image(64, 224), 2, 2),
    pool('MaxPool', image(64, 112), 3, 2),
    pool('MaxPool', image(256, 28), 2, 2),
    pool('MaxPool', image(128, 13), 5, 1),
    pool('AveragePool', image(128, 28), 2, 2),
    pool('AveragePool', image(192, 28), 3, 1),
    caseOf('reduce', [image(2048, 7)], [one('GlobalAveragePool', ['x'])]),
    caseOf('reduce', [image(256, 28)], [one('GlobalAveragePool', ['x'])]),
    caseOf('reduce', [image(64, 112)], [one('GlobalAveragePool', ['x'])]),
    caseOf('reduce', [image(64, 56)], [one('ReduceMean', ['x'], { axes: [1] })]),
    caseOf('reduce', [image(16, 128)], [one('ReduceMean', ['x'], { axes: [2, 3] })]),
    binary(image(256, 56), 'Add'),
    binary(image(32, 52), 'Add', 'Mul', 'Sub', 'Mul'),
    binary(image(64, 56), 'Mul', 'Add', 'Max'),
    binary(image(16, 26), 'Add', 'Mul', 'Sub'),
    caseOf('pointwise', [image(64, 112)], [one('Relu', ['x'])]),
    caseOf('pointwise', [image(128, 56)], [one('LeakyRelu', ['x'])]),
    gates(1, image(16, 208)),
    gates(3, image(32, 104)),
    gates(4, image(64, 26)),
    gates(3, image(64, 52)),
    gates(4, image(96, 13)),
    caseOf('exponential', [image(85, 40)], [one('Sigmoid', ['x'])]),
    caseOf('exponential', [image(64, 64)], [one('Tanh', ['x'])]),
    caseOf('exponential', [[1, 1000]], [one('Softmax', ['x'], { axis: 1 })]),
    caseOf('layout', [image(32, 104), image(32, 104)], [one('Concat', ['x', 'y'], { axis: 1 })]),
    caseOf('layout', [image(64, 26), image(128, 26)], [one('Concat', ['x', 'y'], { axis: 1 })]),
    slice(image(64, 56), 2, 1),
    slice(image(64, 112), 3, 1),
    resize(image(64, 26)),
    resize(image(128, 40)),
    slice(image(3, 416), 3, 2),
    slice(image(12, 208), 2, 2),
    slice(image(32, 104), 3, 2),
    caseOf('strided', [[1, 85, 3549]], [one('Transpose', ['x'], { perm: [0, 2, 1] })]),
    caseOf('strided', [image(64, 56)], [one('Transpose', ['x'], { perm: [0, 2, 3, 1] })]),
    caseOf('strided', [[1, 56, 56, 32]], [one('Transpose', ['x'], { perm: [0, 3, 1, 2] })]),
  ];
}

/** The fixed list: the layers of common networks and their tiles. */
export function generalModels(): ModelCase[] {
  return [...convolutions(), ...products(), ...others()];
}

/** As cases to be timed. */
export async function generalCases(): Promise<Case[]> {
  const cases: Case[] = [];
  for (const item of generalModels()) cases.push(await asCase(item));
  return cases;
}

export async function asCase({ kind, model }: ModelCase): Promise<Case> {
  const bytes = model();
  const graph = await readGraph(bytes);
  return {
    kind,
    work: wholeWork(graph, analyse(graph), everything(graph)),
    inputs: graph.inputs,
    outputs: graph.outputs.map(({ name }) => name),
    bytes: bytes.byteLength,
    files: () => ({ model: model() }),
  };
}

/** A task of next to nothing: what is left is what every task costs. */
export function emptyModel(): ModelCase {
  return caseOf('pointwise', [[1, 16]], [one('Relu', ['x'])]);
}
