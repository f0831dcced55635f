/**
 * Codecs of cut tensors as part of the graph: between the node that makes a tensor and those that read it stand nodes
 * that write it in fewer bytes and read it back. Where a block ends between the two halves the short form is what
 * travels; tiling, sub-models and the wire see a tensor like any other.
 *
 * Bytes are made by plain arithmetic, not by QuantizeLinear: executors fuse that with its neighbours into kernels of
 * their own, so that a tile would not compute what the whole does.
 */

import { TilepipeError } from '../runtime/errors.ts';
import { constantOf } from './constant.ts';
import { elementCount, onnxTypeOf } from './dtype.ts';
import { indexGraph } from './index-graph.ts';
import type { AttributeValue, Constant, DType, Graph, GraphNode, TensorInfo } from './types.ts';

/**
 * How the elements of a tensor that crosses a block boundary travel: as they are, as half precision, or as bytes with a
 * scale and a zero point measured on sample frames. Only `raw` keeps a plan exact.
 */
export type CutCodec = 'raw' | 'fp16' | 'uint8';

/** The least and the greatest value a tensor took on sample frames. */
export interface ValueRange {
  readonly min: number;
  readonly max: number;
}

/** How one tensor is written and read back. */
export interface CodedCut {
  readonly codec: Exclude<CutCodec, 'raw'>;
  /** Name of the short form: the tensor that travels. */
  readonly wire: string;
  /** Of uint8: value = (byte - zeroPoint) * scale. */
  readonly scale?: number;
  readonly zeroPoint?: number;
  /** First outputs of the nodes that write the short form, and of those that read it back, in order. */
  readonly writes: readonly string[];
  readonly reads: readonly string[];
}

export interface CodedGraph {
  readonly graph: Graph;
  /** By the tensor's name in the graph that was given. */
  readonly cuts: ReadonlyMap<string, CodedCut>;
}

/** Elements are broadcast by their last axes from here on. */
const OLDEST_OPSET = 7;
/** Limits of Clip are attributes before this. */
const CLIP_INPUTS_OPSET = 11;
const MOST = 255;

/** Why a tensor cannot travel by a codec; undefined where it can. */
export function codecRefusal(graph: Graph, tensor: string, codec: CutCodec): string | undefined {
  if (codec === 'raw') return undefined;
  const info = graph.tensors.get(tensor);
  if (info === undefined || !graph.producers.has(tensor)) return 'no node makes it';
  if (graph.outputs.some(({ name }) => name === tensor)) return 'it is an output of the network';
  if (info.dtype !== 'float32') return `its elements are ${info.dtype}, not float32`;
  // Nodes that make a single row and column are not tiled, and here they would stand in blocks that are.
  if (info.shape.length > 2 && elementCount(info.shape) === Math.max(...info.shape))
    return 'it is a single row and column';
  if (graph.opset < OLDEST_OPSET) return `the model uses operator set ${graph.opset}, before ${OLDEST_OPSET}`;
  const captured = graph.consumers.get(tensor)?.some((node) => node.captures?.includes(tensor));
  return captured ? 'a body of control flow reads it' : undefined;
}

/**
 * The graph with its cut tensors coded; all readers of such a tensor read what comes back. Inputs and outputs of the
 * graph stay as they are. `uint8` rounds to 255 steps of the tensor's range, zero always among them and kept exact;
 * beyond the range it saturates. `fp16` rounds to half precision (infinite beyond 65504).
 *
 * Throws `config-invalid` where a tensor cannot be coded, or has no range for `uint8`.
 */
export function withCutCodecs(
  graph: Graph,
  codecs: Readonly<Record<string, CutCodec>>,
  ranges: Readonly<Record<string, ValueRange>> = {},
): CodedGraph {
  const chains = new Map<string, Chain>();
  for (const [tensor, codec] of Object.entries(codecs)) {
    if (codec === 'raw') continue;
    const refusal = codecRefusal(graph, tensor, codec);
    if (refusal !== undefined) throw refused(tensor, codec, refusal);
    const info = graph.tensors.get(tensor) as TensorInfo;
    chains.set(tensor, codec === 'fp16' ? half(graph, info) : bytes(graph, info, ranges[tensor]));
  }
  const back = new Map([...chains].map(([tensor, chain]) => [tensor, chain.last]));
  const nodes = graph.nodes.flatMap((node) => [
    reading(node, back),
    ...node.outputs.flatMap((name) => chains.get(name)?.nodes ?? []),
  ]);
  const all = [...chains.values()];
  return {
    graph: indexGraph({
      ...graph,
      outputs: graph.outputs.map(({ name }) => name),
      nodes,
      tensors: new Map([...graph.tensors, ...all.flatMap(({ tensors }) => named(tensors))]),
      constants: new Map([...graph.constants, ...all.flatMap(({ constants }) => named(constants))]),
    }),
    cuts: new Map([...chains].map(([tensor, chain]) => [tensor, chain.cut()])),
  };
}

function refused(tensor: string, codec: CutCodec, why: string): TilepipeError {
  return new TilepipeError('config-invalid', `tensor "${tensor}" cannot travel as ${codec}: ${why}`);
}

function named<T extends { readonly name: string }>(items: readonly T[]): [string, T][] {
  return items.map((item) => [item.name, item]);
}

function reading(node: GraphNode, back: ReadonlyMap<string, string>): GraphNode {
  if (!node.inputs.some((name) => back.has(name))) return node;
  return { ...node, inputs: node.inputs.map((name) => back.get(name) ?? name) };
}

function half(graph: Graph, info: TensorInfo): Chain {
  const chain = new Chain(graph, info, 'fp16');
  chain.cast('float16');
  chain.turn();
  chain.cast('float32');
  return chain;
}

function bytes(graph: Graph, info: TensorInfo, range: ValueRange | undefined): Chain {
  if (range === undefined || !(range.min <= range.max) || !Number.isFinite(range.max - range.min))
    throw refused(info.name, 'uint8', 'it has no finite range of sample frames');
  const min = Math.min(range.min, 0);
  // A tensor that was all zero stays so.
  const scale = Math.fround((Math.max(range.max, 0) - min) / MOST) || 1;
  const zeroPoint = Math.min(MOST, Math.round((0 - min) / scale));
  const chain = new Chain(graph, info, 'uint8', { scale, zeroPoint });
  chain.scalar('Mul', 1 / scale);
  // What is cut off by the cast below is never negative, so that half a step more rounds to the nearest.
  chain.scalar('Add', zeroPoint + 0.5);
  chain.clip(0, MOST);
  chain.cast('uint8');
  chain.turn();
  chain.cast('float32');
  if (zeroPoint !== 0) chain.scalar('Sub', zeroPoint);
  chain.scalar('Mul', scale);
  return chain;
}

/** Nodes one after another, from a tensor over its short form to what comes back. */
class Chain {
  readonly nodes: GraphNode[] = [];
  readonly tensors: TensorInfo[] = [];
  readonly constants: Constant[] = [];
  last: string;
  readonly #graph: Graph;
  readonly #info: TensorInfo;
  readonly #codec: CodedCut['codec'];
  readonly #steps: Pick<CodedCut, 'scale' | 'zeroPoint'>;
  #written = 0;

  constructor(
    graph: Graph,
    info: TensorInfo,
    codec: CodedCut['codec'],
    steps: Pick<CodedCut, 'scale' | 'zeroPoint'> = {},
  ) {
    this.#graph = graph;
    this.#info = info;
    this.#codec = codec;
    this.#steps = steps;
    this.last = info.name;
  }

  cast(dtype: DType): void {
    this.#add('Cast', dtype, [], { to: onnxTypeOf(dtype) });
  }

  scalar(op: string, value: number): void {
    this.#add(op, 'float32', [this.#constant(value)]);
  }

  clip(min: number, max: number): void {
    if (this.#graph.opset < CLIP_INPUTS_OPSET) this.#add('Clip', 'float32', [], { min, max });
    else this.#add('Clip', 'float32', [this.#constant(min), this.#constant(max)]);
  }

  /** What was added last makes the short form. */
  turn(): void {
    this.#written = this.nodes.length;
  }

  cut(): CodedCut {
    const outputs = this.tensors.map(({ name }) => name);
    return {
      codec: this.#codec,
      wire: outputs[this.#written - 1] as string,
      ...this.#steps,
      writes: outputs.slice(0, this.#written),
      reads: outputs.slice(this.#written),
    };
  }

  #add(
    op: string,
    dtype: DType,
    operands: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): void {
    const name = this.#free(`${this.#info.name}/${this.#codec}/${this.nodes.length}`);
    this.nodes.push({
      index: 0,
      name,
      op,
      domain: '',
      inputs: [this.last, ...operands],
      outputs: [name],
      attributes: new Map(Object.entries(attributes)),
      ...(op === 'Clip' ? { floats: new Set(Object.keys(attributes)) } : {}),
    });
    this.tensors.push({ ...this.#info, name, dtype });
    this.last = name;
  }

  #constant(value: number): string {
    const name = this.#free(`${this.#info.name}/${this.#codec}/value-${this.constants.length}`);
    this.constants.push(constantOf(name, 'float32', [], [value]));
    return name;
  }

  #free(wanted: string): string {
    const { tensors, constants } = this.#graph;
    return tensors.has(wanted) || constants.has(wanted) ? this.#free(`${wanted}-`) : wanted;
  }
}
