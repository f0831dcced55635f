/** Nodes that only pass a tensor on, removed by giving both ends one name. */

import type { LinkedNode } from './link.ts';

export interface Renamed {
  readonly nodes: readonly LinkedNode[];
  /** The name a tensor goes by now. */
  rename(name: string): string;
}

function passesOn(node: LinkedNode, read: ReadonlySet<string>): boolean {
  const { opType, domain, input, output, attribute } = node.proto;
  if ((domain !== '' && domain !== 'ai.onnx') || input[0] === undefined || input[0] === '' || !output[0])
    return false;
  if (opType === 'Identity') return attribute.length === 0;
  // Dropout-12 trains only where its third input says so.
  return opType === 'Dropout' && !input[2] && !(output[1] && read.has(output[1]));
}

/**
 * `fixed`: names that must survive: outputs of the graph and what bodies of control flow read. `made`: names
 * that no node makes: inputs and initializers.
 */
export function removeIdentities(
  nodes: readonly LinkedNode[],
  fixed: ReadonlySet<string>,
  made: ReadonlySet<string>,
): Renamed {
  const read = new Set(nodes.flatMap((node) => [...node.proto.input, ...node.captures]));
  for (const name of fixed) read.add(name);
  const alias = new Map<string, string>();
  const rename = (name: string): string => {
    let current = name;
    for (let next = alias.get(current); next !== undefined; next = alias.get(current)) current = next;
    return current;
  };
  const kept = nodes.filter((node) => {
    if (!passesOn(node, read)) return true;
    const source = rename(node.proto.input[0] as string);
    const target = node.proto.output[0] as string;
    if (!fixed.has(target)) alias.set(target, source);
    else if (!fixed.has(source) && !made.has(source)) alias.set(source, target);
    else return true;
    return false;
  });
  return { nodes: kept, rename };
}
