/** Arithmetic on half-open ranges and rectangles. Integers only. */

import type { Range, Region } from '../tensor/region.ts';
import type { Rectangle, SpatialAxes } from './types.ts';

export function length([begin, end]: Range): number {
  return end - begin;
}

export function sameRange(a: Range, b: Range): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

/** The smallest range that holds both. */
export function hull(a: Range, b: Range): Range {
  return [Math.min(a[0], b[0]), Math.max(a[1], b[1])];
}

/** The part of a range inside `[0, extent)`; begin is not before end only where they meet. */
export function clampRange([begin, end]: Range, extent: number): Range {
  return [Math.max(begin, 0), Math.min(end, extent)];
}

export function isEmpty([begin, end]: Range): boolean {
  return begin >= end;
}

export function sameRectangle(a: Rectangle, b: Rectangle): boolean {
  return sameRange(a.rows, b.rows) && sameRange(a.columns, b.columns);
}

/** The smallest rectangle that holds both: what several readers of one tensor need of it. */
export function boundingBox(a: Rectangle | undefined, b: Rectangle): Rectangle {
  return a === undefined ? b : { rows: hull(a.rows, b.rows), columns: hull(a.columns, b.columns) };
}

/** All rows and columns of a tensor. */
export function wholeRectangle(shape: readonly number[], axes: SpatialAxes): Rectangle {
  return { rows: [0, shape[axes.row] as number], columns: [0, shape[axes.column] as number] };
}

/** The region of a tensor that a rectangle is: every channel of it. */
export function regionOf(shape: readonly number[], axes: SpatialAxes, { rows, columns }: Rectangle): Region {
  return shape.map((extent, axis) =>
    axis === axes.row ? rows : axis === axes.column ? columns : [0, extent],
  );
}

/** Rows and columns of a region. */
export function rectangleOf(region: Region, axes: SpatialAxes): Rectangle {
  return { rows: region[axes.row] as Range, columns: region[axes.column] as Range };
}

export function area({ rows, columns }: Rectangle): number {
  return length(rows) * length(columns);
}
