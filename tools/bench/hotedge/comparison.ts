/** Equal devices: all plans of a cell in turns, and what each of them took. */

import type { Fleet } from '../../../services/core/planning/cost/fleet.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { bitRate, millicores } from '../../emulate/units.ts';
import { print, table } from '../../output.ts';
import { emulatedFleet } from '../emulated/fleet.ts';
import { intervalText, medianInterval } from '../emulated/interval.ts';
import { planText } from '../emulated/plan-text.ts';
import { rounded } from '../report.ts';
import { type Cell, runsBeside } from './cells.ts';
import {
  ASIDE,
  type CellDraft,
  type Forms,
  isPapers,
  ourDrafts,
  paperDrafts,
  type WrittenPlans,
} from './plans.ts';
import { blocksText, DEVICES, type Framed, type HotEdgeRig, type PlanRun } from './rig.ts';
import type { CellResult } from './targets.ts';

/** Share of a processor that the profile is given for. */
export const QUOTA = 0.25;

/** Runs of plans that are there for comparison with ours only. */
const MOST_ASIDE = 10;

/** A plan of a cell that was rolled out. */
interface CellPlan extends CellDraft, Framed {}

export interface Rigs {
  /** Runs everything but what `beside` does. */
  readonly rig: HotEdgeRig;
  /** Run the papers' plans on slow links, by share of a processor, for which nobody else waits. */
  readonly beside: ReadonlyMap<string, HotEdgeRig>;
}

export interface ComparisonDeps extends Rigs {
  readonly forms: Forms;
  readonly written: WrittenPlans;
  readonly profile: Profile;
}

export class Comparison {
  readonly #deps: ComparisonDeps;
  readonly #plans = new Map<Cell, CellPlan[]>();

  constructor(deps: ComparisonDeps) {
    this.#deps = deps;
  }

  /** Rolls out all plans of all cells, unlimited. */
  async prepare(cells: readonly Cell[]): Promise<void> {
    const { forms, written } = this.#deps;
    for (const cell of cells) {
      const fleet = this.#fleet(cell);
      const plans: CellPlan[] = [];
      for (const drafted of [...paperDrafts(forms, fleet), ...ourDrafts(forms, fleet)]) {
        const framed = await written.rollOut(this.#rigOf(cell, drafted), drafted);
        plans.push({ ...drafted, ...framed });
      }
      this.#plans.set(cell, plans);
    }
  }

  /** Every plan but those that run beside, in turns with all-in-one. */
  async measure(cell: Cell, repetitions: number): Promise<CellResult[]> {
    const { rig } = this.#deps;
    const plans = this.#of(cell).filter((plan) => this.#rigOf(cell, plan) === rig);
    rig.limit(millicores(cell.cpu), bitRate(cell.link));
    // Uncounted: whoever waits for answers learns how long they take here.
    for (const { prepared, inputs } of plans) await rig.frame(prepared.plan.pipeline, inputs);
    const bare: number[] = [];
    const runs = new Map<CellPlan, PlanRun[]>(plans.map((plan) => [plan, []]));
    for (let done = 0; done < repetitions; done++) {
      bare.push(await rig.bare());
      for (const [plan, own] of runs)
        if (done < MOST_ASIDE || !ASIDE.has(plan.plan))
          own.push(await rig.frame(plan.prepared.plan.pipeline, plan.inputs));
    }
    return [resultOf(cell, 'all-in-one', bare), ...show(cell, runs)];
  }

  /** The papers' plans of a slow link; the first frame counts. */
  async measureBeside(cell: Cell, repetitions: number): Promise<CellResult[]> {
    const beside = this.#deps.beside.get(cell.cpu);
    if (beside === undefined) throw new Error(`there are no devices of ${cell.cpu}`);
    const plans = this.#of(cell).filter((plan) => this.#rigOf(cell, plan) === beside);
    beside.limit(millicores(cell.cpu), bitRate(cell.link));
    const runs = new Map<CellPlan, PlanRun[]>(plans.map((plan) => [plan, []]));
    for (let done = 0; done < repetitions; done++)
      for (const [plan, own] of runs) own.push(await beside.frame(plan.prepared.plan.pipeline, plan.inputs));
    return show(cell, runs);
  }

  #rigOf(cell: Cell, plan: CellDraft): HotEdgeRig {
    const { rig, beside } = this.#deps;
    return (isPapers(plan) && runsBeside(cell) ? beside.get(cell.cpu) : undefined) ?? rig;
  }

  #of(cell: Cell): readonly CellPlan[] {
    return this.#plans.get(cell) ?? [];
  }

  #fleet({ cpu, link }: Cell): Fleet {
    return emulatedFleet({
      profile: this.#deps.profile,
      quota: QUOTA,
      devices: DEVICES,
      millicores: millicores(cpu),
      bitsPerSecond: bitRate(link),
      hubComputes: true,
    });
  }
}

/** One table of a cell: every plan against the first, one device alone. */
export function showCell(results: readonly CellResult[]): void {
  const [first] = results;
  if (first === undefined) return;
  const alone = first.medianMs;
  const share = (ms: number): string =>
    `${ms <= alone ? '-' : '+'}${Math.abs(100 - (100 * ms) / alone).toFixed(1)} %`;
  print(`\n${first.link}, ${first.cpu}`);
  print(
    table(
      ['plan', 'median ms', '95 %', 'n', `against ${first.plan}`],
      results.map(({ plan, medianMs, interval, n }) => [
        plan,
        medianMs,
        intervalText(interval, n),
        n,
        share(medianMs),
      ]),
    ),
  );
}

function resultOf({ link, cpu }: Cell, plan: string, times: readonly number[]): CellResult {
  return {
    link,
    cpu,
    plan,
    medianMs: rounded(median(times)),
    interval: medianInterval(times),
    n: times.length,
  };
}

/** What the plans are and where their time went, in a table; their results. */
function show(cell: Cell, runs: ReadonlyMap<CellPlan, readonly PlanRun[]>): CellResult[] {
  const rows = [...runs].map(([{ plan, form, draft }, all]) => {
    const typical = [...all].sort((a, b) => a.roundTripMs - b.roundTripMs)[all.length >> 1];
    return [
      plan,
      `${draft.strategy}, ${form.kind}`,
      rounded(draft.predicted.latencyMs),
      rounded(median(all.map(({ hubMs }) => hubMs))),
      rounded(median(all.map(({ bytes }) => bytes)) / 1e6),
      blocksText(typical?.timing.blocks ?? []),
    ];
  });
  print(`\n${cell.link}, ${cell.cpu}: where the time went`);
  for (const { plan, prepared } of runs.keys()) print(`${plan}: ${planText(prepared)}`);
  print(
    table(
      ['plan', 'strategy', 'predicted ms', 'hub processor ms', 'MB moved', 'blocks, ms (slowest task)'],
      rows,
    ),
  );
  return [...runs].map(([{ plan }, all]) =>
    resultOf(
      cell,
      plan,
      all.map(({ roundTripMs }) => roundTripMs),
    ),
  );
}
