/** The plans that are compared: those of HotEdge'19, made by hand, and those the search finds for the same devices. */

import { type OpenedModel, openAnalysed, prepareDraft } from '../../../services/controller/prepare.ts';
import type { Fleet } from '../../../services/core/planning/cost/fleet.ts';
import type { Draft } from '../../../services/core/planning/draft.ts';
import { draftOf, type FixedPlan } from '../../../services/core/planning/search/fixed.ts';
import { openSpace, type SearchSpace, search } from '../../../services/core/planning/search/search.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import { gridCover } from '../../../services/core/tiling/cover.ts';
import type { Settings } from '../../../services/core/vision/settings.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { modelSettings } from '../../settings.ts';
import type { BenchNetwork } from '../emulated/network.ts';
import { DEVICES, type Framed, type HotEdgeRig } from './rig.ts';

/** After the pools that follow convolutions 7, 10 and 13 of VGG-16. */
const PAPER_CUTS = ['pool3', 'pool4', 'pool5'] as const;

/** Each block on a device of its own, the fully connected layers on the fourth. */
const PIPELINE: FixedPlan = { cuts: PAPER_CUTS, devices: DEVICES.map((device) => [device]) };

/** Each block as 2 x 2 tiles on four devices, the fully connected layers whole on the first. */
const PARALLEL: FixedPlan = {
  cuts: PAPER_CUTS,
  covers: [gridCover(2, 2), gridCover(2, 2), gridCover(2, 2), undefined],
  devices: [...DEVICES],
};

/** The model with one kind of input: normalised numbers, or the pixels they are made of. */
export interface Form {
  readonly kind: 'numbers' | 'pixels';
  readonly model: OpenedModel;
  readonly space: SearchSpace;
  readonly settings: Settings;
  readonly inputs: readonly TensorData[];
}

export interface Forms {
  readonly numbers: Form;
  readonly pixels: Form;
}

export async function formsOf(network: BenchNetwork): Promise<Forms> {
  const numbers = await openAnalysed(network.file, {});
  return {
    numbers: {
      kind: 'numbers',
      model: numbers,
      space: openSpace(numbers.graph, numbers.analysis),
      settings: modelSettings(numbers, { answer: { task: 'tensors' } }).settings,
      inputs: network.bareInputs,
    },
    pixels: { kind: 'pixels', ...network },
  };
}

/** A plan of one cell, before anything of it is written. */
export interface CellDraft {
  /** As it is called in tables. */
  readonly plan: string;
  readonly form: Form;
  readonly draft: Draft;
}

/** The papers' two plans, as they are called in tables. */
const PAPERS: Readonly<Record<string, FixedPlan>> = { pipeline: PIPELINE, parallel: PARALLEL };

export function isPapers({ plan }: CellDraft): boolean {
  return plan in PAPERS;
}

export function paperDrafts({ numbers }: Forms, fleet: Fleet): CellDraft[] {
  return Object.entries(PAPERS).map(([plan, fixed]) => {
    return { plan, form: numbers, draft: draftOf(numbers.space, fleet, fixed) };
  });
}

const HUB_IDLE = 'ours, hub idle';
const NUMBERS_IN = 'ours, numbers in';
/** Plans that are there for comparison with ours only. */
export const ASIDE: ReadonlySet<string> = new Set([HUB_IDLE, NUMBERS_IN]);

/**
 * The best plan with the hub computing too, and without. `fleet` has the hub as a device. Where pixels are the better
 * input, the best plan with numbers is there as well, for comparison.
 */
export function ourDrafts(forms: Forms, fleet: Fleet): CellDraft[] {
  const apart = { ...fleet, devices: fleet.devices.filter(({ medium }) => medium !== undefined) };
  const best = (form: Form, on: Fleet): CellDraft => ({
    plan: 'ours',
    form,
    draft: search(form.space, on, { objective: 'latency' }).best,
  });
  const ours = sooner(best(forms.numbers, fleet), best(forms.pixels, fleet));
  const alone = sooner(best(forms.numbers, apart), best(forms.pixels, apart));
  return [
    ours,
    { ...alone, plan: HUB_IDLE },
    ...(ours.form.kind === 'pixels' ? [{ ...best(forms.numbers, fleet), plan: NUMBERS_IN }] : []),
  ];
}

/** The first where they are equal. */
function sooner(first: CellDraft, second: CellDraft): CellDraft {
  return second.draft.predicted.latencyMs < first.draft.predicted.latencyMs ? second : first;
}

/** Writes plans and rolls them out as pipelines; one that a rig has already is the same pipeline again. */
export class WrittenPlans {
  readonly #blobs = new BlobCache({ folder: cacheFolder('blobs') });
  readonly #known = new Map<HotEdgeRig, Map<string, Framed>>();

  async rollOut(rig: HotEdgeRig, { plan, form, draft }: CellDraft): Promise<Framed> {
    const known = this.#known.get(rig) ?? new Map<string, Framed>();
    this.#known.set(rig, known);
    const key = signature(form, draft);
    const there = known.get(key);
    if (there !== undefined) return there;
    const pipeline = `${plan.replaceAll(/[^a-z]+/g, '-')}-${known.size + 1}`;
    const prepared = await prepareDraft(form.model, pipeline, draft, this.#blobs);
    const framed = { prepared, settings: form.settings, inputs: form.inputs };
    await rig.rollOut(framed);
    known.set(key, framed);
    return framed;
  }
}

/** The same for drafts that run the same, whatever is expected of them. */
function signature({ kind }: Form, { blocks, codecs, packed }: Draft): string {
  const parts = blocks.map(({ block, mode, parts: own }) => [
    mode,
    block.nodes.map(({ index }) => index),
    own.map(({ tile, devices }) => [devices, [...tile.inputs], [...tile.outputs]]),
  ]);
  return JSON.stringify([kind, parts, codecs, packed]);
}
