/** What a region rule says of an operator, and what it is given: one shape for every row of the table. */

import type { InferContext, TensorType } from '../../graph/operators/row.ts';
import type { AttributeValue, Constant, DType, GraphNode } from '../../graph/types.ts';
import type { Range } from '../../tensor/region.ts';
import type { Rectangle, SpatialAxes } from '../types.ts';

export interface RuleContext extends InferContext {
  readonly outputs: readonly (TensorType | undefined)[];
  /** Whether an input does not depend on the frame. */
  isConstant(position: number): boolean;
}

/** For each axis of an input the axis of the outputs it becomes; undefined where it does not stay an axis. */
export type AxisMap = readonly (number | undefined)[];

/** How axes go through an operator. */
export interface Layout {
  /** The operator itself fixes which axes are rows and columns, of input 0 and of its outputs. */
  readonly forced?: SpatialAxes;
  /** By input position; undefined for parameters, which are needed whole. */
  readonly maps: readonly (AxisMap | undefined)[];
  /** Extents of 1 repeat, so that such an input says little of where rows and columns are. */
  readonly broadcasts?: boolean;
}

export interface BindContext extends RuleContext {
  readonly layout: Layout;
  /** Axes of the outputs. */
  readonly axes: SpatialAxes;
}

/** A box of an input that has rows, columns, or both; an axis left out is read whole. */
export interface Cut {
  readonly row?: { readonly axis: number; readonly range: Range };
  readonly column?: { readonly axis: number; readonly range: Range };
}

/** How a node makes some rectangle of its outputs. */
export interface Step {
  /** What it makes in one go; the asked rectangle lies inside and is cropped out of it. */
  readonly made: Rectangle;
  /** What it needs of each input, by position; undefined: all of it. */
  readonly inputs: readonly (Cut | undefined)[];
  /** Multiply-accumulates as a share of the whole node's; absent: the share of `made` in the output. */
  readonly share?: number;
  /** Writes the nodes that make `made`. */
  emit(emitter: NodeEmitter): void;
}

/** A rule with a node's attributes taken in. */
export interface Bound {
  /** Throws `tiling-refused` where the rectangle cannot be made. */
  step(out: Rectangle): Step;
}

/** A node to write; `outputs` are full names. */
export interface EmittedNode {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly attributes?: ReadonlyMap<string, AttributeValue>;
  readonly floats?: ReadonlySet<string>;
}

/** What a step writes its part of a sub-model with. */
export interface NodeEmitter {
  readonly node: GraphNode;
  /** Operator set the sub-model is written in. */
  readonly opset: number;
  /** Name of an input, cut to what the step needs of it. '' where the input is left out. */
  operand(position: number): string;
  /**
   * Name of an input as it lies there, and what of it: an operator that crops by itself saves a copy.
   * `held` has an entry for each axis the step's cut names.
   */
  uncut(position: number): {
    readonly name: string;
    readonly held: { readonly row?: Range; readonly column?: Range };
  };
  /** The node itself with other attributes (undefined removes one) or inputs; it makes the outputs. */
  keep(changes?: {
    readonly attributes?: Readonly<Record<string, AttributeValue | undefined>>;
    readonly inputs?: readonly string[];
  }): void;
  /** Another node in place of it, which makes its only output. */
  replace(node: EmittedNode): void;
  /** A helper before it; returns the name of its output. */
  add(node: EmittedNode): string;
  /** A small constant; equal ones are shared. */
  constant(dtype: DType, shape: readonly number[], values: readonly number[]): string;
  constantLike(constant: Constant): string;
  /** Elements `[begin, end)` of some axes, by `step`; `end` counts from the end where negative, undefined is the end. */
  slice(name: string, parts: readonly SlicePart[]): string;
}

export interface SlicePart {
  readonly axis: number;
  readonly begin: number;
  readonly end: number | undefined;
  readonly step?: number;
}

/** One row of the table of region rules. */
export interface RegionRule {
  readonly op: string;
  /** '' for the standard operators. */
  readonly domain: string;
  /** What of the input a rectangle of the output needs, in words. */
  readonly region: string;
  /** What happens at the borders of the image and of the tile, in words. */
  readonly pads: string;
  /** When it runs whole instead, in words. */
  readonly limits: string;
  /** Whether more than one output may be used. */
  readonly many?: boolean;
  /** undefined where nothing is known of the axes. */
  layout(context: RuleContext): Layout | undefined;
  /** Why the outputs have no rows and columns, where the rule knows; `had`: whether an input has them. */
  lost?(context: RuleContext, had: boolean): string | undefined;
  /** The rule for one node, or why the node cannot be tiled. */
  bind(context: BindContext): Bound | string;
}

const ROWS_AND_COLUMNS: SpatialAxes = { row: 2, column: 3 };

/** Every axis stays where it is. */
export function identityMap(rank: number): AxisMap {
  return Array.from({ length: rank }, (_, axis) => axis);
}

/** Layout of operators that are defined on batch, channel, row, column. */
export function channelsFirst(context: RuleContext): Layout | undefined {
  const rank = context.inputs[0]?.shape.length;
  if (rank === undefined) return undefined;
  return rank === 4 ? { forced: ROWS_AND_COLUMNS, maps: [identityMap(rank)] } : { maps: [identityMap(rank)] };
}

/** Layout of operators that leave the axes of input 0 alone, whichever they are. */
export function sameAxes(context: RuleContext): Layout | undefined {
  const rank = context.inputs[0]?.shape.length;
  return rank === undefined ? undefined : { maps: [identityMap(rank)] };
}

/** The input's own axis for an axis of the outputs, by position; undefined where it has none. */
export function inputAxis(layout: Layout, position: number, axis: number): number | undefined {
  const found = layout.maps[position]?.indexOf(axis) ?? -1;
  return found < 0 ? undefined : found;
}

/** The cut of input `position` that corresponds to ranges of its rows and columns. */
export function cutOf(context: BindContext, position: number, rows: Range, columns: Range): Cut {
  const row = inputAxis(context.layout, position, context.axes.row);
  const column = inputAxis(context.layout, position, context.axes.column);
  return {
    ...(row === undefined ? {} : { row: { axis: row, range: rows } }),
    ...(column === undefined ? {} : { column: { axis: column, range: columns } }),
  };
}

/** Extents of rows and columns of the output. */
export function outputExtent({ outputs, axes }: BindContext): { rows: number; columns: number } {
  const shape = outputs.find((output) => output !== undefined)?.shape ?? [];
  return { rows: shape[axes.row] ?? 0, columns: shape[axes.column] ?? 0 };
}

/** Extents of rows and columns of input 0. */
export function inputExtent(context: BindContext): { rows: number; columns: number } {
  const shape = context.inputs[0]?.shape ?? [];
  const at = (axis: number) => shape[inputAxis(context.layout, 0, axis) ?? -1] ?? 1;
  return { rows: at(context.axes.row), columns: at(context.axes.column) };
}
