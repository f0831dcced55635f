/** Work of a node. */

import type { TensorType } from './operators/row.ts';
import { OPERATORS, operatorKey } from './operators/table.ts';
import type { Graph, GraphNode } from './types.ts';

/** The type of any tensor of a graph, constant or not. */
export function typeOf(graph: Graph, name: string): TensorType | undefined {
  return graph.tensors.get(name) ?? graph.constants.get(name);
}

/** Multiply-accumulates of a node's whole output; 0 for operators that do not multiply matrices. */
export function nodeMacs(graph: Graph, node: GraphNode): number {
  const row = OPERATORS.get(operatorKey(node.op, node.domain));
  if (row === undefined) return 0;
  const types = (names: readonly string[]) => names.map((name) => typeOf(graph, name));
  return row.macs({ node, inputs: types(node.inputs), outputs: types(node.outputs) as TensorType[] });
}
