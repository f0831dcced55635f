/** The graph one shard runs: the block's own, with channels, weights and groups narrowed to the shard's part. */

import { numberAttribute } from '../graph/attributes.ts';
import { lazyConstant, partedConstant } from '../graph/constant.ts';
import type { Constant, Graph, GraphNode } from '../graph/types.ts';
import { elementBytes } from '../tensor/dtype.ts';
import { extents, type Range, type Region, volume, whole } from '../tensor/region.ts';
import type { ShardSplit } from './shard-split.ts';
import type { FusedBlock } from './types.ts';

/**
 * A part of a block as a block of a graph of its own: whatever is made of a block in one piece (its model, its weights file)
 * can be made of it. Tensors and constants have the names they have in the whole graph.
 */
export interface BlockPiece {
  readonly graph: Graph;
  readonly block: FusedBlock;
}

/** The part of a tensor or constant of `shape` that a shard of these units has. */
export function partOf(
  { axes, units }: ShardSplit,
  [begin, end]: Range,
  name: string,
  shape: readonly number[],
): Region {
  const axis = axes.get(name);
  if (axis === undefined) return whole(shape);
  const each = (shape[axis] ?? 0) / units;
  return whole(shape).with(axis, [begin * each, end * each]);
}

/** The piece of a block that makes the channels of `units`. Weights stay where they are until they are asked for. */
export function cutPiece(
  graph: Graph,
  block: Pick<FusedBlock, 'id' | 'nodes' | 'inputs' | 'outputs'>,
  split: ShardSplit,
  units: Range,
): BlockPiece {
  const constants = new Map(graph.constants);
  const tensors = new Map(graph.tensors);
  for (const [name, axis] of split.axes) {
    const constant = constants.get(name);
    const tensor = tensors.get(name);
    if (constant !== undefined)
      constants.set(name, cutConstant(constant, axis, partOf(split, units, name, constant.shape)));
    else if (tensor !== undefined)
      tensors.set(name, { ...tensor, shape: extents(partOf(split, units, name, tensor.shape)) });
  }
  const nodes = block.nodes.map((node) =>
    split.grouped.has(node.index) ? regrouped(node, split, units) : node,
  );
  return {
    graph: { ...graph, constants, tensors },
    block: { id: block.id, kind: 'shard', nodes, inputs: block.inputs, outputs: block.outputs },
  };
}

function regrouped(node: GraphNode, split: ShardSplit, [begin, end]: Range): GraphNode {
  const group = (numberAttribute(node, 'group', 1) / split.units) * (end - begin);
  return { ...node, attributes: new Map(node.attributes).set('group', group) };
}

/** A range along one axis: of the first, as weights of convolutions lie, only that part is read; a copy along others. */
function cutConstant(constant: Constant, axis: number, part: Region): Constant {
  const { name, dtype, shape } = constant;
  const [begin, end] = part[axis] as Range;
  const element = volume(whole(shape.slice(axis + 1))) * elementBytes(dtype);
  const [from, length, stride] = [begin * element, (end - begin) * element, (shape[axis] ?? 0) * element];
  const rows = volume(whole(shape.slice(0, axis)));
  const { part: read } = constant;
  if (rows === 1 && read !== undefined)
    return partedConstant(name, dtype, extents(part), (offset, count) => read(from + offset, count));
  return lazyConstant(name, dtype, extents(part), () => {
    const bytes = constant.bytes();
    if (rows === 1) return bytes.subarray(from, from + length);
    const cut = new Uint8Array(rows * length);
    for (let row = 0; row < rows; row++) {
      const at = row * stride + from;
      cut.set(bytes.subarray(at, at + length), row * length);
    }
    return cut;
  });
}
