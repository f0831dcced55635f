/** A plan before its sub-models are written: blocks, parts, devices, and what is expected of it. */

import type { CutCodec } from '../graph/cut-codecs.ts';
import type { FusedBlock, Tile } from '../tiling/types.ts';
import type { PictureCodec } from '../wire/codecs.ts';
import type { Work } from './cost/work.ts';

export type { CutCodec } from '../graph/cut-codecs.ts';

/**
 * How elements are written in a message by who sends them, where no sub-model does it: each piece with a range of its own
 * (`uint8`), or as a picture. Only `png` and `webp` keep a plan exact.
 */
export type WireCodec = 'fp16' | 'uint8' | PictureCodec;

/** A codec that changes values; `jpeg` for pictures as they enter. */
export type LossyCodec = Exclude<CutCodec, 'raw'> | 'jpeg';

/** A codec that a tensor is to do without: by sample frames it loses too much there. */
export interface RefusedCodec {
  readonly tensor: string;
  readonly codec: LossyCodec;
}

/** How a block runs. */
export type Mode = 'whole' | 'tile' | 'shard' | 'partial';

/** One task: a tile, a shard of the output channels, a part of the input whose results are summed, or a block in one piece. */
export interface DraftPart {
  /** Regions in and out. A shard's outputs are ranges of channels; its inputs are whole, or ranges where it reads no more. */
  readonly tile: Tile;
  /** Devices that may run it, the preferred first: one where it is bound, several where it is bound late, none: any. */
  readonly devices: readonly string[];
  readonly work: Work;
  /** As they travel, by the codecs of the draft. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Bytes of those before they were deflated. */
  readonly packedIn?: number;
  readonly packedOut?: number;
  /** Of a part that gathers itself: what it waits for, and the bytes that come from other devices; 0 from its own. */
  readonly strips?: readonly DraftStrip[];
  /** Bytes it needs on a device beside the weights of its block: activations at their peak. */
  readonly activationBytes: number;
  /** Bytes of weights its sub-model reads. */
  readonly weightBytes: number;
  /** Milliseconds it takes on its preferred device, transfers not among them. */
  readonly predictedMs?: number;
}

/** Block of strips that the splitter sends. */
export const SUPPLIED = -1;

/** What one part makes for another without the merger between them. */
export interface DraftStrip {
  /** Position of the block that makes it, and of the part within; `SUPPLIED`: it is of the frame itself. */
  readonly block: number;
  readonly part: number;
  /** As they travel. */
  readonly bytes: number;
  /** Bytes of those before they were deflated or made a picture of. */
  readonly packed?: number;
  /** It goes to the broker of the device that waits for it, and not through the hub. */
  readonly direct?: true;
}

export interface DraftBlock {
  readonly block: FusedBlock;
  readonly mode: Mode;
  /** Tiles take strips from their neighbours instead of computing them again: every second waits for both. */
  readonly reuse?: boolean;
  /**
   * How its inputs come: through the merger (absent), or from those who make them to the one device of each part, which
   * keeps what it made itself (`halo`).
   */
  readonly entry?: 'halo';
  readonly parts: readonly DraftPart[];
  /** Why it runs in one piece, where something else was to be expected. */
  readonly reason?: string;
}

/** What a plan is expected to do. */
export interface Prediction {
  /** One frame alone, from the decoded tensor to the gathered output. */
  readonly latencyMs: number;
  /** In a steady stream with `inFlight` frames. */
  readonly framesPerSecond: number;
  /** Through the hub. */
  readonly bytesPerFrame: number;
  /** The resource that decides: a device, a medium, or `hub`. */
  readonly bottleneck: string;
  /** Peak bytes by device, the worker itself included. */
  readonly memoryBytes: Readonly<Record<string, number>>;
}

/** Bytes of an element on the wire, `elementBytes` being those of the tensor; codecs are for float32 and float16. */
export function codecBytes(codec: CutCodec, elementBytes: number): number {
  if (codec === 'raw') return elementBytes;
  return codec === 'fp16' ? Math.min(elementBytes, 2) : 1;
}

/** Which idea of distribution a plan follows. */
export type Strategy = 'one-device' | 'replicas' | 'pipeline' | 'parallel' | 'halo' | 'mixed';

export interface Draft {
  readonly strategy: Strategy;
  readonly blocks: readonly DraftBlock[];
  /** Frames under way at once that it is meant for. */
  readonly inFlight: number;
  readonly predicted: Prediction;
  /** Codecs of cut tensors, by their names in the model's graph; absent is raw. */
  readonly codecs?: Readonly<Record<string, CutCodec>>;
  /** Tensors that travel deflated, on top of their codec, by the same names. */
  readonly packed?: readonly string[];
  /** Codecs of messages, by the same names; a tensor has one of these or one of `codecs`. */
  readonly wire?: Readonly<Record<string, WireCodec>>;
}
