/** How operators stand to output channels: who makes them from everything it reads, and who keeps them apart. */

import { numberAttribute } from '../graph/attributes.ts';
import { typeOf } from '../graph/macs.ts';
import { OPERATORS, operatorKey } from '../graph/operators/table.ts';
import type { Graph, GraphNode } from '../graph/types.ts';
import { isQuantised } from './rules/refused.ts';

/** How a node makes some of its output channels. */
export interface ChannelSplit {
  /** Axis of the outputs that is split. */
  readonly axis: number;
  /** By input position: the axis split along with it; undefined where the input is read whole. */
  readonly inputs: readonly (number | undefined)[];
  /** Groups of channels that stay together: their number bounds the shards. 0: any channel by itself. */
  readonly units: number;
  /** Whether the attribute `group` shrinks with the channels. */
  readonly grouped?: boolean;
}

const PER_CHANNEL = new Set(['BatchNormalization', 'InstanceNormalization']);
const POOLS = new Set([
  'MaxPool',
  'AveragePool',
  'LpPool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'GlobalLpPool',
]);

const shapeOf = (graph: Graph, name: string | undefined): readonly number[] | undefined =>
  name === undefined || name === '' ? undefined : typeOf(graph, name)?.shape;

/**
 * How a node splits the channels it makes from inputs that are whole: convolutions along axis 1, matrix products
 * along the last. Grouped convolutions need only the input channels of their groups. undefined for all other
 * operators, and where the weights are not constants.
 */
export function makesChannels(graph: Graph, node: GraphNode): ChannelSplit | undefined {
  if (node.domain !== '' || !graph.constants.has(node.inputs[1] ?? '')) return undefined;
  const weights = shapeOf(graph, node.inputs[1]) ?? [];
  const out = shapeOf(graph, node.outputs[0]) ?? [];
  switch (node.op) {
    case 'Conv':
    case 'ConvTranspose':
      return (
        groupedConvolution(node) ?? {
          axis: 1,
          inputs: [undefined, node.op === 'Conv' ? 0 : 1, 0],
          units: out[1] ?? 1,
        }
      );
    case 'Gemm': {
      const bias = shapeOf(graph, node.inputs[2]);
      const repeats = bias === undefined || (bias.at(-1) ?? 1) === 1;
      const columns = numberAttribute(node, 'transB', 0) === 0 ? 1 : 0;
      return {
        axis: 1,
        inputs: [undefined, columns, repeats ? undefined : bias.length - 1],
        units: out[1] ?? 1,
      };
    }
    case 'MatMul':
      if (weights.length !== 2) return undefined;
      return { axis: out.length - 1, inputs: [undefined, 1], units: out.at(-1) ?? 1 };
    default:
      return undefined;
  }
}

/** Both convolutions list the filters of one group after the other along the first axis of their weights. */
function groupedConvolution(node: GraphNode): ChannelSplit | undefined {
  const groups = numberAttribute(node, 'group', 1);
  return groups === 1 ? undefined : { axis: 1, inputs: [1, 0, 0], units: groups, grouped: true };
}

/**
 * How a node that reads split inputs keeps their channels apart, or why it does not; `axisOf` is the split axis of
 * an input, undefined for one that is not split (yet).
 */
export function keepsChannels(
  graph: Graph,
  node: GraphNode,
  axisOf: (position: number) => number | undefined,
): ChannelSplit | string {
  const axis = axisOf(0);
  if (node.outputs.slice(1).some((name) => isRead(graph, name))) return 'more than its first output is used';
  if (node.domain === '' && axis === 1) {
    if (PER_CHANNEL.has(node.op)) return normalisation(node);
    if (POOLS.has(node.op)) return { axis, inputs: [axis], units: 0 };
    if (node.op === 'Conv' || node.op === 'ConvTranspose')
      return groupedConvolution(node) ?? 'it reads all channels';
  }
  if (node.domain === '' && node.op === 'Flatten' && axis !== undefined) return flattening(graph, node, axis);
  if (!isPointwise(node)) return 'it is not known to keep channels apart';
  if (node.op === 'Dropout' && (node.inputs[2] ?? '') !== '') return 'it may run in training mode';
  return broadcasting(graph, node, axisOf);
}

function isRead(graph: Graph, name: string): boolean {
  return name !== '' && (graph.consumers.has(name) || graph.outputs.some((output) => output.name === name));
}

/** Whether a node reads one element of each input for one of its output. */
export function isPointwise({ op, domain }: GraphNode): boolean {
  return OPERATORS.get(operatorKey(op, domain))?.family === 'pointwise' && !isQuantised(op);
}

function normalisation(node: GraphNode): ChannelSplit | string {
  if (numberAttribute(node, 'training_mode', 0) !== 0) return 'it runs in training mode';
  if (numberAttribute(node, 'spatial', 1) === 0) return 'it has parameters for every position';
  return { axis: 1, inputs: [1, 0, 0, 0, 0], units: 0 };
}

/** A range of channels stays one range where nothing but single elements lies before it in its half. */
function flattening(graph: Graph, node: GraphNode, axis: number): ChannelSplit | string {
  const shape = shapeOf(graph, node.inputs[0]) ?? [];
  const at = numberAttribute(node, 'axis', 1);
  const first = at < 0 ? at + shape.length : at;
  const before = axis < first ? shape.slice(0, axis) : shape.slice(first, axis);
  if (before.some((extent) => extent !== 1)) return 'it mixes the order of channels';
  return { axis: axis < first ? 0 : 1, inputs: [axis], units: 0 };
}

/** Operands are aligned at the end (before opset 7 at `axis`, a slope at the channels); those that repeat stay whole. */
function broadcasting(
  graph: Graph,
  node: GraphNode,
  axisOf: (position: number) => number | undefined,
): ChannelSplit | string {
  const rank = shapeOf(graph, node.outputs[0])?.length ?? 0;
  const legacy = node.domain === '' && graph.opset < 7;
  const shifts = node.inputs.map((name, position): number => {
    const first = rank - (shapeOf(graph, name)?.length ?? 0);
    if (!legacy || position === 0) return first;
    if (node.op === 'PRelu') return Math.min(first, 1);
    const axis = numberAttribute(node, 'axis', first);
    return axis < 0 ? axis + rank : axis;
  });
  const split = node.inputs.findIndex((_, position) => axisOf(position) !== undefined);
  const axis = (axisOf(split) as number) + (shifts[split] as number);
  const inputs = node.inputs.map((name, position) => {
    const own = axis - (shifts[position] as number);
    const extent = shapeOf(graph, name)?.[own] ?? 1;
    const typeOnly = node.op === 'CastLike' && position === 1;
    return extent === 1 || typeOnly ? undefined : own;
  });
  return { axis, inputs, units: 0 };
}
