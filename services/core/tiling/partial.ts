/**
 * Partial sums: a layer that reads all of a map (fully connected after Flatten, a global mean) computed by every worker
 * on the part of the map it holds already. What travels is one vector as long as the layer's output from each, instead
 * of the map; who reads the layer adds them up. For VGG-16's first fully-connected layer that is 16 KB instead of 100.
 */

import { typeOf } from '../graph/macs.ts';
import type { Graph } from '../graph/types.ts';
import { TilepipeError } from '../runtime/errors.ts';
import { contains, type Region, volume, whole } from '../tensor/region.ts';
import type { Analysis } from './analyse.ts';
import { type Contraction, type ContractionBlock, contractionOf } from './contraction.ts';
import type { Tile } from './types.ts';

/** Why a block cannot be run as sums of what it makes of tiles of its map; undefined where it can. */
export function partialRefusal(
  graph: Graph,
  { axes }: Analysis,
  block: ContractionBlock,
): string | undefined {
  if (graph.outputs.some(({ name }) => block.outputs.includes(name)))
    return 'it makes an output of the network, and nobody adds up its parts';
  const found = contractionOf(graph, block);
  if (typeof found === 'string') return found;
  const spatial = axes.get(found.map);
  if (spatial === undefined) return `"${found.map}" has no rows and columns`;
  return found.axes.includes(spatial.row) && found.axes.includes(spatial.column)
    ? undefined
    : 'it does not sum over both rows and columns';
}

/** Name of the part of a tensor that the part `index` of its block makes. */
export function sumName(tensor: string, index: number): string {
  return `${tensor}@sum${index}`;
}

/**
 * A block of partial sums, one part for each region of its map. The regions must cover the map once; they may be cut
 * along the axes that are summed over. Throws `tiling-refused` where the block or the regions are not so.
 */
export function partialBlock(
  graph: Graph,
  analysis: Analysis,
  block: ContractionBlock,
  regions: readonly Region[],
): Tile[] {
  const contraction = checkedContraction(graph, block);
  checkRegions(block, contraction, regions);
  const { map, output, shape } = contraction;
  const all = volume(whole(shape));
  const macs = analysis.blockMacs(block);
  return regions.map((region, index): Tile => {
    const name = sumName(output, index);
    return {
      block: block.id,
      index,
      inputs: new Map([[map, region]]),
      outputs: new Map([[name, whole(typeOf(graph, output)?.shape ?? [])]]),
      sums: new Map([[name, output]]),
      // The first adds what is added once; parts elsewhere have other weights.
      pattern: `part ${index} ${JSON.stringify(region)}`,
      macs: (macs * volume(region)) / all,
    };
  });
}

/** Throws `tiling-refused` where the block is no contraction. */
export function checkedContraction(graph: Graph, block: ContractionBlock): Contraction {
  const contraction = contractionOf(graph, block);
  if (typeof contraction !== 'string') return contraction;
  throw refused(block, contraction);
}

/** The same tile reading the parts of tensors instead of the tensors; `parts` says how many of each. */
export function readingSums(tile: Tile, parts: ReadonlyMap<string, number>): Tile {
  if (![...tile.inputs.keys()].some((tensor) => parts.has(tensor))) return tile;
  const inputs = new Map<string, Region>();
  const sums = new Map(tile.sums);
  for (const [tensor, region] of tile.inputs) {
    const count = parts.get(tensor);
    if (count === undefined) inputs.set(tensor, region);
    for (let index = 0; index < (count ?? 0); index++) {
      inputs.set(sumName(tensor, index), region);
      sums.set(sumName(tensor, index), tensor);
    }
  }
  const added = [...parts].filter(([tensor]) => tile.inputs.has(tensor));
  const { block, index, outputs, macs, strips } = tile;
  return {
    block,
    index,
    inputs,
    outputs,
    sums,
    ...(strips === undefined ? {} : { strips }),
    get pattern() {
      return `${tile.pattern} of sums ${JSON.stringify(added)}`;
    },
    macs,
  };
}

function checkRegions(
  block: ContractionBlock,
  { shape, axes }: Contraction,
  regions: readonly Region[],
): void {
  const all = whole(shape);
  const inside = regions.every(
    (region) =>
      contains(all, region) &&
      volume(region) > 0 &&
      region.every(([begin, end], axis) => axes.includes(axis) || (begin === 0 && end === shape[axis])),
  );
  const summed = regions.reduce((sum, region) => sum + volume(region), 0);
  if (!inside || summed !== volume(all))
    throw refused(block, 'its parts do not cover the map once along the axes it sums over');
}

function refused({ id }: ContractionBlock, why: string): TilepipeError {
  return new TilepipeError('tiling-refused', `block ${id} cannot run as partial sums: ${why}.`);
}
