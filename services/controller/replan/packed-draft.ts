/** A draft on its way to another process that has the same model: nodes are named by their positions. */

import type { Graph, GraphNode } from '../../core/graph/types.ts';
import type { Draft, DraftBlock } from '../../core/planning/draft.ts';
import { TilepipeError } from '../../core/runtime/errors.ts';
import type { FusedBlock } from '../../core/tiling/types.ts';

type PackedBlock = Omit<FusedBlock, 'nodes'> & { readonly nodes: readonly number[] };

export interface PackedDraft extends Omit<Draft, 'blocks'> {
  readonly blocks: readonly (Omit<DraftBlock, 'block'> & { readonly block: PackedBlock })[];
}

export function packed({ blocks, ...draft }: Draft): PackedDraft {
  return {
    ...draft,
    blocks: blocks.map(({ block, ...rest }) => ({
      ...rest,
      block: { ...block, nodes: block.nodes.map(({ index }) => index) },
    })),
  };
}

/** Throws `internal` where the graph has no such node: it is another model's. */
export function unpacked({ blocks, ...draft }: PackedDraft, { nodes }: Graph): Draft {
  const byIndex = new Map(nodes.map((node) => [node.index, node]));
  const nodeAt = (index: number): GraphNode => {
    const node = byIndex.get(index);
    if (node === undefined) throw new TilepipeError('internal', `there is no node ${index} in this model`);
    return node;
  };
  return {
    ...draft,
    blocks: blocks.map(({ block, ...rest }) => ({
      ...rest,
      block: { ...block, nodes: block.nodes.map(nodeAt) },
    })),
  };
}
