/** Blocks of a graph as blocks of the same graph with its cut tensors coded. */

import type { CodedCut, CodedGraph } from '../graph/cut-codecs.ts';
import type { Graph, GraphNode } from '../graph/types.ts';
import { TilepipeError } from '../runtime/errors.ts';
import type { Analysis } from '../tiling/analyse.ts';
import { outputRectangles } from '../tiling/sub-model.ts';
import { tileOf } from '../tiling/tile-block.ts';
import type { FusedBlock, Tile } from '../tiling/types.ts';
import type { CutCodec, DraftBlock } from './draft.ts';

/** Throws `usage` where a codec is given for a tensor that no block hands to another. */
export function checkCodecs(
  blocks: readonly Pick<DraftBlock, 'block'>[],
  codecs: Readonly<Record<string, CutCodec>>,
): void {
  const cuts = new Set(blocks.flatMap(({ block }) => block.outputs));
  const stranger = Object.keys(codecs).find((tensor) => !cuts.has(tensor));
  if (stranger !== undefined)
    throw new TilepipeError('usage', `tensor "${stranger}" has a codec, but no block hands it to another.`);
}

/**
 * The nodes that write a tensor's short form belong to the block that makes it, those that read it back to every
 * block that reads it: these nodes may stand in several blocks.
 */
export function codedBlock({ graph, cuts }: CodedGraph, block: FusedBlock): FusedBlock {
  const nodes = new Set<GraphNode>();
  const add = (outputs: readonly string[]): void => {
    for (const name of outputs) nodes.add(graph.producers.get(name) as GraphNode);
  };
  for (const { inputs, outputs } of block.nodes) {
    // A node whose every output is unused has gone with the others that are.
    const made = outputs.find((name) => graph.producers.has(name));
    if (made !== undefined) add([made]);
    for (const name of outputs) add(cuts.get(name)?.writes ?? []);
    for (const name of inputs) add(cuts.get(name)?.reads ?? []);
  }
  return {
    ...block,
    nodes: [...nodes].sort((a, b) => a.index - b.index),
    inputs: block.inputs.map((name) => wireName(cuts, name)),
    outputs: block.outputs.map((name) => wireName(cuts, name)),
  };
}

/** Name of the tensor that travels for a tensor. */
export function wireName(cuts: ReadonlyMap<string, CodedCut>, tensor: string): string {
  return cuts.get(tensor)?.wire ?? tensor;
}

/** A tile, shard or whole of a block as part of the coded block, which makes the same elements. */
export function codedTile(
  { graph, cuts }: { readonly graph: Graph; readonly cuts: ReadonlyMap<string, CodedCut> },
  analysis: Analysis,
  block: FusedBlock,
  tile: Tile,
): Tile {
  if (tile.strips !== undefined)
    throw new TilepipeError('usage', 'tiles that hand strips to one another cannot have codecs.');
  const renamed = <T>(regions: ReadonlyMap<string, T>): Map<string, T> =>
    new Map([...regions].map(([name, region]) => [wireName(cuts, name), region]));
  const outputs = renamed(tile.outputs);
  if (block.kind === 'tile')
    return tileOf(graph, analysis, block, tile.index, outputRectangles(analysis, { outputs }));
  const { pattern } = tile;
  return {
    block: block.id,
    index: tile.index,
    inputs: renamed(tile.inputs),
    outputs,
    pattern,
    macs: tile.macs,
  };
}
