/** The finished graph: unused parts gone, numbered, and indexed by tensor. */

import type { Constant, Graph, GraphNode, TensorInfo } from './types.ts';

export interface GraphParts extends Omit<Graph, 'outputs' | 'producers' | 'consumers' | 'constants'> {
  readonly outputs: readonly string[];
  readonly constants: ReadonlyMap<string, Constant>;
}

/** Operators whose further outputs are optional, so that an unused one need not be made. */
const OPTIONAL_OUTPUTS = new Set(['MaxPool', 'LayerNormalization', 'Dropout']);

function readsOf(node: GraphNode): readonly string[] {
  return node.captures ? [...node.inputs, ...node.captures] : node.inputs;
}

/** Nodes that reach an output, and every name they or the outputs need. */
function prune(parts: GraphParts): { nodes: GraphNode[]; needed: Set<string> } {
  const needed = new Set(parts.outputs);
  const kept: GraphNode[] = [];
  for (const node of parts.nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    for (const name of readsOf(node)) needed.add(name);
    kept.push(node);
  }
  return { nodes: kept.reverse(), needed };
}

function withoutUnused(node: GraphNode, needed: ReadonlySet<string>): readonly string[] {
  if (node.domain !== '' || !OPTIONAL_OUTPUTS.has(node.op)) return node.outputs;
  const outputs = node.outputs.map((name) => (needed.has(name) ? name : ''));
  while (outputs.at(-1) === '') outputs.pop();
  return outputs[0] === '' ? node.outputs : outputs;
}

export function indexGraph(parts: GraphParts): Graph {
  const { nodes, needed } = prune(parts);
  const numbered = nodes.map((node, index) => ({ ...node, index, outputs: withoutUnused(node, needed) }));
  const tensors = new Map<string, TensorInfo>();
  for (const info of parts.inputs) tensors.set(info.name, info);
  const producers = new Map<string, GraphNode>();
  const consumers = new Map<string, GraphNode[]>();
  for (const node of numbered) {
    for (const name of node.outputs) {
      if (name === '') continue;
      producers.set(name, node);
      tensors.set(name, parts.tensors.get(name) as TensorInfo);
    }
    for (const name of new Set(readsOf(node))) {
      if (name === '') continue;
      const list = consumers.get(name);
      if (list) list.push(node);
      else consumers.set(name, [node]);
    }
  }
  return {
    name: parts.name,
    irVersion: parts.irVersion,
    opset: parts.opset,
    opsets: parts.opsets,
    nodes: numbered,
    inputs: parts.inputs,
    outputs: parts.outputs.map((name) => tensors.get(name) as TensorInfo),
    constants: new Map([...parts.constants].filter(([name]) => needed.has(name))),
    tensors,
    producers,
    consumers,
  };
}
