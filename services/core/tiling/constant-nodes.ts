/** Nodes that do not depend on the frame and were not folded: copied into every block that reads them. */

import type { Graph, GraphNode } from '../graph/types.ts';

/** Operators whose result differs from run to run: a copy would not be the same tensor. */
const RANDOM = /^(Random|Multinomial|Bernoulli)/;

/** Tensors a node reads, those of the bodies of its control flow among them. */
export function readsOf(node: GraphNode): readonly string[] {
  const names = node.captures === undefined ? node.inputs : [...node.inputs, ...node.captures];
  return names.filter((name) => name !== '');
}

/** Indices of the nodes that depend on constants only and make no output of the graph. */
export function constantNodes(graph: Graph): ReadonlySet<number> {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const found = new Set<number>();
  for (const node of graph.nodes) {
    if (RANDOM.test(node.op) || node.outputs.some((name) => outputs.has(name))) continue;
    if (readsOf(node).every((name) => isConstant(graph, found, name))) found.add(node.index);
  }
  return found;
}

/** Whether a tensor is the same for every frame. */
export function isConstant(graph: Graph, nodes: ReadonlySet<number>, name: string): boolean {
  if (graph.constants.has(name)) return true;
  const maker = graph.producers.get(name);
  return maker !== undefined && nodes.has(maker.index);
}

/** The given nodes and the constant ones they need, in topological order. */
export function withConstantNodes(graph: Graph, nodes: readonly GraphNode[]): readonly GraphNode[] {
  const constant = constantNodes(graph);
  const wanted = new Map(nodes.map((node) => [node.index, node]));
  const pending = [...nodes];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    for (const name of readsOf(node)) {
      const maker = graph.producers.get(name);
      if (maker === undefined || !constant.has(maker.index) || wanted.has(maker.index)) continue;
      wanted.set(maker.index, maker);
      pending.push(maker);
    }
  }
  return [...wanted.values()].sort((a, b) => a.index - b.index);
}
