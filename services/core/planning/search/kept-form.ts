/**
 * How the tensors of plans with kept tiles may travel: written by who sends a piece, read by who gets it, the sub-models
 * being those of the uncut model. A strip has a range of its own, and what a tile keeps is not touched.
 */

import { deflatedCodec, type PictureCodec } from '../../wire/codecs.ts';
import type { FleetView } from './fleet-view.ts';
import {
  type CutFacts,
  isKnown,
  mayPack,
  RAW_FORM,
  type TensorForm,
  type WireForm,
  type WireOptions,
} from './wire-form.ts';

/** One codec for what is made, one for pictures that are given. */
interface Kind {
  readonly key: string;
  readonly made: 'fp16' | 'uint8' | undefined;
  readonly packed: boolean;
  /** The smallest first: a tensor may have to do without some. */
  readonly pictures: readonly PictureCodec[];
}

/** That change no value, the smaller first. */
const EXACT_PICTURES = ['webp', 'png'] as const;

/** The forms compared, the plainest first: none that a device does not know, and no deflating where links are as fast. */
export function keptFormsFor(view: FleetView, facts: CutFacts, { lossy = [] }: WireOptions): WireForm[] {
  const may = lossy.filter((codec) => isKnown(view, codec));
  const packs = mayPack(view);
  const packed = packs && isKnown(view, 'deflate');
  const exact = packs ? EXACT_PICTURES.filter((codec) => isKnown(view, codec)) : [];
  const pictures = packs && may.includes('jpeg') ? (['jpeg', ...exact] as const) : exact;
  const kinds: Kind[] = [];
  if (packed || exact.length > 0) kinds.push({ key: 'packed', made: undefined, packed, pictures: exact });
  for (const made of ['fp16', 'uint8'] as const)
    if (may.includes(made))
      kinds.push({ key: made, made, packed: packed && isKnown(view, deflatedCodec(made)), pictures });
  return [RAW_FORM, ...kinds.map((kind) => formOf(facts, kind))];
}

function formOf(facts: CutFacts, { key, made, packed, pictures }: Kind): WireForm {
  const known = new Map<string, TensorForm>();
  return {
    key: `sent ${key}`,
    of(tensor) {
      let form = known.get(tensor);
      if (form === undefined) {
        const asPictures = pictures.map((picture) => facts.picture(tensor, picture));
        form = asPictures.find((each) => each !== undefined) ?? facts.sent(tensor, made, packed);
        known.set(tensor, form);
      }
      return form;
    },
  };
}
