/** What the cost of a task needs of each node, worked out once for a graph: searches ask for tens of thousands of tasks. */

import { numbersAttribute } from '../../graph/attributes.ts';
import { nodeMacs, typeOf } from '../../graph/macs.ts';
import type { Graph, GraphNode } from '../../graph/types.ts';
import { tensorBytes } from '../../tensor/dtype.ts';
import { constantNodes, isConstant, readsOf } from '../../tiling/constant-nodes.ts';
import { convPadding, KINDS, type Kind, kindOf, WEIGHED } from './kinds.ts';

/** Kinds by number, so that sums lie in flat arrays. */
export const KIND_NAMES = Object.keys(KINDS) as Kind[];
const NUMBERS = new Map(KIND_NAMES.map((kind, number) => [kind, number]));
export const REORDER = NUMBERS.get('reorder') as number;
/** Bytes an operator reads and writes before they count as beyond the cache: a second-level cache of a small machine. */
export const CACHE_BYTES = 1 << 20;
export const SPILL = NUMBERS.get('spill') as number;
export const TASK = NUMBERS.get('task') as number;

export interface NodeRecord {
  /** Number of its kind; -1 where it costs nothing. */
  readonly kind: number;
  /** Index of the convolution or fully connected layer it is computed in, where both are in one task; -1: by itself. */
  readonly anchor: number;
  /** Operand that is read on top where it is computed in another (a residual sum): its position; -1: none. */
  readonly extra: number;
  /** Whole node, vectors of channels filled up. */
  readonly macs: number;
  /** Bytes of each input that depends on the frame, by position; 0 for parameters. */
  readonly inputs: readonly number[];
  /** Rows and columns are counted by the extents of these, by position; undefined for parameters. */
  readonly shapes: readonly (readonly number[] | undefined)[];
  /** Numbers of the tensors in `inputs`, for sets of them. */
  readonly tensors: readonly number[];
  /** Bytes of all outputs. */
  readonly output: number;
  readonly outputs: readonly { readonly tensor: number; readonly bytes: number }[];
  /** Constants it reads: their numbers and bytes. */
  readonly weights: readonly { readonly constant: number; readonly bytes: number }[];
  readonly weightBytes: number;
  /** Runs on channels laid out in vectors; its neighbours that do not need a reordered copy. */
  readonly vectors: boolean;
}

export interface GraphRecords {
  /** By node index. */
  readonly nodes: readonly NodeRecord[];
  readonly constants: number;
  readonly tensors: ReadonlyMap<string, number>;
  /** By tensor number. */
  readonly bytes: Float64Array;
  /** By tensor number: index of the node that makes it; -1 for inputs of the graph. */
  readonly makers: Int32Array;
}

const memo = new WeakMap<Graph, GraphRecords>();

export function recordsOf(graph: Graph): GraphRecords {
  let records = memo.get(graph);
  if (records === undefined) {
    records = new Recorder(graph).run();
    memo.set(graph, records);
  }
  return records;
}

const IN_PLACE: ReadonlySet<number> = new Set([
  -1,
  NUMBERS.get('pointwise') as number,
  NUMBERS.get('exponential') as number,
]);

/** Whether the executor writes a node's output over its input, or hands the same memory on. */
export function inPlace({ kind, anchor }: NodeRecord): boolean {
  return anchor >= 0 || IN_PLACE.has(kind);
}

/** Computed inside the convolution before them (ONNX Runtime's fusions, and its kernels' own activations). */
const CONV_FUSED: ReadonlySet<string> = new Set(
  'BatchNormalization Relu Clip LeakyRelu Sigmoid Tanh HardSigmoid Add Sum'.split(' '),
);
const GEMM_FUSED: ReadonlySet<string> = new Set(
  'Relu LeakyRelu Sigmoid Tanh HardSigmoid Elu Softplus Softsign ThresholdedRelu Add'.split(' '),
);
/** Stay in the layout of their input, where that is vectors of channels. */
const FOLLOWS: ReadonlySet<string> = new Set(
  'MaxPool AveragePool GlobalAveragePool GlobalMaxPool Relu Sigmoid Tanh Add Sum Concat Upsample Resize Clip LeakyRelu Mul BatchNormalization'.split(
    ' ',
  ),
);
const VECTOR_KINDS: ReadonlySet<Kind> = new Set([
  'conv-dense',
  'conv-pointwise',
  'conv-depthwise',
  'conv-few',
]);

class Recorder {
  readonly #graph: Graph;
  readonly #constant: ReadonlySet<number>;
  readonly #tensors = new Map<string, number>();
  readonly #constants = new Map<string, number>();
  readonly #records: NodeRecord[] = [];

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#constant = constantNodes(graph);
  }

  run(): GraphRecords {
    for (const { name } of this.#graph.inputs) this.#number(name);
    for (const node of this.#graph.nodes) this.#records.push(this.#record(node));
    const makers = new Int32Array(this.#tensors.size).fill(-1);
    for (const [index, { outputs }] of this.#records.entries())
      for (const { tensor } of outputs) makers[tensor] = index;
    const bytes = Float64Array.from(this.#tensors.keys(), (name) => this.#bytes(name));
    return { nodes: this.#records, constants: this.#constants.size, tensors: this.#tensors, bytes, makers };
  }

  #record(node: GraphNode): NodeRecord {
    const graph = this.#graph;
    const kind = this.#constant.has(node.index) ? undefined : kindOf(graph, node);
    const varying = node.inputs.map((name) => name !== '' && !isConstant(graph, this.#constant, name));
    const outputs = node.outputs
      .filter((name) => name !== '')
      .map((name) => ({ tensor: this.#number(name), bytes: this.#bytes(name) }));
    const weights = readsOf(node).flatMap((name) => {
      const constant = graph.constants.get(name);
      return constant === undefined
        ? []
        : [{ constant: this.#constantNumber(name), bytes: constant.byteLength }];
    });
    const { anchor, extra } = this.#fusion(node);
    return {
      kind: kind === undefined ? -1 : (NUMBERS.get(kind) as number),
      anchor,
      extra,
      macs: this.#macs(node, kind),
      inputs: node.inputs.map((name, position) => (varying[position] ? this.#bytes(name) : 0)),
      shapes: node.inputs.map((name, position) =>
        varying[position] ? graph.tensors.get(name)?.shape : undefined,
      ),
      tensors: node.inputs.map((name, position) => (varying[position] ? this.#number(name) : -1)),
      output: outputs.reduce((sum, { bytes }) => sum + bytes, 0),
      outputs,
      weights,
      weightBytes:
        kind === undefined || !WEIGHED.has(kind) ? 0 : weights.reduce((sum, { bytes }) => sum + bytes, 0),
      vectors: this.#vectors(node, kind),
    };
  }

  #macs(node: GraphNode, kind: Kind | undefined): number {
    if (kind === undefined) return 0;
    if (kind === 'pool') {
      const window = (numbersAttribute(node, 'kernel_shape') ?? []).reduce((a, b) => a * b, 1);
      return window * elements(this.#graph, node.outputs[0]);
    }
    return nodeMacs(this.#graph, node) * convPadding(this.#graph, node, kind);
  }

  #vectors(node: GraphNode, kind: Kind | undefined): boolean {
    if (kind === undefined) return false;
    if (VECTOR_KINDS.has(kind)) return true;
    if (!FOLLOWS.has(node.op)) return false;
    const makers = node.inputs.flatMap((name) => this.#graph.producers.get(name)?.index ?? []);
    return makers.length > 0 && makers.every((index) => this.#records[index]?.vectors);
  }

  /** Where the node is computed in an earlier one: that one's only reader, and nothing but parameters beside it. */
  #fusion(node: GraphNode): { anchor: number; extra: number } {
    const none = { anchor: -1, extra: -1 };
    const gate = this.#gate(node);
    if (gate >= 0) return { anchor: gate, extra: -1 };
    for (const [position, name] of node.inputs.entries()) {
      const maker = this.#graph.producers.get(name);
      const record = maker && this.#records[maker.index];
      if (maker === undefined || record === undefined || !this.#onlyReader(name)) continue;
      const anchor = record.anchor >= 0 ? record.anchor : maker.index;
      const root = this.#graph.nodes[anchor]?.op;
      const list =
        root === 'Conv' ? CONV_FUSED : root === 'Gemm' || root === 'MatMul' ? GEMM_FUSED : undefined;
      if (!list?.has(node.op)) continue;
      const others = node.inputs.findIndex(
        (other, at) => at !== position && other !== '' && !isConstant(this.#graph, this.#constant, other),
      );
      // A second varying operand is added to what the kernel accumulates: only sums can be, and only of equal shapes.
      if (others < 0) return { anchor, extra: -1 };
      if (record.extra < 0 && root === 'Conv' && node.inputs.length === 2 && this.#sameShape(node))
        return { anchor, extra: others };
    }
    return none;
  }

  /** The Sigmoid of x Sigmoid(x), which runs as one operator; -1 where the node is no such product. */
  #gate({ op, inputs: [a = '', b = ''] }: GraphNode): number {
    if (op !== 'Mul') return -1;
    for (const [value, gated] of [
      [a, b],
      [b, a],
    ] as const) {
      const maker = this.#graph.producers.get(gated);
      if (maker?.op === 'Sigmoid' && maker.inputs[0] === value && this.#onlyReader(gated)) return maker.index;
    }
    return -1;
  }

  #sameShape({ op, inputs }: GraphNode): boolean {
    const [a, b] = inputs.map((name) => this.#graph.tensors.get(name)?.shape.join());
    return (op === 'Add' || op === 'Sum') && a === b;
  }

  #onlyReader(name: string): boolean {
    return (
      this.#graph.consumers.get(name)?.length === 1 && !this.#graph.outputs.some((out) => out.name === name)
    );
  }

  #bytes(name: string): number {
    const info = this.#graph.tensors.get(name);
    return info === undefined ? 0 : tensorBytes(info.dtype, info.shape);
  }

  #number(name: string): number {
    return numberOf(this.#tensors, name);
  }

  #constantNumber(name: string): number {
    return numberOf(this.#constants, name);
  }
}

function numberOf(numbers: Map<string, number>, name: string): number {
  const known = numbers.get(name) ?? numbers.size;
  numbers.set(name, known);
  return known;
}

function elements(graph: Graph, name = ''): number {
  return typeOf(graph, name)?.shape.reduce((product, extent) => product * extent, 1) ?? 0;
}
