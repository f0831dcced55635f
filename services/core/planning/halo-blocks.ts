/**
 * Halo exchange by hand: every tile of one cover stays on its device from block to block, and fetches from its
 * neighbours exactly what its next tile lacks. A layer that reads all of a map after the last tile is computed as
 * partial sums where the tiles are. What the search does by measured costs, this does for a cover as it is given.
 */

import type { Graph, GraphNode } from '../graph/types.ts';
import { TilepipeError } from '../runtime/errors.ts';
import type { Analysis } from '../tiling/analyse.ts';
import { flattenedInto } from '../tiling/contraction.ts';
import { coverSize } from '../tiling/cover.ts';
import { partialBlock, partialRefusal } from '../tiling/partial.ts';
import { splitBlock } from '../tiling/partition.ts';
import { tileBlock } from '../tiling/tile-block.ts';
import type { Cover, FusedBlock, Tile } from '../tiling/types.ts';
import { MadeTensors } from './made-tensors.ts';
import { type PartPlacement, type PlacedBlock, wholeTile } from './plan-document.ts';

/**
 * The blocks of a graph, in order, as they run with halo exchange: tile `i` of the cover on `devices[i]`; blocks in one
 * piece go to whoever is free. Blocks too small for the cover run in one piece. Throws `usage` where there are not as
 * many devices as tiles.
 */
export function haloBlocks(
  graph: Graph,
  analysis: Analysis,
  blocks: readonly FusedBlock[],
  cover: Cover,
  devices: readonly string[],
): PlacedBlock[] {
  if (devices.length !== coverSize(cover))
    throw new TilepipeError(
      'usage',
      `${devices.length} devices for ${coverSize(cover)} tiles: give one each.`,
    );
  const walk = new Walk(graph, analysis, cover, devices);
  for (const block of blocks) walk.take(block);
  return walk.kept;
}

class Walk {
  readonly kept: PlacedBlock[] = [];
  readonly #graph: Graph;
  readonly #analysis: Analysis;
  readonly #cover: Cover;
  readonly #devices: readonly string[];
  readonly #made = new MadeTensors();

  constructor(graph: Graph, analysis: Analysis, cover: Cover, devices: readonly string[]) {
    this.#graph = graph;
    this.#analysis = analysis;
    this.#cover = cover;
    this.#devices = devices;
  }

  take(block: FusedBlock): void {
    if (block.kind === 'tile') {
      this.#tiles(block);
      return;
    }
    const found = this.#contraction(block);
    if (found === undefined) {
      this.#whole(block);
      return;
    }
    this.#partial(found.first);
    if (found.rest !== undefined) this.take(found.rest);
  }

  #tiles(block: FusedBlock): void {
    let tiles: Tile[];
    try {
      tiles = tileBlock(this.#graph, this.#analysis, block, this.#cover);
    } catch (error) {
      if (!(error instanceof TilepipeError) || error.code !== 'tiling-refused') throw error;
      this.#whole(block, error.message);
      return;
    }
    this.#keep(block, 'tile', tiles);
  }

  /** A contraction in a block of a map that every tile holds a part of, which needs nothing of the rest of the block. */
  #contraction(block: FusedBlock): { first: FusedBlock; rest?: FusedBlock } | undefined {
    const inside = new Set<GraphNode>(block.nodes);
    for (const node of block.nodes) {
      const nodes = flattenedInto(this.#graph, node, inside);
      if (this.#made.regionsOf(nodes[0]?.inputs[0] ?? '').length < this.#devices.length) continue;
      const others = block.nodes.filter((other) => !nodes.includes(other));
      const sorted = { ...block, nodes: [...nodes, ...others] };
      const cuts = others.length > 0 ? [nodes.length] : [];
      const [first, rest] = splitBlock(this.#graph, sorted, cuts) as [FusedBlock, FusedBlock?];
      if (partialRefusal(this.#graph, this.#analysis, first) === undefined)
        return { first, ...(rest === undefined ? {} : { rest }) };
    }
    return undefined;
  }

  #partial(block: FusedBlock): void {
    const regions = this.#made.regionsOf(block.inputs[0] as string);
    this.#keep(block, 'partial', partialBlock(this.#graph, this.#analysis, block, regions));
  }

  /** Parts that read nothing but the frame are sent by the splitter, as ever. */
  #keep(block: FusedBlock, kind: FusedBlock['kind'], tiles: readonly Tile[]): void {
    const given = new Set(this.#graph.inputs.map(({ name }) => name));
    const own = { ...block, kind, id: this.kept.length };
    const parts = tiles.map((tile, index): PartPlacement => {
      const direct = [...tile.inputs.keys()].some((tensor) => !given.has(tensor));
      return {
        tile: this.#reading(tile, own.id),
        devices: [this.#devices[index] as string],
        ...(direct ? { gather: 'worker' } : {}),
      };
    });
    const placed = { block: own, parts };
    this.#made.add(placed);
    this.kept.push(placed);
  }

  #whole(block: FusedBlock, reason?: string): void {
    const own = { ...block, kind: 'whole' as const, id: this.kept.length };
    const tile = wholeTile(this.#graph, own, this.#analysis.blockMacs(own));
    this.kept.push({
      block: own,
      parts: [{ tile: this.#reading(tile, own.id) }],
      ...(reason === undefined ? {} : { reason }),
    });
  }

  #reading(tile: Tile, block: number): Tile {
    return { ...this.#made.reading(tile), block };
  }
}
