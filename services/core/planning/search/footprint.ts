/**
 * How much of a span's work and inputs a tile takes, in a few multiplications: from one walk through the span, which
 * says how far around a position every operator has to reach. Exact but for rounding where rows scale evenly; the
 * search orders its options by it, and works out those that may win.
 */

import type { Graph } from '../../graph/types.ts';
import type { Analysis } from '../../tiling/analyse.ts';
import { blockRegions } from '../../tiling/regions.ts';
import type { FusedBlock, Rectangle, SpatialAxes } from '../../tiling/types.ts';

/** Something that is needed around a tile; reaches are shares of its extent, beyond the tile's own share of it. */
interface Reach {
  /** What it weighs: a share of all, so that the weights of a list sum to 1. */
  weight: number;
  readonly above: number;
  readonly below: number;
  readonly left: number;
  readonly right: number;
}

export interface Footprint {
  /** Rows and columns of the output that tiles are counted in. */
  readonly rows: number;
  readonly columns: number;
  /** Share of the work of a tile. */
  work(rectangle: Rectangle): number;
  /** Share of the bytes of the inputs it reads. */
  inputs(rectangle: Rectangle): number;
}

/** Multiplications that take as long as moving one element of an operator without any. */
const MOVE = 40;

/** The footprint of a block that can be tiled; undefined where its outputs have no rows and columns. */
export function footprintOf(graph: Graph, analysis: Analysis, block: FusedBlock): Footprint | undefined {
  const extents = extentsOf(graph, analysis, block);
  if (extents === undefined) return undefined;
  const { rows, columns } = extents;
  const regions = blockRegions(graph, analysis, block, probesOf(graph, analysis, block));
  const at = { row: Math.floor(rows / 2) / rows, column: Math.floor(columns / 2) / columns };
  const size = { row: 1 / rows, column: 1 / columns };
  const reach = (name: string, rectangle: Rectangle | undefined, weight: number): Reach => {
    const axes = analysis.axes.get(name);
    const shape = graph.tensors.get(name)?.shape;
    if (axes === undefined || shape === undefined || rectangle === undefined)
      return { weight, above: 1, below: 1, left: 1, right: 1 };
    const [height, width] = [shape[axes.row] as number, shape[axes.column] as number];
    return {
      weight,
      above: at.row - rectangle.rows[0] / height,
      below: rectangle.rows[1] / height - at.row - size.row,
      left: at.column - rectangle.columns[0] / width,
      right: rectangle.columns[1] / width - at.column - size.column,
    };
  };
  const work = regions.steps.map(({ node, step }) => {
    const name = node.outputs[0] ?? '';
    return reach(name, step.made, analysis.nodeMacs(node) + MOVE * elements(graph, name));
  });
  const inputs = block.inputs.map((name) => reach(name, regions.inputs.get(name), elements(graph, name)));
  const [steps, reads] = [merged(work), merged(inputs)];
  return {
    rows,
    columns,
    work: (rectangle) => shareOf(steps, rectangle, rows, columns),
    inputs: (rectangle) => shareOf(reads, rectangle, rows, columns),
  };
}

/** Rows and columns of a block's largest output; undefined where one of its outputs has none. */
export function extentsOf(
  graph: Graph,
  analysis: Analysis,
  block: FusedBlock,
): { readonly rows: number; readonly columns: number } | undefined {
  let [rows, columns] = [0, 0];
  for (const name of block.outputs) {
    const axes = analysis.axes.get(name);
    const shape = graph.tensors.get(name)?.shape;
    if (axes === undefined || shape === undefined) return undefined;
    if ((shape[axes.row] as number) * (shape[axes.column] as number) > rows * columns)
      [rows, columns] = [shape[axes.row] as number, shape[axes.column] as number];
  }
  return { rows, columns };
}

/** One position in the middle of every output. */
function probesOf(graph: Graph, analysis: Analysis, block: FusedBlock): Map<string, Rectangle> {
  return new Map(
    block.outputs.map((name) => [
      name,
      middle(graph.tensors.get(name)?.shape ?? [], analysis.axes.get(name) as SpatialAxes),
    ]),
  );
}

function middle(shape: readonly number[], axes: SpatialAxes): Rectangle {
  const row = Math.floor((shape[axes.row] as number) / 2);
  const column = Math.floor((shape[axes.column] as number) / 2);
  return { rows: [row, row + 1], columns: [column, column + 1] };
}

function elements(graph: Graph, name: string): number {
  return (graph.tensors.get(name)?.shape ?? []).reduce((product, extent) => product * extent, 1);
}

/** Those that reach equally far as one, with weights that sum to 1. */
function merged(all: readonly Reach[]): Reach[] {
  const total = all.reduce((sum, { weight }) => sum + weight, 0);
  const found = new Map<string, Reach>();
  for (const reach of all) {
    const key = [reach.above, reach.below, reach.left, reach.right].map((each) => each.toFixed(3)).join(' ');
    const weight = total === 0 ? 1 / all.length : reach.weight / total;
    const same = found.get(key);
    if (same === undefined) found.set(key, { ...reach, weight });
    else same.weight += weight;
  }
  return [...found.values()];
}

function shareOf(
  all: readonly Reach[],
  { rows: [top, bottom], columns: [left, right] }: Rectangle,
  rows: number,
  columns: number,
): number {
  let share = 0;
  for (const reach of all) {
    const height = Math.min(1, bottom / rows + reach.below) - Math.max(0, top / rows - reach.above);
    const width = Math.min(1, right / columns + reach.right) - Math.max(0, left / columns - reach.left);
    share += reach.weight * height * width;
  }
  return share;
}
