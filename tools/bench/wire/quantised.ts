/**
 * The int8 form of a model, as one device alone would run it at its best: every tensor between operators that have
 * integer kernels is written as bytes and read back (QuantizeLinear, DequantizeLinear), weights are bytes by output
 * channel. The executor fuses these pairs into integer operators; tiles could not be cut from such a graph.
 */

import { constantOf, lazyConstant } from '../../../services/core/graph/constant.ts';
import { indexGraph } from '../../../services/core/graph/index-graph.ts';
import type {
  AttributeValue,
  Constant,
  DType,
  Graph,
  GraphNode,
  TensorInfo,
} from '../../../services/core/graph/types.ts';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import { floatsOf } from '../../../services/core/vision/floats.ts';
import { calibrate } from '../../accuracy/calibrate.ts';
import type { RunnerDeps } from '../../accuracy/graph-runner.ts';
import type { Sample } from '../../accuracy/samples.ts';

/** Operators with kernels for bytes, or that only move them. */
const INTEGER: ReadonlySet<string> = new Set(
  'Conv Gemm Relu LeakyRelu Clip MaxPool AveragePool GlobalAveragePool Add Mul Concat Flatten Reshape Sigmoid'.split(
    ' ',
  ),
);
const WEIGHTED: ReadonlySet<string> = new Set(['Conv', 'Gemm']);
/** Scales by channel have an axis from here on. */
const OPSET = 13;
const MOST = 255;
/** Seven bits: two products of eight would not fit the sixteen that processors without VNNI add them in. */
const MOST_WEIGHT = 63;

/** Throws `model-unsupported` where the operator set is too old, `tensor-invalid` where values are not finite. */
export async function quantised(deps: RunnerDeps, graph: Graph, samples: readonly Sample[]): Promise<Graph> {
  if (graph.opset < OPSET)
    throw new TilepipeError('model-unsupported', `its operator set is ${graph.opset}, before ${OPSET}`);
  const merged = withoutRectifiers(graph);
  const wanted = activations(merged);
  const made = wanted.filter((name) => merged.producers.has(name));
  // Of a rectifier that is left out the range is that of what it made: it has the same name.
  const { ranges } = await calibrate(deps, graph, made, samples);
  const rewriting = new Rewriting(merged);
  for (const name of wanted) rewriting.bytes(name, ranges[name] ?? inputRange(name, samples));
  return rewriting.finish();
}

/** A Relu after an operator with weights is what the least byte does by itself. */
function withoutRectifiers(graph: Graph): Graph {
  const renamed = new Map<string, string>();
  const dropped = new Set<GraphNode>();
  for (const node of graph.nodes) {
    const [from = ''] = node.inputs;
    const maker = graph.producers.get(from);
    const alone = graph.consumers.get(from)?.length === 1 && !isOutput(graph, from);
    if (node.op !== 'Relu' || maker === undefined || !WEIGHTED.has(maker.op) || !alone) continue;
    if (isOutput(graph, node.outputs[0] as string)) continue;
    dropped.add(node);
    renamed.set(from, node.outputs[0] as string);
  }
  const nodes = graph.nodes
    .filter((node) => !dropped.has(node))
    .map((node) => ({ ...node, outputs: node.outputs.map((name) => renamed.get(name) ?? name) }));
  return indexGraph({ ...graph, outputs: graph.outputs.map(({ name }) => name), nodes });
}

function isOutput(graph: Graph, tensor: string): boolean {
  return graph.outputs.some(({ name }) => name === tensor);
}

/** Float tensors next to an operator that has a kernel for bytes; outputs of the network stay floats. */
function activations(graph: Graph): string[] {
  const integer = (node: GraphNode | undefined): boolean => node !== undefined && INTEGER.has(node.op);
  return [...graph.tensors.values()]
    .filter(({ name, dtype, dynamic }) => {
      if (dtype !== 'float32' || dynamic === true || isOutput(graph, name)) return false;
      const readers = graph.consumers.get(name) ?? [];
      return readers.length > 0 && (integer(graph.producers.get(name)) || readers.some(integer));
    })
    .map(({ name }) => name);
}

function inputRange(name: string, samples: readonly Sample[]): { min: number; max: number } {
  let [min, max] = [0, 0];
  for (const { inputs } of samples) {
    const tensor = inputs.find((each) => each.name === name);
    for (const value of tensor === undefined ? [] : floatsOf(tensor)) {
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  return { min, max };
}

class Rewriting {
  readonly #graph: Graph;
  readonly #nodes: GraphNode[] = [];
  readonly #tensors = new Map<string, TensorInfo>();
  readonly #constants = new Map<string, Constant>();
  /** What is read instead of a tensor, and the scale of its bytes. */
  readonly #read = new Map<string, { readonly name: string; readonly scale: number }>();

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  bytes(name: string, range: { min: number; max: number }): void {
    const min = Math.min(0, range.min);
    const scale = Math.fround((Math.max(0, range.max) - min) / MOST) || 1;
    if (!Number.isFinite(scale))
      throw new TilepipeError('tensor-invalid', `${name} takes values that are not finite`);
    const zero = Math.min(MOST, Math.round(-min / scale));
    const info = this.#graph.tensors.get(name) as TensorInfo;
    const steps = [
      this.#constant(constantOf(`${name}/scale`, 'float32', [], [scale])),
      this.#constant(constantOf(`${name}/zero`, 'uint8', [], [zero])),
    ];
    const written = this.#node('QuantizeLinear', [name, ...steps], {
      ...info,
      name: `${name}/bytes`,
      dtype: 'uint8',
    });
    const read = this.#node('DequantizeLinear', [written, ...steps], { ...info, name: `${name}/read` });
    this.#read.set(name, { name: read, scale });
  }

  finish(): Graph {
    const graph = this.#graph;
    const nodes = graph.nodes.map((node) => {
      const inputs = node.inputs.map((name) => this.#read.get(name)?.name ?? name);
      return { ...node, inputs: WEIGHTED.has(node.op) ? this.#weights(node, inputs) : inputs };
    });
    return indexGraph({
      ...graph,
      outputs: graph.outputs.map(({ name }) => name),
      nodes: ordered([...nodes, ...this.#nodes]),
      tensors: new Map([...graph.tensors, ...this.#tensors]),
      constants: new Map([...graph.constants, ...this.#constants]),
    });
  }

  /** Weights as bytes with a scale for each output channel, the bias in the same steps. */
  #weights(node: GraphNode, inputs: readonly string[]): readonly string[] {
    const [data = '', weightName = '', biasName] = node.inputs;
    const source = this.#read.get(data);
    const weight = this.#graph.constants.get(weightName);
    const bias = biasName === undefined ? undefined : this.#graph.constants.get(biasName);
    if (source === undefined || weight === undefined || weight.dtype !== 'float32') return inputs;
    if (biasName !== undefined && bias === undefined) return inputs;
    const axis = node.op === 'Gemm' && node.attributes.get('transB') !== 1 ? 1 : 0;
    const scales = scalesOf(weight, axis);
    const bytes = lazyConstant(`${weightName}/bytes`, 'int8', weight.shape, () =>
      weightBytes(weight, axis, scales),
    );
    const read = this.#scaled(weightName, bytes, scales, axis);
    if (bias === undefined) return [inputs[0] as string, read];
    const steps = scales.map((step) => Math.fround(step * source.scale));
    const values = floatsOfConstant(bias);
    const whole = steps.map((step, at) => Math.round((values[at] ?? 0) / step));
    const biasBytes = constantOf(`${bias.name}/bytes`, 'int32', bias.shape, whole);
    return [inputs[0] as string, read, this.#scaled(bias.name, biasBytes, steps, 0)];
  }

  /** Whole numbers read as floats, with a scale for each place along the axis. */
  #scaled(name: string, values: Constant, scales: readonly number[], axis: number): string {
    const extents = [scales.length];
    const zeros = scales.map(() => 0);
    const inputs = [
      this.#constant(values),
      this.#constant(constantOf(`${name}/scale`, 'float32', extents, scales)),
      this.#constant(constantOf(`${name}/zero`, values.dtype, extents, zeros)),
    ];
    const read = { name: `${name}/read`, dtype: 'float32' as DType, shape: values.shape };
    return this.#node('DequantizeLinear', inputs, read, { axis });
  }

  #constant(constant: Constant): string {
    this.#constants.set(constant.name, constant);
    return constant.name;
  }

  #node(
    op: string,
    inputs: readonly string[],
    output: TensorInfo,
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): string {
    const { name } = output;
    if (this.#tensors.has(name)) return name;
    this.#tensors.set(name, output);
    const node = { index: 0, name, op, domain: '', inputs, outputs: [name] };
    this.#nodes.push({ ...node, attributes: new Map(Object.entries(attributes)) });
    return name;
  }
}

/** Nodes after those that make what they read. */
function ordered(nodes: readonly GraphNode[]): GraphNode[] {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const done = new Set<GraphNode>();
  const sorted: GraphNode[] = [];
  const visit = (node: GraphNode | undefined): void => {
    if (node === undefined || done.has(node)) return;
    done.add(node);
    for (const name of node.inputs) visit(makers.get(name));
    sorted.push(node);
  };
  for (const node of nodes) visit(node);
  return sorted;
}

function floatsOfConstant(constant: Constant): Float32Array {
  return new Float32Array(Uint8Array.from(constant.bytes()).buffer);
}

/** How many elements apart two of one channel's runs are, and how long a run is. */
function runsOf(shape: readonly number[], axis: number): { channels: number; run: number } {
  const run = shape.slice(axis + 1).reduce((product, extent) => product * extent, 1);
  return { channels: shape[axis] ?? 1, run };
}

function scalesOf(weight: Constant, axis: number): number[] {
  const values = floatsOfConstant(weight);
  const { channels, run } = runsOf(weight.shape, axis);
  const most = new Float64Array(channels);
  for (let i = 0; i < values.length; i++) {
    const channel = Math.floor(i / run) % channels;
    const magnitude = Math.abs(values[i] as number);
    if (magnitude > (most[channel] as number)) most[channel] = magnitude;
  }
  return Array.from(most, (value) => Math.fround(value / MOST_WEIGHT) || 1);
}

function weightBytes(weight: Constant, axis: number, scales: readonly number[]): Uint8Array {
  const values = floatsOfConstant(weight);
  const { channels, run } = runsOf(weight.shape, axis);
  const bytes = new Int8Array(values.length);
  for (let i = 0; i < values.length; i++)
    bytes[i] = Math.round((values[i] as number) / (scales[Math.floor(i / run) % channels] as number));
  return new Uint8Array(bytes.buffer);
}
