/** Nodes in order: who makes what, topological order, what reaches an output. */

import { TilepipeError } from '../../runtime/errors.ts';
import type { GraphProto, NodeProto, TensorProto } from '../onnx_pb.ts';

export interface LinkedNode {
  readonly proto: NodeProto;
  /** Never empty. */
  readonly name: string;
  /** Outer tensors read by the bodies of control flow. */
  readonly captures: readonly string[];
}

export interface LinkedGraph {
  /** Topological order; those that reach no output are gone. */
  readonly nodes: readonly LinkedNode[];
  readonly initializers: ReadonlyMap<string, TensorProto>;
}

function unreadable(problem: string): never {
  throw new TilepipeError('model-unreadable', problem);
}

/** Throws `model-unreadable` for names made twice or by nobody, and for cycles. */
export function linkNodes(graph: GraphProto, protos: readonly NodeProto[]): LinkedGraph {
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor] as const));
  const outside = new Set([...initializers.keys(), ...graph.input.map(({ name }) => name)]);
  const nodes = protos.map((proto, index) => ({
    proto,
    name: proto.name || `${proto.opType}_${index}`,
    captures: captured(proto),
  }));
  const maker = new Map<string, LinkedNode>();
  for (const node of nodes) {
    for (const output of node.proto.output) {
      if (output === '') continue;
      if (maker.has(output) || outside.has(output))
        unreadable(`Tensor ${output} is made twice, again by node ${node.name}.`);
      maker.set(output, node);
    }
  }
  for (const node of nodes) {
    for (const input of reads(node)) {
      if (!maker.has(input) && !outside.has(input)) {
        unreadable(`Node ${node.name} (${node.proto.opType}) reads tensor ${input}, which nothing makes.`);
      }
    }
  }
  if (graph.output.length === 0) unreadable('The graph has no outputs.');
  for (const { name } of graph.output) {
    if (!maker.has(name) && !outside.has(name)) unreadable(`Output ${name} of the graph is made by nothing.`);
  }
  const order = sort(nodes, maker);
  return { nodes: prune(order, new Set(graph.output.map(({ name }) => name))), initializers };
}

function reads(node: LinkedNode): readonly string[] {
  return [...node.proto.input.filter((name) => name !== ''), ...node.captures];
}

/** Depth first in file order: a file that is in order stays as it is. */
function sort(nodes: readonly LinkedNode[], maker: ReadonlyMap<string, LinkedNode>): LinkedNode[] {
  const order: LinkedNode[] = [];
  const state = new Map<LinkedNode, 'open' | 'done'>();
  for (const root of nodes) {
    const stack = [root];
    while (stack.length > 0) {
      const node = stack.at(-1) as LinkedNode;
      if (state.get(node) !== undefined) {
        stack.pop();
        if (state.get(node) === 'open') order.push(node);
        state.set(node, 'done');
        continue;
      }
      state.set(node, 'open');
      for (const input of reads(node).toReversed()) {
        const source = maker.get(input);
        if (source === undefined || state.get(source) === 'done') continue;
        if (state.get(source) === 'open')
          unreadable(`Node ${node.name} depends on itself through tensor ${input}.`);
        stack.push(source);
      }
    }
  }
  return order;
}

function prune(order: readonly LinkedNode[], wanted: Set<string>): LinkedNode[] {
  const kept: LinkedNode[] = [];
  for (const node of order.toReversed()) {
    if (!node.proto.output.some((name) => wanted.has(name))) continue;
    for (const name of reads(node)) wanted.add(name);
    kept.push(node);
  }
  return kept.reverse();
}

/** Names that the bodies of a node read and do not define. */
function captured(node: NodeProto): string[] {
  const free = new Set<string>();
  for (const attribute of node.attribute) {
    for (const body of attribute.g ? [attribute.g, ...attribute.graphs] : attribute.graphs) {
      for (const name of freeNames(body)) free.add(name);
    }
  }
  return [...free];
}

function freeNames(body: GraphProto): Set<string> {
  const own = new Set([...body.input, ...body.initializer].map(({ name }) => name));
  for (const sparse of body.sparseInitializer) if (sparse.values) own.add(sparse.values.name);
  for (const node of body.node) for (const name of node.output) own.add(name);
  const read = body.output.map(({ name }) => name);
  for (const node of body.node) read.push(...node.input, ...captured(node));
  return new Set(read.filter((name) => name !== '' && !own.has(name)));
}
