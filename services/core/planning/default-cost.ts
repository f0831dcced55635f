/**
 * The cost the default cuts are chosen by: fixed figures of an ordinary small machine, documented, not measured here.
 * The planner replaces them by measured profiles.
 */

import type { Graph } from '../graph/types.ts';
import { elementBytes } from '../tensor/dtype.ts';
import { intersect, type Region, volume, whole } from '../tensor/region.ts';
import type { Tile } from '../tiling/types.ts';

/** Multiply-accumulates per millisecond of one core. */
const MACS_PER_MS = 25e6;
/** Bytes per millisecond through the broker and the merger. */
const BYTES_PER_MS = 120e3;
/** Milliseconds per message: broker, dispatch, a session's start. */
const MS_PER_TASK = 0.7;
/** Parts computed at once. */
const PARALLEL = 4;

function regionBytes(graph: Graph, tensor: string, region: Region): number {
  const info = graph.tensors.get(tensor);
  return info === undefined ? 0 : volume(region) * elementBytes(info.dtype);
}

/** Bytes that enter and leave a part. */
export function partBytes(graph: Graph, tile: Tile): { in: number; out: number } {
  const bytes = (name: string, region: Region): number =>
    regionBytes(graph, tile.strips?.get(name)?.tensor ?? name, region);
  let into = 0;
  let out = 0;
  for (const [tensor, region] of tile.inputs) into += bytes(tensor, region);
  for (const [tensor, region] of tile.outputs) out += bytes(tensor, region);
  return { in: into, out };
}

/** Bytes of whole tensors. */
export function tensorBytes(graph: Graph, names: readonly string[]): number {
  return names.reduce(
    (sum, name) => sum + regionBytes(graph, name, whole(graph.tensors.get(name)?.shape ?? [])),
    0,
  );
}

/** What a tile holds of a tensor before and after its block; undefined: nothing. */
export type HeldOf = (tensor: string, tile: number) => Region | undefined;

/** Milliseconds to run the parts of one block, transfers included; what a tile holds does not travel. */
export function blockMs(graph: Graph, parts: readonly Tile[], held: HeldOf = () => undefined): number {
  let total = 0;
  let slowest = 0;
  let moved = 0;
  for (const part of parts) {
    total += part.macs;
    slowest = Math.max(slowest, part.macs);
    const { in: into, out } = partBytes(graph, part);
    moved += into + out - heldBytes(graph, part, held);
  }
  const compute = Math.max(slowest, total / PARALLEL) / MACS_PER_MS;
  return compute + moved / BYTES_PER_MS + MS_PER_TASK * (1 + parts.length);
}

function heldBytes(graph: Graph, { index, inputs, outputs }: Tile, held: HeldOf): number {
  let bytes = 0;
  for (const [tensor, region] of [...inputs, ...outputs]) {
    const own = held(tensor, index);
    const common = own && intersect(own, region);
    if (common !== undefined) bytes += regionBytes(graph, tensor, common);
  }
  return bytes;
}
