/** The plans that are compared with one device alone: what the planner chooses for a cell, or the best of one kind. */

import {
  type PreparableDraft,
  type PreparedPlan,
  prepareDraft,
} from '../../../services/controller/prepare.ts';
import { CodecsRefused } from '../../../services/controller/replan/codec-check.ts';
import type { Fleet } from '../../../services/core/planning/cost/fleet.ts';
import type { Draft, RefusedCodec, Strategy } from '../../../services/core/planning/draft.ts';
import { search, type WireOptions } from '../../../services/core/planning/search/search.ts';
import type { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { asTilepipeError } from '../../../services/core/runtime/errors.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import type { Executor } from '../../../services/worker/executor/executor.ts';
import { CodecBudget } from '../../accuracy/budget.ts';
import { calibrate } from '../../accuracy/calibrate.ts';
import { millicores } from '../../emulate/units.ts';
import { print } from '../../output.ts';
import { tensorsAtCuts, UNMEASURED } from '../../plan/within-budget.ts';
import { emulatedFleet } from '../emulated/fleet.ts';
import { type Cell, CPU, type HubRole, type PlanKind, type Route, type Wire } from './cells.ts';
import type { Form, WireNetwork } from './networks.ts';
import { DEVICES, QUOTA } from './rig.ts';

/** A plan of one cell, before anything of it is written. */
export interface CellDraft {
  readonly form: Form;
  readonly draft: Draft & Pick<PreparableDraft, 'ranges'>;
}

export interface PlansDeps {
  readonly network: WireNetwork;
  readonly profile: Profile;
  /** Of a device under its quota. */
  readonly slowdown: number;
  /** Started; of this machine, not of a device. */
  readonly executor: Executor;
  readonly blobs: BlobCache;
  readonly hub: HubRole;
  readonly route: Route;
}

const STRATEGIES: Readonly<Record<PlanKind, readonly Strategy[]>> = {
  halo: ['halo'],
  merge: ['parallel'],
};
/** Photos that are deflated. */
const DEFLATED = 2;

export class CellPlans {
  readonly #deps: PlansDeps;
  #ratios: ReadonlyMap<string, number> | undefined;
  readonly #budgets = new Map<Form, CodecBudget>();
  /** What loses too much on one link does on another. */
  readonly #refused = new Map<Form, readonly (readonly RefusedCodec[])[]>();

  constructor(deps: PlansDeps) {
    this.#deps = deps;
  }

  fleet(wire: Wire): Fleet {
    return emulatedFleet({
      profile: this.#deps.profile,
      quota: QUOTA,
      devices: DEVICES,
      millicores: millicores(CPU),
      bitsPerSecond: wire.mbit * 1e6,
      shared: wire.shared,
      slowdown: this.#deps.slowdown,
      hubComputes: this.#deps.hub === 'hub-computes',
      // On shared air beside a wired hub the emulation lets what goes from device to device through once, real air twice.
      endpoints: this.#deps.route === 'direct' && wire.shared !== 'devices',
    });
  }

  /** The best plan of a cell, checked on the photos; of one kind where that is asked for. Undefined where it has none. */
  async best(cell: Cell, kind?: PlanKind): Promise<CellDraft | undefined> {
    for (;;) {
      const found = await this.likely(cell, kind);
      if (found === undefined) return undefined;
      const { form, draft } = found;
      try {
        const { ranges } = await this.#budgetOf(form).check(draft);
        return { form, draft: { ...draft, ranges } };
      } catch (error) {
        if (!(error instanceof CodecsRefused)) throw error;
        print(`refused: ${error.message}`);
        this.#refused.set(form, [...(this.#refused.get(form) ?? []), error.refused]);
      }
    }
  }

  /** The fastest over both forms of the input, its codecs those that were not refused so far. */
  async likely({ wire, accuracy }: Cell, kind?: PlanKind): Promise<CellDraft | undefined> {
    const fleet = this.fleet(wire);
    let best: CellDraft | undefined;
    for (const form of this.#deps.network.forms) {
      const { lossy = [] } = accuracy === 'exact' ? {} : UNMEASURED;
      const wire = { lossy, refused: this.#refused.get(form) ?? [], ratios: await this.#deflated(form) };
      const draft = searched(form, fleet, wire, kind);
      if (draft === undefined) continue;
      if (best === undefined || draft.predicted.latencyMs < best.draft.predicted.latencyMs)
        best = { form, draft };
    }
    return best;
  }

  prepare({ form, draft }: CellDraft, pipeline: string): Promise<PreparedPlan> {
    return prepareDraft(form.model, pipeline, draft, this.#deps.blobs);
  }

  #budgetOf(form: Form): CodecBudget {
    const { executor, blobs, network } = this.#deps;
    const { model, samples } = form;
    const known = this.#budgets.get(form);
    if (known !== undefined) return known;
    const made = new CodecBudget({
      executor,
      blobs,
      model,
      samples,
      settings: network.answer,
      budget: network.budget,
    });
    this.#budgets.set(form, made);
    return made;
  }

  /** How many times smaller deflate makes tensors; the same whatever the input is given as. */
  async #deflated({ space, model, samples }: Form): Promise<ReadonlyMap<string, number>> {
    if (this.#ratios === undefined) {
      const { executor, blobs } = this.#deps;
      const few = samples.slice(0, DEFLATED);
      const tensors = tensorsAtCuts(space);
      ({ ratios: this.#ratios } = await calibrate({ executor, blobs }, model.graph, tensors, few, {
        ratios: true,
      }));
    }
    return this.#ratios;
  }
}

/** Undefined where there is no plan of that kind. */
function searched(
  { space }: Form,
  fleet: Fleet,
  wire: WireOptions,
  kind: PlanKind | undefined,
): Draft | undefined {
  const strategies = kind === undefined ? {} : { strategies: STRATEGIES[kind] };
  try {
    return search(space, fleet, { objective: 'latency', wire, ...strategies }).best;
  } catch (error) {
    if (asTilepipeError(error).code === 'plan-impossible') return undefined;
    throw error;
  }
}

/** What a plan is, for people: how its inputs come, its blocks, and how tensors travel. */
export function describePlan({ plan }: Pick<PreparedPlan, 'plan'>): string {
  const blocks = plan.blocks.map(({ id, kind, nodes }) => {
    const tasks = plan.tasks.filter((task) => task.kind === 'run' && task.block === id);
    const kept = tasks.some(({ gather }) => gather === 'worker') ? ' kept' : '';
    return `${nodes} nodes ${kind === 'whole' ? 'whole' : `as ${tasks.length} ${kind}s${kept}`}`;
  });
  return `${planMode(plan)}: ${blocks.join(', ')}; ${codecsText(plan)}`;
}

/** How devices work together. */
export function planMode(plan: PreparedPlan['plan']): string {
  const runs = plan.tasks.filter(({ kind }) => kind === 'run');
  if (runs.some(({ gather }) => gather === 'worker')) return 'halo';
  if (runs.some(({ shape }) => shape !== 'whole')) return 'merge';
  return plan.blocks.length === 1 ? 'one device' : 'pipeline';
}

function codecsText({ transfers, tensors }: PreparedPlan['plan']): string {
  const counts = new Map<string, number>();
  for (const { tensor, codec = 'raw' } of transfers) {
    const inGraph = tensors[tensor]?.codec?.codec;
    const name = inGraph === undefined ? codec : `${inGraph} ${codec === 'raw' ? '' : codec}`.trim();
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return `transfers ${[...counts].map(([name, count]) => `${count} ${name}`).join(', ')}`;
}
