/** A space whose tensors travel in another form: the same cuts and spans, with other bytes, and the work of coding. */

import type { Graph } from '../../graph/types.ts';
import type { Analysis } from '../../tiling/analyse.ts';
import type { Cover, FusedBlock } from '../../tiling/types.ts';
import { isPictureCodec } from '../../wire/codecs.ts';
import { sumWork, type Work } from '../cost/work.ts';
import type { CutCodec } from '../draft.ts';
import type { Arrangement } from './covers.ts';
import type { Line } from './positions.ts';
import type { SearchSpace } from './space.ts';
import type { Overlap, PartCost, Span, TensorBytes } from './span.ts';
import { type CutFacts, isWorked, RAW_FORM, sentBytes, type WireForm } from './wire-form.ts';

const spaces = new WeakMap<SearchSpace, Map<string, SearchSpace>>();

/** The space in a form; the same for every search that asks again. */
export function codedSpace(space: SearchSpace, facts: CutFacts, form: WireForm): SearchSpace {
  if (form.key === RAW_FORM.key) return space;
  const known = spaces.get(space) ?? new Map<string, SearchSpace>();
  spaces.set(space, known);
  const key = `${facts.key} ${form.key}`;
  const coded = known.get(key) ?? new CodedSpace(space, form);
  known.set(key, coded);
  return coded;
}

class CodedSpace implements SearchSpace {
  readonly graph: Graph;
  readonly analysis: Analysis;
  readonly line: Line;
  readonly end: number;
  readonly #of: SearchSpace;
  readonly #form: WireForm;
  readonly #spans = new Map<Span, Span>();

  constructor(of: SearchSpace, form: WireForm) {
    this.#of = of;
    this.#form = form;
    this.graph = of.graph;
    this.analysis = of.analysis;
    this.line = of.line;
    this.end = of.end;
  }

  span(from: number, to: number): Span | undefined {
    const plain = this.#of.span(from, to);
    if (plain === undefined) return undefined;
    let coded = this.#spans.get(plain);
    if (coded === undefined) {
      coded = new CodedSpan(plain, this.#form);
      this.#spans.set(plain, coded);
    }
    return coded;
  }
}

class CodedSpan implements Span {
  readonly block: FusedBlock;
  readonly from: number;
  readonly to: number;
  readonly tileable: boolean;
  readonly mostShards: number;
  readonly #plain: Span;
  readonly #form: WireForm;
  readonly #coded = new WeakMap<PartCost, PartCost>();
  #whole: PartCost | undefined;

  constructor(plain: Span, form: WireForm) {
    this.#plain = plain;
    this.#form = form;
    this.block = plain.block;
    this.from = plain.from;
    this.to = plain.to;
    this.tileable = plain.tileable;
    this.mostShards = plain.mostShards;
  }

  get whole(): PartCost {
    this.#whole ??= this.#code(this.#plain.whole);
    return this.#whole;
  }

  get extents() {
    return this.#plain.extents;
  }

  overlap(arrangement: Arrangement): Overlap | undefined {
    return this.#plain.overlap(arrangement);
  }

  estimate(cover: Cover): readonly PartCost[] | undefined {
    const { whole } = this;
    const plain = this.#plain.whole;
    const [into, out] = [whole.bytesIn / plain.bytesIn, whole.bytesOut / plain.bytesOut];
    return this.#plain.estimate(cover)?.map((part): PartCost => {
      const { bytesIn, bytesOut } = part;
      return {
        ...part,
        work: whole.work,
        bytesIn: bytesIn * into,
        bytesOut: bytesOut * out,
        packedIn: ((whole.packedIn ?? 0) * bytesIn) / plain.bytesIn,
        packedOut: ((whole.packedOut ?? 0) * bytesOut) / plain.bytesOut,
      };
    });
  }

  tiles(cover: Cover): readonly PartCost[] | undefined {
    return this.#plain.tiles(cover)?.map((part) => this.#code(part));
  }

  /** Strips are cut from tensors as the graph has them: tiles that hand them on have no codec at their ends. */
  reuse(cover: Cover): readonly PartCost[] | undefined {
    const { inputs, outputs } = this.block;
    if ([...inputs, ...outputs].some((name) => this.#form.of(name).codec !== 'raw')) return undefined;
    return this.#plain.reuse(cover)?.map((part) => this.#code(part));
  }

  shards(shares: readonly number[]): readonly PartCost[] | undefined {
    return this.#plain.shards(shares)?.map((part) => this.#code(part));
  }

  #code(part: PartCost): PartCost {
    let coded = this.#coded.get(part);
    if (coded === undefined) {
      coded = codedCost(part, this.#form);
      this.#coded.set(part, coded);
    }
    return coded;
  }
}

const plains = new WeakMap<PartCost, PartCost>();

/** A part in a form, whatever form it is given in. */
export function codedCost(given: PartCost, form: WireForm): PartCost {
  const part = plains.get(given) ?? given;
  const { reads = [], writes = [] } = part;
  const [into, out] = [sideOf(reads, form, false), sideOf(writes, form, true)];
  if (!into.changed && !out.changed) return part;
  const casts = [...into.work, ...out.work];
  const coded: PartCost = {
    ...part,
    work: casts.length === 0 ? part.work : sumWork([part.work, casts]),
    bytesIn: into.bytes,
    bytesOut: out.bytes,
    packedIn: into.packed,
    packedOut: out.packed,
    activationBytes: part.activationBytes + into.beside + out.beside,
    ...(reads.some(({ tensor }) => isPictureCodec(form.of(tensor).wire)) ? { pictures: true as const } : {}),
  };
  plains.set(coded, part);
  return coded;
}

interface Side {
  readonly bytes: number;
  readonly packed: number;
  /** The short form of tensors, which stands beside the long one in memory. */
  readonly beside: number;
  readonly work: Work;
  readonly changed: boolean;
}

function sideOf(all: readonly TensorBytes[], form: WireForm, writes: boolean): Side {
  let [bytes, packed, beside, changed] = [0, 0, 0, false];
  const work: Work[number][] = [];
  for (const { tensor, bytes: plain } of all) {
    const own = form.of(tensor);
    const sent = sentBytes(own, plain, writes);
    bytes += sent.bytes;
    packed += sent.packed;
    if (own.codec !== 'raw') {
      beside += plain * own.coded;
      work.push(casts(own.codec, plain, writes, own.sparse));
    }
    changed ||= isWorked(own) || own.codec !== 'raw' || own.wire !== undefined;
  }
  return { bytes, packed, beside, work, changed };
}

/** Passes over a tensor by the nodes of graph/cut-codecs.ts: how many, and the bytes they read and write for each of it. */
const PASSES = {
  fp16: { writes: [1, 1.5], reads: [1, 1.5] },
  /** Mul, Add, Clip, Cast; Cast, Mul, and Sub where zero is not the least value. */
  uint8: { writes: [4, 7.25], reads: [2, 3.25] },
} as const;
const SUBTRACT = [1, 2] as const;

function casts(
  codec: Exclude<CutCodec, 'raw'>,
  bytes: number,
  writes: boolean,
  isSparse: boolean,
): Work[number] {
  const [runs, moved] = PASSES[codec][writes ? 'writes' : 'reads'];
  const [more, further] = codec === 'uint8' && !writes && !isSparse ? SUBTRACT : [0, 0];
  return { kind: 'pointwise', runs: runs + more, macs: 0, bytes: bytes * (moved + further), weights: 0 };
}
