/** Reading partial sums: a sub-model that takes a tensor in parts adds them up first. */

import type { ModelSpec, NodeSpec, ValueSpec } from '../graph/write.ts';
import type { Tile } from './types.ts';

/** The sub-model of a tile with the parts it reads in place of their tensors. */
export function joiningSums(model: ModelSpec, { inputs, sums }: Pick<Tile, 'inputs' | 'sums'>): ModelSpec {
  const parts = new Map<string, string[]>();
  for (const [name, tensor] of sums ?? []) {
    if (!inputs.has(name)) continue;
    const known = parts.get(tensor);
    if (known === undefined) parts.set(tensor, [name]);
    else known.push(name);
  }
  if (parts.size === 0) return model;
  const nodes = [...parts].map(
    ([tensor, names]): NodeSpec => ({ op: 'Sum', inputs: names, outputs: [tensor] }),
  );
  return {
    ...model,
    inputs: model.inputs.flatMap(
      (input): ValueSpec[] => parts.get(input.name)?.map((name) => ({ ...input, name })) ?? [input],
    ),
    nodes: [...nodes, ...model.nodes],
  };
}
