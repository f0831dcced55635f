/** A block cut into tiles by a cover. */

import type { Graph } from '../graph/types.ts';
import { TilepipeError } from '../runtime/errors.ts';
import { elementBytes } from '../tensor/dtype.ts';
import { type Region, volume, whole } from '../tensor/region.ts';
import type { Analysis } from './analyse.ts';
import { coverRectangles, coverSize } from './cover.ts';
import { regionOf } from './range.ts';
import { blockRegions, ruleOf } from './regions.ts';
import { patternOf, tileGraph } from './tile-graph.ts';
import type { Cover, FusedBlock, Rectangle, Tile } from './types.ts';

/**
 * The tiles of a block, in the order of the cover. Every output is covered exactly, by the same shares; an output
 * too small to give every tile a part is made by some of them. Throws `tiling-refused` where that holds for all
 * outputs, or a node cannot be tiled.
 */
export function tileBlock(graph: Graph, analysis: Analysis, block: FusedBlock, cover: Cover): Tile[] {
  return tileRectangles(graph, analysis, block, cover).map((outputs, index) =>
    tileOf(graph, analysis, block, index, outputs),
  );
}

/** What each tile of a cover makes of every output it has a part of. Throws as `tileBlock` does. */
export function tileRectangles(
  graph: Graph,
  analysis: Analysis,
  block: FusedBlock,
  cover: Cover,
): ReadonlyMap<string, Rectangle>[] {
  for (const node of block.nodes) if (!analysis.constantNodes.has(node.index)) ruleOf(analysis, node);
  const covered = block.outputs.map((tensor) => ({
    tensor,
    rectangles: rectanglesOf(graph, analysis, block, tensor, cover),
  }));
  if (!covered.some(({ rectangles }) => rectangles.every((rectangle) => rectangle !== undefined))) {
    throw tooSmall(graph, analysis, block, cover);
  }
  return Array.from({ length: coverSize(cover) }, (_, index) => {
    const outputs = new Map<string, Rectangle>();
    for (const { tensor, rectangles } of covered) {
      const rectangle = rectangles[index];
      if (rectangle !== undefined) outputs.set(tensor, rectangle);
    }
    return outputs;
  });
}

function rectanglesOf(graph: Graph, analysis: Analysis, block: FusedBlock, tensor: string, cover: Cover) {
  const axes = analysis.axes.get(tensor);
  const shape = graph.tensors.get(tensor)?.shape;
  if (axes === undefined || shape === undefined) {
    throw new TilepipeError(
      'tiling-refused',
      `output ${tensor} of block ${block.id} has no rows and columns to tile.`,
    );
  }
  return coverRectangles(cover, shape[axes.row] as number, shape[axes.column] as number);
}

function tooSmall(graph: Graph, analysis: Analysis, block: FusedBlock, cover: Cover): TilepipeError {
  const rows = cover.bands.length;
  const columns = Math.max(...cover.bands.map((band) => band.columns.length));
  const extents = block.outputs.map((tensor) => {
    const axes = analysis.axes.get(tensor);
    const shape = graph.tensors.get(tensor)?.shape ?? [];
    return `${shape[axes?.row ?? 0]} x ${shape[axes?.column ?? 0]}`;
  });
  return new TilepipeError(
    'tiling-refused',
    `block ${block.id} cannot be cut into ${rows} rows of up to ${columns} tiles: its outputs have ${extents.join(', ')} rows and columns.`,
  );
}

/** One tile, from the rectangles of the outputs it makes; its pattern is worked out when first asked for. */
export function tileOf(
  graph: Graph,
  analysis: Analysis,
  block: FusedBlock,
  index: number,
  outputs: ReadonlyMap<string, Rectangle>,
): Tile {
  const regions = blockRegions(graph, analysis, block, outputs);
  const region = (tensor: string, rectangle: Rectangle | undefined): Region => {
    const shape = graph.tensors.get(tensor)?.shape ?? [];
    const axes = analysis.axes.get(tensor);
    return axes === undefined || rectangle === undefined ? whole(shape) : regionOf(shape, axes, rectangle);
  };
  let pattern: string | undefined;
  return {
    block: block.id,
    index,
    inputs: new Map([...regions.inputs].map(([tensor, rectangle]) => [tensor, region(tensor, rectangle)])),
    outputs: new Map([...outputs].map(([tensor, rectangle]) => [tensor, region(tensor, rectangle)])),
    get pattern() {
      pattern ??= patternOf(tileGraph(graph, analysis, regions, outputs));
      return pattern;
    },
    macs: Math.round(regions.macs),
  };
}

/** What a tile costs: multiply-accumulates with the halo, and bytes in and out. */
export interface TileCost {
  readonly macs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export function tileCost(graph: Graph, tile: Pick<Tile, 'macs' | 'inputs' | 'outputs' | 'strips'>): TileCost {
  return {
    macs: tile.macs,
    bytesIn: bytesOf(graph, tile, tile.inputs),
    bytesOut: bytesOf(graph, tile, tile.outputs),
  };
}

function bytesOf(
  graph: Graph,
  { strips }: Pick<Tile, 'strips'>,
  regions: ReadonlyMap<string, Region>,
): number {
  let bytes = 0;
  for (const [name, region] of regions) {
    const tensor = strips?.get(name)?.tensor ?? name;
    bytes += volume(region) * elementBytes(graph.tensors.get(tensor)?.dtype ?? 'float32');
  }
  return bytes;
}
