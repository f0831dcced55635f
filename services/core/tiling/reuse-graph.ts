/** The graph of a tile that exchanges strips with its neighbours, and its regions. */

import type { Graph } from '../graph/types.ts';
import type { Region } from '../tensor/region.ts';
import type { Analysis } from './analyse.ts';
import { rectangleOf } from './range.ts';
import { blockRegions } from './regions.ts';
import { type Ends, Joins, type NamedStrip } from './reuse-joins.ts';
import { type TileGraph, tileGraph } from './tile-graph.ts';
import type { Along, FusedBlock, Rectangle, SpatialAxes, Strip, StripSide, Tile } from './types.ts';

type Exchanging = Pick<Tile, 'inputs' | 'outputs' | 'strips'>;

/** As `tileGraph`; `outputs`: rectangles of the block's outputs the tile makes, its strips not among them. */
export function reuseGraph(
  graph: Graph,
  analysis: Analysis,
  block: Pick<FusedBlock, 'nodes' | 'inputs'>,
  tile: Exchanging,
  outputs: ReadonlyMap<string, Rectangle>,
): TileGraph {
  const taken = named(analysis, tile, tile.inputs);
  const joins = joinsOf(tile, taken);
  const regions = blockRegions(graph, analysis, block, outputs, joins.madeOf);
  return tileGraph(graph, analysis, regions, outputs, {
    along: alongOf(tile),
    joins: joins.byTensor,
    taken: new Map(
      [...taken].map(([tensor, strips]) => [
        tensor,
        new Map(strips.map(({ side, name }): [StripSide, string] => [side, name])),
      ]),
    ),
    given: named(analysis, tile, tile.outputs),
  });
}

function joinsOf(tile: Exchanging, taken: ReadonlyMap<string, readonly NamedStrip[]>): Joins {
  return new Joins(
    alongOf(tile),
    (tensor): Ends =>
      Object.fromEntries((taken.get(tensor) ?? []).map(({ side, rectangle }) => [side, rectangle])),
  );
}

/** All strips of a tile lie along one axis. */
function alongOf({ strips }: Exchanging): Along {
  for (const { along } of strips?.values() ?? []) return along;
  return 'rows';
}

/** The strips among regions, by the tensor they are of. */
function named(
  analysis: Analysis,
  { strips }: Exchanging,
  regions: ReadonlyMap<string, Region>,
): Map<string, NamedStrip[]> {
  const found = new Map<string, NamedStrip[]>();
  for (const [name, region] of regions) {
    const strip: Strip | undefined = strips?.get(name);
    if (strip === undefined) continue;
    const rectangle = rectangleOf(region, analysis.axes.get(strip.tensor) as SpatialAxes);
    const list = found.get(strip.tensor) ?? [];
    list.push({ ...strip, name, rectangle });
    found.set(strip.tensor, list);
  }
  return found;
}
