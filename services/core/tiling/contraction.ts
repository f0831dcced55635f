/** What a block of partial sums contracts: one linear operator that reads all of a map, and nothing beside it. */

import { numberAttribute, numbersAttribute } from '../graph/attributes.ts';
import { readElements } from '../graph/dtype.ts';
import { typeOf } from '../graph/macs.ts';
import type { Graph, GraphNode } from '../graph/types.ts';
import type { FusedBlock } from './types.ts';

export type ContractionBlock = Pick<FusedBlock, 'id' | 'nodes' | 'inputs' | 'outputs'>;

/** A contraction whose result is the sum of what it makes of parts of its map. */
export interface Contraction {
  /** The map that is read in parts, and its extents. */
  readonly map: string;
  readonly shape: readonly number[];
  /** What is made: parts have its shape. */
  readonly output: string;
  readonly node: GraphNode;
  /**
   * `product`: the map, flattened behind its first axis, times constant weights (Gemm, MatMul).
   * `mean`, `sum`: over the axes given.
   */
  readonly kind: 'product' | 'mean' | 'sum';
  /** Axes of the map that may be parted: those that are summed over. */
  readonly axes: readonly number[];
}

/** Operators that leave the order of elements as it is. */
const SAME_ORDER = new Set(['Flatten', 'Reshape', 'Squeeze', 'Unsqueeze', 'Identity', 'Dropout']);

/** A node with those before it, of the nodes given, that do no more than flatten what it reads. */
export function flattenedInto(graph: Graph, node: GraphNode, nodes: ReadonlySet<GraphNode>): GraphNode[] {
  const maker = graph.producers.get(node.inputs[0] ?? '');
  const flattens = maker !== undefined && nodes.has(maker) && isFlattening(maker);
  return flattens ? [...flattenedInto(graph, maker, nodes), node] : [node];
}

function isFlattening({ op, domain }: GraphNode): boolean {
  return SAME_ORDER.has(op) && domain === '';
}

/** The contraction a block is, or why it is none. */
export function contractionOf(
  graph: Graph,
  { nodes, inputs, outputs }: ContractionBlock,
): Contraction | string {
  const [map, ...moreInputs] = inputs;
  const [output, ...moreOutputs] = outputs;
  const node = nodes.at(-1);
  if (map === undefined || output === undefined || moreInputs.length + moreOutputs.length > 0)
    return 'it has not one input and one output';
  if (node === undefined || node.domain !== '') return 'it does not end in a standard operator';
  const info = graph.tensors.get(map);
  if (info === undefined || info.dynamic === true) return `the extents of "${map}" are not known`;
  if (info.dtype !== 'float32') return `"${map}" is ${info.dtype}, not float32`;
  let read = map;
  for (const before of nodes.slice(0, -1)) {
    if (!isFlattening(before) || before.inputs[0] !== read)
      return `${before.op} "${before.name}" does more than flatten the map`;
    read = before.outputs[0] as string;
  }
  if (node.inputs[0] !== read) return `${node.op} "${node.name}" does not read the map first`;
  const given = { map, shape: info.shape, output, node };
  if (node.op === 'Gemm' || node.op === 'MatMul') return product(graph, given, read);
  return nodes.length > 1 ? `${node.op} "${node.name}" is no matrix product` : reduction(graph, given);
}

type Given = Pick<Contraction, 'map' | 'shape' | 'output' | 'node'>;

function product(graph: Graph, given: Given, read: string): Contraction | string {
  const { node, shape } = given;
  const named = `${node.op} "${node.name}"`;
  const flat = typeOf(graph, read)?.shape ?? [];
  const weights = graph.constants.get(node.inputs[1] ?? '');
  const bias = node.inputs[2] ?? '';
  if (weights === undefined || weights.shape.length !== 2) return `${named} has no constant matrix`;
  if (bias !== '' && !graph.constants.has(bias)) return `${named} adds what depends on the frame`;
  if (numberAttribute(node, 'transA', 0) !== 0) return `${named} transposes its map`;
  if (shape.length < 2 || flat.length !== 2 || flat[0] !== shape[0])
    return `${named} does not read each picture as one row`;
  return { ...given, kind: 'product', axes: shape.map((_, axis) => axis).slice(1) };
}

function reduction(graph: Graph, given: Given): Contraction | string {
  const { node, shape } = given;
  if (node.op === 'GlobalAveragePool') {
    return { ...given, kind: 'mean', axes: shape.map((_, axis) => axis).slice(2) };
  }
  if (node.op === 'AveragePool')
    return readsAll(given, node, typeOf(graph, given.output)?.shape ?? [])
      ? { ...given, kind: 'mean', axes: shape.map((_, axis) => axis).slice(2) }
      : `the windows of AveragePool "${node.name}" do not cover its map`;
  if (node.op !== 'ReduceMean' && node.op !== 'ReduceSum')
    return `${node.op} "${node.name}" is not a sum over its map`;
  const axes = axesOf(graph, node);
  if (axes === undefined) return `the axes of ${node.op} "${node.name}" are not constant`;
  const none = axes.length === 0 && numberAttribute(node, 'noop_with_empty_axes', 0) !== 0;
  if (none) return `${node.op} "${node.name}" reduces nothing`;
  const all =
    axes.length === 0
      ? shape.map((_, axis) => axis)
      : axes.map((axis) => (axis + shape.length) % shape.length);
  return { ...given, kind: node.op === 'ReduceMean' ? 'mean' : 'sum', axes: all };
}

/** Whether the one window of a pool is its map, nothing beside it. */
function readsAll({ shape }: Given, node: GraphNode, made: readonly number[]): boolean {
  const kernel = numbersAttribute(node, 'kernel_shape') ?? [];
  const pads = numbersAttribute(node, 'pads') ?? [];
  const covers = shape.slice(2).every((extent, axis) => extent === kernel[axis]);
  return covers && pads.every((pad) => pad === 0) && made.slice(2).every((extent) => extent === 1);
}

function axesOf(graph: Graph, node: GraphNode): readonly number[] | undefined {
  const name = node.inputs[1] ?? '';
  if (name === '') return numbersAttribute(node, 'axes') ?? [];
  const constant = graph.constants.get(name);
  return constant && [...readElements(constant.dtype, constant.bytes())];
}
