/**
 * The default choice of fused blocks: the cheapest way to cut every tileable stretch, by dynamic programming over
 * its narrow cuts, `best(j) = min_i best(i) + cost(block i..j)` (the papers' recurrence with the device fixed).
 */

import type { Graph } from '../graph/types.ts';
import { TilepipeError } from '../runtime/errors.ts';
import type { Region } from '../tensor/region.ts';
import type { Analysis } from '../tiling/analyse.ts';
import { coverRectangles, coverSize } from '../tiling/cover.ts';
import { type CutCandidate, cutCandidates, partition, splitBlock } from '../tiling/partition.ts';
import { regionOf } from '../tiling/range.ts';
import { tileBlock } from '../tiling/tile-block.ts';
import type { Cover, FusedBlock, Tile } from '../tiling/types.ts';
import { blockMs, type HeldOf } from './default-cost.ts';
import { wholeTile } from './plan-document.ts';

/** A block and the parts it runs in; `reason` says why there is only one. */
export interface ChosenBlock {
  readonly block: FusedBlock;
  readonly parts: readonly Tile[];
  readonly reason?: string;
}

/** Cuts considered in one stretch, spread over it: the search is quadratic in them. */
const MOST_CUTS = 20;

/**
 * Chooses blocks and tiles for a cover; `kept`: for tiles that stay on their devices from block to block.
 * A cover of one tile keeps the graph in one piece: cutting it would only add transfers.
 */
export function chooseBlocks(graph: Graph, analysis: Analysis, cover: Cover, kept = false): ChosenBlock[] {
  if (coverSize(cover) === 1)
    return [inOnePiece(graph, analysis, everything(graph), 'one tile was asked for')];
  const stretches = partition(graph, analysis);
  const held = kept ? heldOf(graph, analysis, cover) : undefined;
  const chosen = stretches.flatMap((stretch) =>
    stretch.kind === 'tile'
      ? cutStretch(graph, analysis, stretch, cover, held)
      : [inOnePiece(graph, analysis, stretch)],
  );
  return chosen.map(({ block, parts, reason }, id) => ({
    block: { ...block, id },
    parts: parts.map((part) => ({ ...part, block: id })),
    ...(reason === undefined ? {} : { reason }),
  }));
}

/** The whole graph as one block. An input that is an output as it is goes straight to the result. */
export function everything(graph: Graph): FusedBlock {
  const given = new Set(graph.inputs.map(({ name }) => name));
  return {
    id: 0,
    kind: 'whole',
    nodes: graph.nodes,
    inputs: graph.inputs.map(({ name }) => name),
    outputs: graph.outputs.map(({ name }) => name).filter((name) => !given.has(name)),
  };
}

function inOnePiece(graph: Graph, analysis: Analysis, block: FusedBlock, reason?: string): ChosenBlock {
  const because = reason ?? firstRefusal(analysis, block);
  return {
    block: { ...block, kind: 'whole' },
    parts: [wholeTile(graph, block, analysis.blockMacs(block))],
    ...(because === undefined ? {} : { reason: because }),
  };
}

function firstRefusal(analysis: Analysis, block: FusedBlock): string | undefined {
  for (const node of block.nodes) {
    const refusal = analysis.refusals.get(node.index);
    if (refusal !== undefined) return `${refusal.op} "${refusal.node}": ${refusal.reason}`;
  }
  return undefined;
}

/** The narrowest cut of each part of a stretch, in order, with its two ends. */
function positions(graph: Graph, stretch: FusedBlock): number[] {
  const length = stretch.nodes.length;
  const narrowest = new Map<number, CutCandidate>();
  for (const cut of cutCandidates(graph, stretch)) {
    if (cut.position <= 0 || cut.position >= length) continue;
    const part = Math.floor((cut.position * MOST_CUTS) / length);
    if (cut.bytes < (narrowest.get(part)?.bytes ?? Number.POSITIVE_INFINITY)) narrowest.set(part, cut);
  }
  return [0, ...[...narrowest.values()].map(({ position }) => position).sort((a, b) => a - b), length];
}

/** Of tensors that tiles make each tile holds what the cover gives it. */
function heldOf(graph: Graph, { axes }: Analysis, cover: Cover): HeldOf {
  const known = new Map<string, readonly (Region | undefined)[]>();
  for (const [tensor, own] of axes) {
    const shape = graph.tensors.get(tensor)?.shape ?? [];
    if (!graph.producers.has(tensor)) continue;
    const rectangles = coverRectangles(cover, shape[own.row] ?? 1, shape[own.column] ?? 1);
    known.set(
      tensor,
      rectangles.map((rectangle) => rectangle && regionOf(shape, own, rectangle)),
    );
  }
  return (tensor, tile) => known.get(tensor)?.[tile];
}

function cutStretch(
  graph: Graph,
  analysis: Analysis,
  stretch: FusedBlock,
  cover: Cover,
  held: HeldOf | undefined,
): ChosenBlock[] {
  const at = positions(graph, stretch);
  const macs = Math.max(1, analysis.blockMacs(stretch));
  const best: { cost: number; from: number; chosen: ChosenBlock | undefined }[] = [
    { cost: 0, from: 0, chosen: undefined },
  ];
  for (let to = 1; to < at.length; to++) {
    best[to] = { cost: Number.POSITIVE_INFINITY, from: 0, chosen: undefined };
    for (let from = to - 1; from >= 0; from--) {
      const chosen = candidate(
        graph,
        analysis,
        segment(graph, stretch, at[from] as number, at[to] as number),
        cover,
      );
      const ms =
        chosen.reason === undefined
          ? blockMs(graph, chosen.parts, held)
          : blockMs(graph, chosen.parts) + (WHOLE_PENALTY_MS * analysis.blockMacs(chosen.block)) / macs;
      const cost = (best[from]?.cost ?? 0) + ms;
      if (cost < (best[to]?.cost ?? 0)) best[to] = { cost, from, chosen };
    }
  }
  const result: ChosenBlock[] = [];
  for (let to = at.length - 1; to > 0; to = best[to]?.from ?? 0) {
    const chosen = best[to]?.chosen;
    if (chosen !== undefined) result.unshift(chosen);
  }
  return result;
}

/** What running a tileable stretch whole must save before it is chosen, a part of it by its work: the grid was asked for. */
const WHOLE_PENALTY_MS = 1000;

function segment(graph: Graph, stretch: FusedBlock, from: number, to: number): FusedBlock {
  const cuts = [from, to].filter((at) => at > 0 && at < stretch.nodes.length);
  const parts = splitBlock(graph, stretch, cuts);
  return parts[from > 0 ? 1 : 0] as FusedBlock;
}

/** The block tiled as asked, or, where its maps are too small for that, in one piece with the reason. */
function candidate(graph: Graph, analysis: Analysis, block: FusedBlock, cover: Cover): ChosenBlock {
  try {
    return { block, parts: tileBlock(graph, analysis, block, cover) };
  } catch (error) {
    if (!(error instanceof TilepipeError) || error.code !== 'tiling-refused') throw error;
    return inOnePiece(graph, analysis, block, error.message);
  }
}
