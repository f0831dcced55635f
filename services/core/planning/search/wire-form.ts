/**
 * How a plan's cut tensors travel: for each a codec, and whether it is deflated on top. Decided per tensor, whatever
 * blocks it joins, so that all its readers agree.
 */

import { codecRefusal } from '../../graph/cut-codecs.ts';
import type { Graph } from '../../graph/types.ts';
import { elementBytes } from '../../tensor/dtype.ts';
import { isPictureCodec, type PictureCodec } from '../../wire/codecs.ts';
import { pictureLayout } from '../../wire/picture.ts';
import { hubDeflate } from '../cost/deflate.ts';
import { type CutCodec, codecBytes, type LossyCodec, type RefusedCodec, type WireCodec } from '../draft.ts';
import type { FleetView } from './fleet-view.ts';

/** What may be done to tensors on their way. */
export interface WireOptions {
  /** Codecs that change values, `jpeg` for pictures as they enter; none: the plan is exact. */
  readonly lossy?: readonly LossyCodec[];
  /** What sample frames have refused, look by look; a codec that look after look refuses somewhere is refused everywhere. */
  readonly refused?: readonly (readonly RefusedCodec[])[];
  /** How many times smaller deflate was seen to make a tensor, by name; others are guessed by what makes them. */
  readonly ratios?: ReadonlyMap<string, number>;
}

/** How one tensor travels. */
export interface TensorForm {
  readonly codec: CutCodec;
  readonly packed: boolean;
  /** Bytes by the codec, and bytes on the wire, for each byte of the tensor as the graph has it. */
  readonly coded: number;
  readonly moved: number;
  /** Its negative values have become zeros. */
  readonly sparse: boolean;
  /** Written in messages by who sends it, and by no sub-model. */
  readonly wire?: WireCodec;
  /** As `moved`, where the splitter or the merger sends it; absent: the same. */
  readonly entering?: number;
}

/** Whether it is deflated or made a picture of: a pass over its bytes that takes time. */
export function isWorked({ packed, wire }: TensorForm): boolean {
  return packed || isPictureCodec(wire);
}

/** Bytes of so many of a tensor on their way, sent by who `made` them or else by the splitter or the merger. */
export function sentBytes(form: TensorForm, plain: number, made: boolean) {
  const { coded, moved, entering } = form;
  const bytes = plain * (made ? moved : (entering ?? moved));
  // What the merger sends on as it was made has no pass over it.
  return { bytes, packed: isWorked(form) && (made || entering === undefined) ? plain * coded : 0 };
}

/** The form of every tensor of a plan. */
export interface WireForm {
  /** Equal for equal forms of the same graph. */
  readonly key: string;
  of(tensor: string): TensorForm;
}

const PLAIN: TensorForm = { codec: 'raw', packed: false, coded: 1, moved: 1, sparse: false };
export const RAW_FORM: WireForm = { key: 'raw', of: () => PLAIN };

/** Maps whose negative values are zeros: measured at cuts of VGG-16, deflated or by lz4. */
const SPARSE_RATIO = 1.45;
/** Quarters of 21 photographs at 224 x 224 pixels; at 416 x 416 they are half as much again. */
const PICTURE_RATIO = { png: 1.95, webp: 2.55, jpeg: 5.8 } as const;
/** Ratios below this are not worth a pass over the bytes. */
const LEAST_RATIO = 1.05;
/** So many looks at sample frames that refuse a codec somewhere refuse it everywhere: each takes seconds to minutes. */
const MOST_LOOKS = 8;
/** Zeros stay zeros, and next to one another. */
const KEEPS_ZEROS: ReadonlySet<string> = new Set(
  'MaxPool Concat Dropout Identity Reshape Flatten Squeeze Unsqueeze Slice Split'.split(' '),
);

/** What is known of the tensors of a graph. */
export class CutFacts {
  /** Equal for equal ratios and refusals. */
  readonly key: string;
  readonly #graph: Graph;
  readonly #ratios: ReadonlyMap<string, number>;
  readonly #refused: ReadonlySet<string>;
  readonly #hopeless: ReadonlySet<string>;
  readonly #ends: ReadonlySet<string>;
  readonly #known = new Map<string, number>();

  constructor(graph: Graph, { ratios = new Map(), refused = [] }: Omit<WireOptions, 'lossy'> = {}) {
    this.#graph = graph;
    this.#ratios = ratios;
    const all = refused.flat();
    this.#refused = new Set(all.map(({ tensor, codec }) => `${codec} ${tensor}`));
    const looks = (codec: string) =>
      refused.filter((look) => look.some((each) => each.codec === codec)).length;
    this.#hopeless = new Set(all.map(({ codec }) => codec).filter((codec) => looks(codec) >= MOST_LOOKS));
    this.key = JSON.stringify([...ratios, ...this.#refused, ...this.#hopeless]);
    this.#ends = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name));
  }

  /** A tensor in a form, or as it is where it cannot have it. */
  form(tensor: string, wanted: CutCodec, packed: boolean): TensorForm {
    const refused =
      this.#isRefused(tensor, wanted) || codecRefusal(this.#graph, tensor, wanted) !== undefined;
    const codec = refused ? 'raw' : wanted;
    const element = elementBytes(this.#graph.tensors.get(tensor)?.dtype ?? 'float32');
    const coded = codecBytes(codec, element) / element;
    const ratio = packed ? this.#ratio(tensor) : 1;
    return { codec, packed: ratio > 1, coded, moved: coded / ratio, sparse: this.#isSparse(tensor) };
  }

  /**
   * A tensor as messages carry it; as it is where it cannot be so. Sent on by the merger it is as it was made, or deflated.
   */
  sent(tensor: string, wire: 'fp16' | 'uint8' | undefined, packed: boolean): TensorForm {
    const info = this.#graph.tensors.get(tensor);
    const form = this.form(tensor, 'raw', packed);
    // What the network is given or answers is nobody's to change.
    if (wire === undefined || info?.dtype !== 'float32' || this.#ends.has(tensor)) return form;
    if (this.#isRefused(tensor, wire)) return form;
    const coded = wire === 'fp16' ? 1 / 2 : 1 / 4;
    return { ...form, coded, moved: (form.moved * coded) / form.coded, wire, entering: 1 };
  }

  /** A picture the network is given, as one; undefined where it is none, of floating point, or too large. */
  picture(tensor: string, wire: PictureCodec): TensorForm | undefined {
    const { dtype, shape = [] } = this.#graph.tensors.get(tensor) ?? {};
    const given = this.#graph.inputs.some(({ name }) => name === tensor);
    const isPicture = dtype === 'uint8' && shape.length === 4 && pictureLayout(shape, wire) !== undefined;
    if (!given || !isPicture || this.#isRefused(tensor, wire)) return undefined;
    return { codec: 'raw', packed: false, coded: 1, moved: 1 / PICTURE_RATIO[wire], sparse: false, wire };
  }

  #isRefused(tensor: string, codec: string): boolean {
    return this.#hopeless.has(codec) || this.#refused.has(`${codec} ${tensor}`);
  }

  /** How many times smaller deflate makes it; 1 where that is not worth it. */
  #ratio(tensor: string): number {
    if (this.#ends.has(tensor)) return 1;
    const measured = this.#ratios.get(tensor);
    if (measured !== undefined) return measured < LEAST_RATIO ? 1 : measured;
    return this.#isSparse(tensor) ? SPARSE_RATIO : 1;
  }

  /** Whether its negative values have become zeros. */
  #isSparse(tensor: string): boolean {
    const known = this.#known.get(tensor);
    if (known !== undefined) return known === 1;
    this.#known.set(tensor, 0);
    const node = this.#graph.producers.get(tensor);
    const data = node?.op === 'Concat' ? node.inputs : (node?.inputs.slice(0, 1) ?? []);
    const sparse =
      node?.op === 'Relu' ||
      (node !== undefined && KEEPS_ZEROS.has(node.op) && data.every((name) => this.#isSparse(name)));
    this.#known.set(tensor, sparse ? 1 : 0);
    return sparse;
  }
}

/** One form for all tensors alike: those that cannot have it travel as they are. */
export function uniformForm(facts: CutFacts, codec: CutCodec, packed: boolean): WireForm {
  const known = new Map<string, TensorForm>();
  return {
    key: `${codec}${packed ? ' packed' : ''}`,
    of(tensor) {
      let form = known.get(tensor);
      if (form === undefined) {
        form = facts.form(tensor, codec, packed);
        known.set(tensor, form);
      }
      return form;
    },
  };
}

/** The same but for one tensor. */
export function changedForm(form: WireForm, tensor: string, to: TensorForm): WireForm {
  return {
    key: `${form.key}; ${tensor} ${nameOf(to)}`,
    of: (name) => (name === tensor ? to : form.of(name)),
  };
}

function nameOf({ codec, wire, packed }: TensorForm): string {
  return `${wire ?? codec}${packed ? ' packed' : ''}`;
}

/** Whether two are the same on the wire. */
export function isSameForm(a: TensorForm, b: TensorForm): boolean {
  return nameOf(a) === nameOf(b);
}

/**
 * The forms a search compares, the plainest first. Deflating is left out where every medium carries a byte faster than
 * the hub deflates it: then the hub is what everything waits for, and has more to do.
 */
export function formsFor(view: FleetView, facts: CutFacts, { lossy = [] }: WireOptions): WireForm[] {
  const codecs: readonly CutCodec[] = ['raw', ...lossy.filter((codec) => codec !== 'jpeg')];
  const forms = codecs.map((codec) => (codec === 'raw' ? RAW_FORM : uniformForm(facts, codec, false)));
  if (!mayPack(view) || !isKnown(view, 'deflate')) return forms;
  return [...forms, ...codecs.map((codec) => uniformForm(facts, codec, true))];
}

/** Whether every worker reads and writes a codec of messages. */
export function isKnown({ fleet }: FleetView, codec: string): boolean {
  return fleet.devices.every(({ codecs }) => codecs?.includes(codec) ?? true);
}

/** Whether some medium is slower than the hub deflates. */
export function mayPack({ fleet: { hub }, members }: FleetView): boolean {
  const { deflateMs } = hubDeflate(hub);
  return members.some(({ down, up }) => [...down, ...up].some(({ msPerByte }) => msPerByte > deflateMs));
}
