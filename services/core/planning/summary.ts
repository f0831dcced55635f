/** What a choice of blocks looks like in figures: for people who inspect a model, and for checks. */

import type { Graph } from '../graph/types.ts';
import { elementBytes } from '../tensor/dtype.ts';
import { volume, whole } from '../tensor/region.ts';
import type { Analysis } from '../tiling/analyse.ts';
import { partition } from '../tiling/partition.ts';
import type { FusedBlock } from '../tiling/types.ts';

/** Share of the multiply-accumulates of some blocks that lie in tiled ones; 1 where there are none at all. */
export function tiledShare(analysis: Analysis, blocks: readonly FusedBlock[]): number {
  let tiled = 0;
  let total = 0;
  for (const block of blocks) {
    const macs = analysis.blockMacs(block);
    total += macs;
    if (block.kind === 'tile') tiled += macs;
  }
  return total === 0 ? 1 : tiled / total;
}

/** Share of a model's multiply-accumulates that can be tiled, whatever the grid. */
export function tileableShare(graph: Graph, analysis: Analysis): number {
  return tiledShare(analysis, partition(graph, analysis));
}

/**
 * Bytes of the largest set of tensors alive at once when the nodes run in order: what an executor that frees at the
 * last use needs beside the weights.
 */
export function activationPeak(
  graph: Graph,
  block: Pick<FusedBlock, 'nodes' | 'inputs' | 'outputs'>,
): number {
  const bytes = (name: string): number => {
    const info = graph.tensors.get(name);
    return info === undefined ? 0 : volume(whole(info.shape)) * elementBytes(info.dtype);
  };
  const lastUse = new Map<string, number>();
  for (const [at, node] of block.nodes.entries()) for (const name of node.inputs) lastUse.set(name, at);
  for (const name of block.outputs) lastUse.set(name, block.nodes.length);
  let alive = block.inputs.reduce((sum, name) => sum + bytes(name), 0);
  let peak = alive;
  for (const [at, node] of block.nodes.entries()) {
    for (const name of node.outputs) alive += bytes(name);
    peak = Math.max(peak, alive);
    for (const name of new Set([...node.inputs, ...node.outputs])) {
      if (graph.tensors.has(name) && (lastUse.get(name) ?? at) === at) alive -= bytes(name);
    }
  }
  return peak;
}
