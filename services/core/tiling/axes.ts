/**
 * Where rows and columns are in every tensor. Operators defined on batch, channel, row, column fix them; from there
 * they spread both ways through the operators that move axes in a known way.
 */

import type { Graph, GraphNode } from '../graph/types.ts';
import type { Layout } from './rules/rule.ts';
import type { SpatialAxes } from './types.ts';

export interface AxesInput {
  readonly graph: Graph;
  /** By node index; nodes of which nothing is known are absent. */
  readonly layouts: ReadonlyMap<number, Layout>;
  /** Tensors that depend on the frame; constants have no axes of their own. */
  varies(tensor: string): boolean;
}

export function sameAxes(a: SpatialAxes, b: SpatialAxes): boolean {
  return a.row === b.row && a.column === b.column;
}

function extentsAt(graph: Graph, tensor: string, { row, column }: SpatialAxes): readonly number[] {
  const shape = graph.tensors.get(tensor)?.shape ?? [];
  return [shape[row] ?? 1, shape[column] ?? 1];
}

class Spreader {
  readonly axes: Map<string, SpatialAxes>;
  private readonly input: AxesInput;

  constructor(input: AxesInput, known: ReadonlyMap<string, SpatialAxes>) {
    this.input = input;
    this.axes = new Map(known);
  }

  /** Gives a tensor axes unless it has some; returns whether anything changed. */
  assign(tensor: string, axes: SpatialAxes): boolean {
    const { graph, varies } = this.input;
    const shape = graph.tensors.get(tensor)?.shape;
    if (tensor === '' || shape === undefined || this.axes.has(tensor) || !varies(tensor)) return false;
    if (shape[axes.row] === undefined || shape[axes.column] === undefined) return false;
    this.axes.set(tensor, axes);
    return true;
  }

  spread(): void {
    const { nodes } = this.input.graph;
    for (let changed = true; changed; ) {
      changed = false;
      for (const node of nodes) changed = this.forward(node) || changed;
      for (const node of nodes.toReversed()) changed = this.backward(node) || changed;
    }
  }

  private outputAxes(node: GraphNode): SpatialAxes | undefined {
    for (const name of node.outputs) {
      const axes = this.axes.get(name);
      if (axes !== undefined) return axes;
    }
    return undefined;
  }

  private forward(node: GraphNode): boolean {
    const layout = this.input.layouts.get(node.index);
    if (layout === undefined) return false;
    const axes = this.outputAxes(node) ?? this.axesFromInputs(node, layout);
    if (axes === undefined) return false;
    return node.outputs.map((name) => this.assign(name, axes)).includes(true);
  }

  private axesFromInputs(node: GraphNode, layout: Layout): SpatialAxes | undefined {
    const { graph } = this.input;
    for (const [position, map] of layout.maps.entries()) {
      const name = node.inputs[position] ?? '';
      const own = this.axes.get(name);
      const [row, column] = [own && map?.[own.row], own && map?.[own.column]];
      if (own === undefined || row === undefined || column === undefined) continue;
      const single = extentsAt(graph, name, own).every((extent) => extent === 1);
      const spreads = extentsAt(graph, node.outputs[0] ?? '', { row, column }).some((extent) => extent > 1);
      if (layout.broadcasts && single && spreads) continue;
      return { row, column };
    }
    return undefined;
  }

  private backward(node: GraphNode): boolean {
    const layout = this.input.layouts.get(node.index);
    const axes = this.outputAxes(node);
    if (layout === undefined || axes === undefined) return false;
    let changed = false;
    for (const [position, map] of layout.maps.entries()) {
      const [row, column] = [map?.indexOf(axes.row) ?? -1, map?.indexOf(axes.column) ?? -1];
      if (row >= 0 && column >= 0)
        changed = this.assign(node.inputs[position] ?? '', { row, column }) || changed;
    }
    return changed;
  }
}

/** Axes that follow from the operators alone. */
export function inferAxes(input: AxesInput): ReadonlyMap<string, SpatialAxes> {
  const spreader = new Spreader(input, new Map());
  for (const node of input.graph.nodes) {
    const forced = input.layouts.get(node.index)?.forced;
    if (forced === undefined) continue;
    for (const name of [node.inputs[0] ?? '', ...node.outputs]) spreader.assign(name, forced);
  }
  spreader.spread();
  return spreader.axes;
}

/** Axes with one more tensor's given, and all that follows from it. */
export function assumeAxes(
  input: AxesInput,
  known: ReadonlyMap<string, SpatialAxes>,
  tensor: string,
  axes: SpatialAxes,
): ReadonlyMap<string, SpatialAxes> {
  const spreader = new Spreader(input, known);
  spreader.assign(tensor, axes);
  spreader.spread();
  return spreader.axes;
}
