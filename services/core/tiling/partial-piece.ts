/** The graph one part of a block of partial sums runs: the contraction with the weights of its region. */

import { numberAttribute } from '../graph/attributes.ts';
import { constantOf, lazyConstant } from '../graph/constant.ts';
import { indexGraph } from '../graph/index-graph.ts';
import type { Constant, Graph, GraphNode, TensorInfo } from '../graph/types.ts';
import { copyRegion } from '../tensor/copy.ts';
import { elementBytes } from '../tensor/dtype.ts';
import { extents, type Region, volume, whole } from '../tensor/region.ts';
import type { Contraction, ContractionBlock } from './contraction.ts';
import { checkedContraction, sumName } from './partial.ts';
import type { BlockPiece } from './shard-piece.ts';
import type { Tile } from './types.ts';

/** What one part runs, as a block of a graph of its own. Throws `tiling-refused` where the block is no contraction. */
export function partialPiece(
  graph: Graph,
  block: ContractionBlock,
  part: Pick<Tile, 'index' | 'inputs'>,
): BlockPiece {
  const contraction = checkedContraction(graph, block);
  const { map, output } = contraction;
  const region = part.inputs.get(map) as Region;
  const made = sumName(output, part.index);
  const parts =
    contraction.kind === 'product'
      ? product(graph, contraction, part.index, region)
      : reduction(contraction, region);
  const named = (name: string, from: string, shape?: readonly number[]): [string, TensorInfo] => {
    const info = graph.tensors.get(from) as TensorInfo;
    return [name, { ...info, name, shape: shape ?? info.shape }];
  };
  const piece = indexGraph({
    ...graph,
    inputs: [{ ...(graph.tensors.get(map) as TensorInfo), shape: extents(region) }],
    outputs: [made],
    nodes: parts.nodes.map((node) => ({
      ...node,
      outputs: node.outputs.map((name) => (name === output ? made : name)),
    })),
    tensors: new Map([
      named(map, map, extents(region)),
      named(made, output),
      named(INNER, parts.innerLike, parts.innerShape),
    ]),
    constants: new Map([
      ...graph.constants,
      ...parts.constants.map((constant) => [constant.name, constant] as const),
    ]),
  });
  return {
    graph: piece,
    block: { id: block.id, kind: 'partial', nodes: piece.nodes, inputs: [map], outputs: [made] },
  };
}

/** What lies between the two nodes of a part. */
const INNER = 'tilepipe/part';
const SHARE = 'tilepipe/share';
const ZERO = 'tilepipe/zero';
/** Gemm before it always adds something. */
const FREE_BIAS_OPSET = 11;

interface Parts {
  readonly nodes: readonly GraphNode[];
  readonly constants: readonly Constant[];
  readonly innerLike: string;
  readonly innerShape?: readonly number[];
}

function product(graph: Graph, { map, shape, node }: Contraction, index: number, region: Region): Parts {
  const [, weights, bias = ''] = node.inputs as [string, string, string?];
  const adds = index === 0 ? bias : '';
  const zero = adds === '' && node.op === 'Gemm' && graph.opset < FREE_BIAS_OPSET;
  const added = zero ? ZERO : adds;
  const inputs = [INNER, weights, ...(added === '' ? [] : [added])];
  const [rows = 1, ...rest] = extents(region);
  return {
    nodes: [plain('Flatten', [map], [INNER], new Map([['axis', 1]])), { ...node, inputs }],
    constants: [
      cutWeights(graph.constants.get(weights) as Constant, node, shape, region),
      ...(zero ? [zerosLike(graph.constants.get(bias) as Constant)] : []),
    ],
    innerLike: map,
    innerShape: [rows, rest.reduce((product, extent) => product * extent, 1)],
  };
}

function zerosLike({ dtype, shape, byteLength }: Constant): Constant {
  return lazyConstant(ZERO, dtype, shape, () => new Uint8Array(byteLength));
}

/** The rows (columns, where it is transposed) of a matrix that belong to a region of the flattened map. */
function cutWeights(weights: Constant, node: GraphNode, shape: readonly number[], region: Region): Constant {
  const transposed = node.op === 'Gemm' && numberAttribute(node, 'transB', 0) !== 0;
  const others = weights.shape[transposed ? 0 : 1] as number;
  const side: Region = whole([others]);
  const behind = whole(shape).slice(1);
  const from = transposed ? [...side, ...behind] : [...behind, ...side];
  const part = transposed ? [...side, ...region.slice(1)] : [...region.slice(1), ...side];
  const cut = volume(region.slice(1));
  const size = elementBytes(weights.dtype);
  return lazyConstant(weights.name, weights.dtype, transposed ? [others, cut] : [cut, others], () => {
    const bytes = new Uint8Array(cut * others * size);
    copyRegion(weights.bytes(), from, bytes, part, part, size);
    return bytes;
  });
}

/** A mean over a part counts as much as the part is of the whole. */
function reduction({ map, shape, node, output, kind, axes }: Contraction, region: Region): Parts {
  const inputs = [map, ...node.inputs.slice(1)];
  if (kind === 'sum') return { nodes: [{ ...node, inputs }], constants: [], innerLike: output };
  // The window of a pool is that of the whole map.
  const averaging = node.op === 'AveragePool' ? plain('GlobalAveragePool', [], [], new Map()) : node;
  const over = (extent: readonly number[]): number =>
    axes.reduce((product, axis) => product * (extent[axis] as number), 1);
  return {
    nodes: [{ ...averaging, inputs, outputs: [INNER] }, plain('Mul', [INNER, SHARE], [output], new Map())],
    constants: [constantOf(SHARE, 'float32', [], [over(extents(region)) / over(shape)])],
    innerLike: output,
  };
}

function plain(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: GraphNode['attributes'],
): GraphNode {
  return { index: 0, name: `tilepipe/${op}`, op, domain: '', inputs, outputs, attributes };
}
