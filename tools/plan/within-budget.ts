/** Plans whose codecs change values: what they lose is measured on sample frames, and less of them used until it is little enough. */

import type { OpenedModel } from '../../services/controller/prepare.ts';
import { CodecsRefused } from '../../services/controller/replan/codec-check.ts';
import type { Wanted } from '../../services/core/planning/advise/alternatives.ts';
import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import { type SearchSpace, search, type WireOptions } from '../../services/core/planning/search/search.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { cacheFolder } from '../../services/core/runtime/paths.ts';
import type { CodecLoss } from '../../services/core/schema/generated/announcement.ts';
import { type AccuracyBudget, CodecBudget } from '../accuracy/budget.ts';
import { calibrate } from '../accuracy/calibrate.ts';
import { readSamples, samplePictures } from '../accuracy/samples.ts';
import { withExecutor } from '../executor.ts';
import { modelSettings } from '../settings.ts';

export interface BudgetInput {
  readonly model: OpenedModel;
  readonly space: SearchSpace;
  readonly fleet: Fleet;
  readonly wanted: Wanted;
  /** Folder of pictures. */
  readonly samples: string;
  readonly lossy: boolean;
  readonly budget: AccuracyBudget;
  readonly progress: (text: string) => void;
}

/** What was measured of the codecs of a plan. */
export interface MeasuredLoss extends CodecLoss {
  /** Codecs that were tried and lost too much, with what. */
  readonly refused: readonly string[];
}

/** How tensors may travel before anything is measured and refused. */
export const UNMEASURED: WireOptions = { lossy: ['fp16', 'uint8', 'jpeg'] };
/** Samples that are deflated: the ratio hardly differs between them. */
const MOST_DEFLATED = 4;

/** How the plan's tensors may travel, and what that loses. Throws `config-invalid` where samples cannot be read. */
export async function withinBudget(input: BudgetInput): Promise<{ wire: WireOptions; loss: MeasuredLoss }> {
  const { model, space, fleet, wanted, lossy, budget, progress } = input;
  const { settings } = modelSettings(model);
  const samples = await readSamples(model, settings, await samplePictures(input.samples));
  const blobs = new BlobCache({ folder: cacheFolder('blobs') });
  return withExecutor(async (executor) => {
    progress('deflating sample frames');
    const deps = { executor, blobs };
    const few = samples.slice(0, MOST_DEFLATED);
    const { ratios } = await calibrate(deps, model.graph, tensorsAtCuts(space), few, { ratios: true });
    const reasons: string[] = [];
    const checked = new CodecBudget({ ...deps, model, samples, settings, budget, progress });
    let wire: WireOptions = { ...(lossy ? UNMEASURED : {}), ratios };
    for (;;) {
      const { best } = search(space, fleet, { ...wanted, wire });
      try {
        const { loss = { samples: samples.length, relativeRms: 0 } } = await checked.check(best);
        return { wire, loss: { ...loss, refused: reasons } };
      } catch (error) {
        if (!(error instanceof CodecsRefused)) throw error;
        reasons.push(error.message);
        // Every refusal is of a codec the plan had, so that there is an end to them.
        wire = { ...wire, refused: [...(wire.refused ?? []), error.refused] };
      }
    }
  });
}

/** Tensors that may travel between blocks, whatever the plan. */
export function tensorsAtCuts(space: SearchSpace): string[] {
  const found = new Set<string>();
  for (let at = 0; at < space.end; at++)
    for (const name of space.span(at, at + 1)?.block.outputs ?? []) found.add(name);
  for (const { name } of space.graph.outputs) found.delete(name);
  return [...found];
}
