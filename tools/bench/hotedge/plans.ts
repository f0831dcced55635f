/** The plans that are compared: those of HotEdge'19, made by hand, and the one the search finds for the same devices. */

import { type OpenedModel, type PreparedPlan, prepareDraft } from '../../../services/controller/prepare.ts';
import type { Fleet } from '../../../services/core/planning/cost/fleet.ts';
import type { Draft } from '../../../services/core/planning/draft.ts';
import { draftOf, type FixedPlan } from '../../../services/core/planning/search/fixed.ts';
import { type SearchSpace, search } from '../../../services/core/planning/search/search.ts';
import type { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { gridCover } from '../../../services/core/tiling/cover.ts';
import { DEVICES } from './rig.ts';

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

/** A plan that was made for one cell. */
export interface CellPlan {
  /** As it is called in tables. */
  readonly plan: string;
  /** Milliseconds of a frame. */
  readonly predictedMs: number;
  readonly strategy: string;
  readonly prepared: PreparedPlan;
}

export interface PlanDeps {
  readonly model: OpenedModel;
  readonly space: SearchSpace;
  readonly blobs: BlobCache;
}

/** The paper's two plans, ours with the hub computing too, and ours without. `fleet` has the hub as a device. */
export async function plansFor(deps: PlanDeps, fleet: Fleet, cell: string): Promise<CellPlan[]> {
  const { space } = deps;
  const apart = { ...fleet, devices: fleet.devices.filter(({ medium }) => medium !== undefined) };
  const latency = { objective: 'latency' } as const;
  const drafts: [string, Draft][] = [
    ['pipeline', draftOf(space, fleet, PIPELINE)],
    ['parallel', draftOf(space, fleet, PARALLEL)],
    ['ours', search(space, fleet, latency).best],
    ['ours, hub idle', search(space, apart, latency).best],
  ];
  const plans: CellPlan[] = [];
  for (const [plan, draft] of drafts) {
    const pipeline = `${plan.replaceAll(/[^a-z]+/g, '-')}-${cell}`;
    const prepared = await prepareDraft(deps.model, pipeline, draft, deps.blobs);
    const { predicted, strategy } = draft;
    plans.push({ plan, predictedMs: predicted.latencyMs, strategy, prepared });
  }
  return plans;
}
