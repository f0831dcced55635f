/** A span between two cuts: the block it is, and what it costs as a whole, in tiles and in shards. */

import type { Graph } from '../../graph/types.ts';
import { TilepipeError } from '../../runtime/errors.ts';
import { elementBytes } from '../../tensor/dtype.ts';
import { type Range, type Region, volume } from '../../tensor/region.ts';
import type { Analysis } from '../../tiling/analyse.ts';
import { coverRectangles, coverSize } from '../../tiling/cover.ts';
import { area } from '../../tiling/range.ts';
import { blockRegions } from '../../tiling/regions.ts';
import { reuseParts } from '../../tiling/reuse.ts';
import { shardBlock } from '../../tiling/shard.ts';
import type { Cover, FusedBlock, Rectangle, Tile } from '../../tiling/types.ts';
import { blockWeightBytes, tilePeak, wholePeak } from '../cost/memory.ts';
import type { Work } from '../cost/work.ts';
import { shardWork, tileWork, wholeWork } from '../cost/work-of.ts';
import { type Arrangement, evenCover } from './covers.ts';
import { extentsOf, type Footprint, footprintOf } from './footprint.ts';

/** Bytes of one tensor that a part reads or makes. */
export interface TensorBytes {
  readonly tensor: string;
  readonly bytes: number;
}

/** What one part of a block asks of whatever device runs it. */
export interface PartCost {
  readonly work: Work;
  /** As they travel. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Of those, before deflating: bytes the hub deflates and the device inflates, and the other way. Absent: none. */
  readonly packedIn?: number;
  readonly packedOut?: number;
  /** Tensor by tensor, as the graph has them; absent of an estimate. */
  readonly reads?: readonly TensorBytes[];
  readonly writes?: readonly TensorBytes[];
  readonly activationBytes: number;
  readonly weightBytes: number;
  /** Whether it is sent pictures. Absent: no. */
  readonly pictures?: true;
  /** Parts of its block whose strips it takes, by position; absent: it waits for none of them. */
  readonly after?: readonly number[];
  /** Of an estimate: the share of the multiplications and bytes of `work` that it takes. Absent: all. */
  readonly share?: number;
}

/** How much more than once the tiles of a cover do and read. */
export interface Overlap {
  /** Of the work, 1 where nothing is done twice; and of the bytes of the inputs. */
  readonly work: number;
  readonly inputs: number;
}

export interface SpanDeps {
  readonly graph: Graph;
  readonly analysis: Analysis;
  readonly block: FusedBlock;
  /** Positions of its ends in the space. */
  readonly from: number;
  readonly to: number;
  readonly tileable: boolean;
  /** The most shards it can be cut into; 1 where it cannot. */
  readonly mostShards: number;
}

/** A span as the search asks for it, its tensors in the form in which they travel. */
export interface Span {
  readonly block: FusedBlock;
  readonly from: number;
  readonly to: number;
  readonly tileable: boolean;
  /** The most shards it can be cut into; 1 where it cannot. */
  readonly mostShards: number;
  /** In one piece. */
  readonly whole: PartCost;
  /** Rows and columns of its largest output; 0 where it cannot be tiled. */
  readonly extents: { readonly rows: number; readonly columns: number };
  /** Of tiles of one size, and nearly so of others in that arrangement; undefined where the maps are too small for it. */
  overlap(arrangement: Arrangement): Overlap | undefined;
  /** About what `tiles` would say, in a fraction of the time. */
  estimate(cover: Cover): readonly PartCost[] | undefined;
  /** In tiles; undefined where the maps are too small for the cover, or it cannot be tiled at all. */
  tiles(cover: Cover): readonly PartCost[] | undefined;
  /** In tiles that take strips from their neighbours; undefined where the cover's tiles cannot. */
  reuse(cover: Cover): readonly PartCost[] | undefined;
  /** In shards of the output channels; undefined where there are fewer channels than shares. */
  shards(shares: readonly number[]): readonly PartCost[] | undefined;
}

const NONE = { rows: 0, columns: 0 };

/** A span of a graph, its tensors as they are there. */
export class GraphSpan implements Span {
  readonly #graph: Graph;
  readonly #analysis: Analysis;
  readonly block: FusedBlock;
  readonly from: number;
  readonly to: number;
  readonly tileable: boolean;
  readonly mostShards: number;
  readonly #tiles = new Map<string, PartCost>();
  readonly #covers = new Map<string, readonly PartCost[] | undefined>();
  readonly #overlaps = new Map<string, Overlap | undefined>();
  readonly #reused = new Map<string, readonly PartCost[] | undefined>();
  readonly #shards = new Map<string, readonly PartCost[]>();
  #whole: PartCost | undefined;
  #extents: { readonly rows: number; readonly columns: number } | undefined;
  /** null: not looked for yet. */
  #footprint: Footprint | undefined | null = null;

  constructor(deps: SpanDeps) {
    this.#graph = deps.graph;
    this.#analysis = deps.analysis;
    this.block = deps.block;
    this.from = deps.from;
    this.to = deps.to;
    this.tileable = deps.tileable;
    this.mostShards = deps.mostShards;
  }

  get whole(): PartCost {
    this.#whole ??= {
      work: wholeWork(this.#graph, this.#analysis, this.block),
      ...between(this.#bytes(this.block.inputs), this.#bytes(this.block.outputs)),
      activationBytes: wholePeak(this.#graph, this.block),
      weightBytes: blockWeightBytes(this.#graph, this.block),
    };
    return this.#whole;
  }

  get extents(): { readonly rows: number; readonly columns: number } {
    const { block } = this;
    this.#extents ??= (this.tileable ? extentsOf(this.#graph, this.#analysis, block) : undefined) ?? NONE;
    return this.#extents;
  }

  estimate(cover: Cover): readonly PartCost[] | undefined {
    const footprint = this.#footprintOnce();
    if (footprint === undefined) return undefined;
    const parts: PartCost[] = [];
    for (const rectangle of coverRectangles(cover, footprint.rows, footprint.columns)) {
      if (rectangle === undefined) return undefined;
      parts.push(this.#estimated(footprint, rectangle));
    }
    return parts;
  }

  overlap(arrangement: Arrangement): Overlap | undefined {
    const key = arrangement.join();
    if (!this.#overlaps.has(key)) this.#overlaps.set(key, this.#overlap(evenCover(arrangement)));
    return this.#overlaps.get(key);
  }

  #overlap(cover: Cover): Overlap | undefined {
    const footprint = this.#footprintOnce();
    if (footprint === undefined) return undefined;
    let [work, inputs] = [0, 0];
    for (const rectangle of coverRectangles(cover, footprint.rows, footprint.columns)) {
      if (rectangle === undefined) return undefined;
      work += footprint.work(rectangle);
      inputs += footprint.inputs(rectangle);
    }
    return { work, inputs };
  }

  #footprintOnce(): Footprint | undefined {
    if (this.#footprint === null) {
      const { block } = this;
      this.#footprint = this.tileable ? footprintOf(this.#graph, this.#analysis, block) : undefined;
    }
    return this.#footprint;
  }

  #estimated(footprint: Footprint, rectangle: Rectangle): PartCost {
    const { whole } = this;
    const share = footprint.work(rectangle);
    return {
      work: whole.work,
      share,
      bytesIn: whole.bytesIn * footprint.inputs(rectangle),
      bytesOut: (whole.bytesOut * area(rectangle)) / (footprint.rows * footprint.columns),
      activationBytes: whole.activationBytes * share,
      weightBytes: whole.weightBytes,
    };
  }

  tiles(cover: Cover): readonly PartCost[] | undefined {
    if (!this.tileable) return undefined;
    const key = keyOf(cover);
    if (!this.#covers.has(key)) this.#covers.set(key, this.#tile(cover));
    return this.#covers.get(key);
  }

  reuse(cover: Cover): readonly PartCost[] | undefined {
    if (!this.tileable || this.tiles(cover) === undefined) return undefined;
    const key = keyOf(cover);
    if (!this.#reused.has(key)) this.#reused.set(key, this.#reuse(cover));
    return this.#reused.get(key);
  }

  shards(shares: readonly number[]): readonly PartCost[] | undefined {
    if (this.mostShards < shares.length) return undefined;
    const key = shares.join(' ');
    let parts = this.#shards.get(key);
    if (parts === undefined) {
      parts = this.#shard(shares);
      this.#shards.set(key, parts);
    }
    return parts;
  }

  #tile(cover: Cover): readonly PartCost[] | undefined {
    const covered = this.block.outputs.map((tensor) => {
      const axes = this.#analysis.axes.get(tensor);
      const shape = this.#graph.tensors.get(tensor)?.shape;
      if (axes === undefined || shape === undefined) return undefined;
      const rectangles = coverRectangles(cover, shape[axes.row] as number, shape[axes.column] as number);
      return { tensor, rectangles };
    });
    if (!covered.some((output) => output?.rectangles.every((rectangle) => rectangle !== undefined)))
      return undefined;
    const parts: PartCost[] = [];
    for (let index = 0; index < coverSize(cover); index++) {
      const outputs = new Map<string, Rectangle>();
      let key = '';
      for (const output of covered) {
        if (output === undefined) return undefined;
        const rectangle = output.rectangles[index];
        if (rectangle === undefined) continue;
        outputs.set(output.tensor, rectangle);
        key += `${output.tensor} ${rectangle.rows} ${rectangle.columns};`;
      }
      const part = this.#tiles.get(key) ?? this.#tileCost(outputs);
      if (part === undefined) return undefined;
      this.#tiles.set(key, part);
      parts.push(part);
    }
    return parts;
  }

  #tileCost(outputs: ReadonlyMap<string, Rectangle>): PartCost | undefined {
    const graph = this.#graph;
    const analysis = this.#analysis;
    return unlessRefused(() => {
      const regions = blockRegions(graph, analysis, this.block, outputs);
      return {
        work: tileWork(graph, analysis, this.block, regions),
        ...between(this.#regionBytes(regions.inputs), this.#regionBytes(outputs)),
        activationBytes: tilePeak(graph, analysis, this.block, regions),
        weightBytes: this.whole.weightBytes,
      };
    });
  }

  #reuse(cover: Cover): readonly PartCost[] | undefined {
    const [graph, analysis, block] = [this.#graph, this.#analysis, this.block];
    return unlessRefused(() => {
      return reuseParts(graph, analysis, block, cover).map(({ tile, regions }): PartCost => {
        const moved = between(this.#sizes(tile.inputs), this.#sizes(tile.outputs));
        const strips = [...(moved.reads ?? []), ...(moved.writes ?? [])].filter(({ tensor }) =>
          tile.strips?.has(tensor),
        );
        const after = takenFrom(tile);
        return {
          work: tileWork(graph, analysis, block, regions),
          ...moved,
          // Strips are held beside what they are cut from or joined into.
          activationBytes: tilePeak(graph, analysis, block, regions) + sum(strips),
          weightBytes: this.whole.weightBytes,
          ...(after.length === 0 ? {} : { after }),
        };
      });
    });
  }

  #shard(shares: readonly number[]): readonly PartCost[] {
    const { whole, block } = this;
    return shardBlock(this.#graph, this.#analysis, block, shares).map(({ inputs, outputs }): PartCost => {
      const moved = between(this.#sizes(inputs), this.#sizes(outputs));
      const { bytesIn, bytesOut } = moved;
      const share = bytesOut / whole.bytesOut;
      return {
        work: shardWork(this.#graph, this.#analysis, block, share),
        ...moved,
        activationBytes: Math.ceil(bytesIn + share * Math.max(0, whole.activationBytes - whole.bytesIn)),
        weightBytes: Math.ceil(share * whole.weightBytes),
      };
    });
  }

  #bytes(names: readonly string[]): TensorBytes[] {
    return names.map((tensor) => ({ tensor, bytes: this.#tensorBytes(tensor) }));
  }

  #tensorBytes(name: string): number {
    const info = this.#graph.tensors.get(name);
    return (info?.shape ?? [0]).reduce(
      (product, extent) => product * extent,
      elementBytes(info?.dtype ?? 'float32'),
    );
  }

  #regionBytes(regions: ReadonlyMap<string, Rectangle | undefined>): TensorBytes[] {
    return [...regions].map(([tensor, rectangle]) => {
      const axes = this.#analysis.axes.get(tensor);
      const shape = this.#graph.tensors.get(tensor)?.shape;
      const whole = this.#tensorBytes(tensor);
      if (rectangle === undefined || axes === undefined || shape === undefined)
        return { tensor, bytes: whole };
      const all = (shape[axes.row] as number) * (shape[axes.column] as number);
      return { tensor, bytes: (whole * area(rectangle)) / all };
    });
  }

  #sizes(regions: ReadonlyMap<string, Region>): TensorBytes[] {
    return [...regions].map(([tensor, region]) => ({
      tensor,
      bytes:
        volume(region as readonly Range[]) *
        elementBytes(this.#graph.tensors.get(tensor)?.dtype ?? 'float32'),
    }));
  }
}

/** What is made of a tiling, or undefined where the graph refuses it. */
function unlessRefused<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof TilepipeError && error.code === 'tiling-refused') return undefined;
    throw error;
  }
}

/** The neighbours a tile takes strips from. */
function takenFrom({ index, inputs, strips = new Map() }: Tile): number[] {
  const sides = new Set([...strips].flatMap(([name, { side }]) => (inputs.has(name) ? [side] : [])));
  return [...(sides.has('before') ? [index - 1] : []), ...(sides.has('after') ? [index + 1] : [])];
}

function keyOf(cover: Cover): string {
  return cover.bands.map(({ share, columns }) => `${share}:${columns.join(',')}`).join(';');
}

function between(reads: readonly TensorBytes[], writes: readonly TensorBytes[]) {
  return { bytesIn: sum(reads), bytesOut: sum(writes), reads, writes };
}

function sum(all: readonly TensorBytes[]): number {
  return all.reduce((total, { bytes }) => total + bytes, 0);
}
