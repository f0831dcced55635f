/** Follows the output channels through a block: what is split with them, what every shard reads whole. */

import { OPERATORS, operatorKey } from '../graph/operators/table.ts';
import type { Graph, GraphNode } from '../graph/types.ts';
import type { Analysis } from './analyse.ts';
import { withConstantNodes } from './constant-nodes.ts';
import { type ChannelSplit, isPointwise, keepsChannels, makesChannels } from './shard-rules.ts';
import type { FusedBlock } from './types.ts';

/** How a block splits by output channels. */
export interface ShardSplit {
  /** Groups of channels that stay together. A split axis of extent `e` has `e / units` channels to each. */
  readonly units: number;
  /** Tensors and constants that are split, and along which axis; all others are whole in every shard. */
  readonly axes: ReadonlyMap<string, number>;
  /** Indices of the nodes whose attribute `group` shrinks with their channels. */
  readonly grouped: ReadonlySet<number>;
}

/** The split of a block, or why it has none. */
export function splitChannels(
  graph: Graph,
  analysis: Analysis,
  block: Pick<FusedBlock, 'nodes' | 'inputs' | 'outputs'>,
): ShardSplit | string {
  const walk = new Walk(graph, analysis);
  // Few graphs have constant nodes left, and a search asks this of thousands of blocks.
  const nodes = analysis.constantNodes.size === 0 ? block.nodes : withConstantNodes(graph, block.nodes);
  for (const node of nodes) {
    const obstacle = walk.take(node);
    if (obstacle !== undefined) return `${node.op} "${node.name}": ${obstacle}`;
  }
  if (!walk.made) return 'it has no Conv, ConvTranspose, Gemm or MatMul with constant weights';
  const whole = block.outputs.find((name) => !walk.axes.has(name));
  if (whole !== undefined) return `its output "${whole}" is not made channel by channel`;
  if (walk.units < 2) return 'its channels cannot be parted';
  return { units: walk.units, axes: walk.axes, grouped: walk.grouped };
}

class Walk {
  readonly axes = new Map<string, number>();
  readonly grouped = new Set<number>();
  units = 0;
  /** Whether the operator that makes the channels has been met. */
  made = false;
  readonly #whole = new Set<string>();
  readonly #graph: Graph;
  readonly #analysis: Analysis;

  constructor(graph: Graph, analysis: Analysis) {
    this.#graph = graph;
    this.#analysis = analysis;
  }

  /** Goes through a node; returns what keeps it from being split. */
  take(node: GraphNode): string | undefined {
    const tensors = this.#graph.tensors;
    if (node.captures !== undefined) return 'its body may read anything';
    if ([...node.inputs, ...node.outputs].some((name) => tensors.get(name)?.dynamic))
      return 'its shapes depend on the data';
    const axisOf = (position: number): number | undefined => {
      const name = node.inputs[position] ?? '';
      return tensors.has(name) ? this.axes.get(name) : undefined;
    };
    if (node.inputs.some((_, position) => axisOf(position) !== undefined)) {
      const split = keepsChannels(this.#graph, node, axisOf);
      return typeof split === 'string' ? split : this.#split(node, split);
    }
    if (this.#analysis.constantNodes.has(node.index)) return this.#inEveryShard(node);
    const split = makesChannels(this.#graph, node);
    if (split !== undefined) {
      if (this.made) return 'it makes other channels from all it reads';
      this.made = true;
      return this.#split(node, split);
    }
    const family = OPERATORS.get(operatorKey(node.op, node.domain))?.family;
    if (family !== 'layout' && !isPointwise(node)) return 'every shard would repeat it';
    return this.#inEveryShard(node);
  }

  #split(node: GraphNode, { axis, inputs, units, grouped }: ChannelSplit): string | undefined {
    for (const [position, name] of node.inputs.entries()) {
      const along = inputs[position];
      const clash = along === undefined ? this.#readWhole(name) : this.#readPart(name, along);
      if (clash !== undefined) return clash;
    }
    for (const name of node.outputs) if (name !== '') this.axes.set(name, axis);
    this.units = greatestCommonDivisor(this.units, units);
    if (grouped === true) this.grouped.add(node.index);
    return undefined;
  }

  /** Cheap work that comes before the channels: moves of elements, and constants. */
  #inEveryShard(node: GraphNode): string | undefined {
    for (const name of node.inputs) {
      const clash = this.#readWhole(name);
      if (clash !== undefined) return clash;
    }
    for (const name of node.outputs) this.#whole.add(name);
    return undefined;
  }

  #readWhole(name: string): string | undefined {
    if (name === '') return undefined;
    if (this.axes.has(name)) return `it reads "${name}" whole, of which others read some channels`;
    this.#whole.add(name);
    return undefined;
  }

  #readPart(name: string, axis: number): string | undefined {
    if (name === '') return undefined;
    if (this.#whole.has(name) || (this.axes.get(name) ?? axis) !== axis)
      return `it reads some channels of "${name}", of which others read all`;
    this.axes.set(name, axis);
    return undefined;
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
