/** Backwards through a block: what every tensor must hold so that a tile's outputs can be made. */

import type { Graph, GraphNode } from '../graph/types.ts';
import { TilepipeError } from '../runtime/errors.ts';
import type { Range } from '../tensor/region.ts';
import type { Analysis } from './analyse.ts';
import { area, boundingBox, wholeRectangle } from './range.ts';
import type { Bound, Cut, Step } from './rules/rule.ts';
import type { FusedBlock, Rectangle } from './types.ts';

/** A node of a tile: what is asked of its outputs, and how it makes it. */
export interface NodeStep {
  readonly node: GraphNode;
  /** What its readers need of its outputs, in one rectangle. */
  readonly asked: Rectangle;
  readonly step: Step;
}

export interface BlockRegions {
  /** Nodes the tile runs, in order; those that only other tiles need are left out. */
  readonly steps: readonly NodeStep[];
  /** What the tile needs of each input of the block; tensors without rows and columns whole (undefined). */
  readonly inputs: ReadonlyMap<string, Rectangle | undefined>;
  /** Multiply-accumulates, halo included. */
  readonly macs: number;
}

/** Rows and columns of an input that has axes, for a cut: an axis the cut leaves out is read whole. */
function needed(
  graph: Graph,
  analysis: Analysis,
  tensor: string,
  cut: Cut | undefined,
): Rectangle | undefined {
  const axes = analysis.axes.get(tensor);
  const shape = graph.tensors.get(tensor)?.shape;
  if (axes === undefined || shape === undefined) return undefined;
  const all = wholeRectangle(shape, axes);
  const along = (axis: number, extent: Range): Range => {
    if (cut?.row?.axis === axis) return cut.row.range;
    return cut?.column?.axis === axis ? cut.column.range : extent;
  };
  return { rows: along(axes.row, all.rows), columns: along(axes.column, all.columns) };
}

/** What of a node's outputs a tile makes, of all that is asked; undefined: nothing, and the node does not run. */
export type MadeOf = (node: GraphNode, asked: ReadonlyMap<string, Rectangle>) => Rectangle | undefined;

/**
 * The regions of one tile, from the rectangles of the block's outputs it makes. `madeOf` may leave out what comes from
 * elsewhere. Throws `tiling-refused` where a node of the block has no rule.
 */
export function blockRegions(
  graph: Graph,
  analysis: Analysis,
  block: Pick<FusedBlock, 'nodes' | 'inputs'>,
  outputs: ReadonlyMap<string, Rectangle>,
  madeOf: MadeOf = askedOf,
): BlockRegions {
  const entering = new Set(block.inputs);
  const asked = new Map(outputs);
  const inputs = new Map<string, Rectangle | undefined>();
  const steps: NodeStep[] = [];
  let macs = 0;
  for (const node of block.nodes.toReversed()) {
    if (analysis.constantNodes.has(node.index)) continue;
    const wanted = madeOf(node, asked);
    if (wanted === undefined) continue;
    const step = ruleOf(analysis, node).step(wanted);
    steps.push({ node, asked: wanted, step });
    macs += analysis.nodeMacs(node) * (step.share ?? shareMade(graph, analysis, node, step));
    for (const [position, tensor] of node.inputs.entries()) {
      if (!graph.tensors.has(tensor) || isConstantTensor(graph, analysis, tensor)) continue;
      const rectangle = needed(graph, analysis, tensor, step.inputs[position]);
      if (entering.has(tensor)) inputs.set(tensor, rectangle && boundingBox(inputs.get(tensor), rectangle));
      if (rectangle !== undefined) asked.set(tensor, boundingBox(asked.get(tensor), rectangle));
    }
  }
  return { steps: steps.reverse(), inputs: inOrder(block.inputs, inputs), macs };
}

function askedOf(node: GraphNode, asked: ReadonlyMap<string, Rectangle>): Rectangle | undefined {
  let box: Rectangle | undefined;
  for (const name of node.outputs) {
    const rectangle = asked.get(name);
    if (rectangle !== undefined) box = boundingBox(box, rectangle);
  }
  return box;
}

/** The rule of a node. Throws `tiling-refused` with the reason where it has none. */
export function ruleOf(analysis: Analysis, node: GraphNode): Bound {
  const rule = analysis.rules.get(node.index);
  if (rule !== undefined) return rule;
  const reason = analysis.refusals.get(node.index)?.reason ?? 'it has no rule';
  throw new TilepipeError('tiling-refused', `node ${node.name} (${node.op}) cannot be tiled: ${reason}.`);
}

function isConstantTensor(graph: Graph, analysis: Analysis, tensor: string): boolean {
  const maker = graph.producers.get(tensor);
  return maker !== undefined && analysis.constantNodes.has(maker.index);
}

function shareMade(graph: Graph, analysis: Analysis, node: GraphNode, step: Step): number {
  const name = node.outputs[0] ?? '';
  const axes = analysis.axes.get(name);
  const shape = graph.tensors.get(name)?.shape;
  return axes === undefined || shape === undefined ? 1 : area(step.made) / area(wholeRectangle(shape, axes));
}

function inOrder<T>(names: readonly string[], found: ReadonlyMap<string, T>): Map<string, T> {
  return new Map(names.filter((name) => found.has(name)).map((name) => [name, found.get(name) as T]));
}
