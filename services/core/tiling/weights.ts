/** One file of weights for all sub-models of a block, whatever their pad pattern. */

import type { Constant, DType, Graph } from '../graph/types.ts';
import type { ExternalInitializer } from '../graph/write.ts';
import { readsOf, withConstantNodes } from './constant-nodes.ts';
import type { FusedBlock } from './types.ts';

export interface WeightsEntry {
  /** Name of the constant in the graph. */
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly length: number;
}

export interface WeightsLayout {
  /** By rising offset, with gaps of less than `ALIGNMENT` bytes. */
  readonly entries: readonly WeightsEntry[];
  readonly byteLength: number;
}

/** Start of every tensor, so that a mapped file can be read by vector instructions. */
const ALIGNMENT = 64;
/** Below this a constant lies in the sub-model itself. */
const SMALL = 1024;
/** Integer vectors up to this are shapes and indices, which the executor looks into when it loads. */
const SHAPE_LIKE = 65_536;

/** Whether a constant lies in every sub-model rather than in the weights file. */
export function isInline({ byteLength, dtype, shape }: Constant): boolean {
  const shapeLike = shape.length <= 1 && (dtype === 'int64' || dtype === 'int32') && byteLength <= SHAPE_LIKE;
  return byteLength < SMALL || shapeLike;
}

/** Where each weight of a block lies in its file. */
export function layoutWeights(graph: Graph, block: Pick<FusedBlock, 'nodes'>): WeightsLayout {
  const entries: WeightsEntry[] = [];
  const seen = new Set<string>();
  let end = 0;
  for (const node of withConstantNodes(graph, block.nodes)) {
    for (const name of readsOf(node)) {
      const constant = graph.constants.get(name);
      if (constant === undefined || seen.has(name) || isInline(constant)) continue;
      seen.add(name);
      const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
      const { dtype, shape, byteLength } = constant;
      entries.push({ name, dtype, shape, offset, length: byteLength });
      end = offset + byteLength;
    }
  }
  return { entries, byteLength: end };
}

/** The weights of a layout that a sub-model reads, in the file called `location`. */
export function externalWeights(
  layout: WeightsLayout,
  location: string,
  reads: (name: string) => boolean,
): ExternalInitializer[] {
  return layout.entries
    .filter(({ name }) => reads(name))
    .map(({ name, dtype, shape, offset, length }) => ({ name, dtype, shape, location, offset, length }));
}
