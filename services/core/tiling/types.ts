/** What a tiling says of a block, as values. Region arithmetic and sub-models are built from these. */

import type { GraphNode } from '../graph/types.ts';
import type { Range, Region } from '../tensor/region.ts';

/** Which axes of a tensor are rows and columns; a tensor without them (a vector of logits) is never tiled. */
export interface SpatialAxes {
  readonly row: number;
  readonly column: number;
}

/** Why a node cannot be tiled, in words for people. */
export interface Refusal {
  readonly node: string;
  readonly op: string;
  readonly reason: string;
}

/** A rectangle of rows and columns of one tensor. */
export interface Rectangle {
  readonly rows: Range;
  readonly columns: Range;
}

/** All nodes between two cuts, run in one go. */
export interface FusedBlock {
  readonly id: number;
  /**
   * `tile`: every node can be tiled; `whole`: runs in one piece; `shard`: by ranges of its output channels; `partial`:
   * by parts of its input, whose results are summed.
   */
  readonly kind: 'tile' | 'whole' | 'shard' | 'partial';
  /** Topological order. */
  readonly nodes: readonly GraphNode[];
  /** Cut tensors that enter, made by earlier blocks or the graph's input. */
  readonly inputs: readonly string[];
  /** Cut tensors that leave: read by later blocks, or outputs of the graph. */
  readonly outputs: readonly string[];
}

/**
 * A tiling asked for: an exact cover of the unit square by rectangles, as fractions of rows and columns.
 * Fractions make one cover serve every cut tensor of a block, whatever its size; boundaries round the same
 * way on both sides, so the rectangles of each tensor cover it exactly.
 */
export interface Cover {
  /** Row bands from top to bottom; each has its own column splits. */
  readonly bands: readonly CoverBand[];
}

export interface CoverBand {
  /** Height of the band as a share of 1. */
  readonly share: number;
  /** Widths of its tiles as shares of 1. */
  readonly columns: readonly number[];
}

/** Along which axis the tiles of a one-dimensional cover follow one another. */
export type Along = 'rows' | 'columns';

/** Where a strip lies in what its reader holds of the tensor: before the reader's own rows or columns, or after them. */
export type StripSide = 'before' | 'after';

/** Rows or columns of a tensor inside a block that one tile makes and its neighbour reads, under a name of their own. */
export interface Strip {
  readonly tensor: string;
  readonly side: StripSide;
  readonly along: Along;
}

/** One tile or shard of a block: the regions it makes, what it needs for them, and the sub-model that does it. */
export interface Tile {
  readonly block: number;
  readonly index: number;
  /** Regions of the block's inputs, halo included; inputs a tile does not read are absent. */
  readonly inputs: ReadonlyMap<string, Region>;
  /** Regions of the block's outputs; outputs of which this tile has no element are absent. */
  readonly outputs: ReadonlyMap<string, Region>;
  /** Names among the inputs and outputs that are strips; their regions are those of the tensor they are of. */
  readonly strips?: ReadonlyMap<string, Strip>;
  /** Names among the inputs and outputs that are partial sums, with the tensor they add up to. */
  readonly sums?: ReadonlyMap<string, string>;
  /** Identity of the pad pattern, a shard's channels, or a part's region: parts of a block with equal keys share a sub-model. */
  readonly pattern: string;
  /** Multiply-accumulates, redundant halo work included. */
  readonly macs: number;
}
