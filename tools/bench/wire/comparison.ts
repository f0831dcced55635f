/** One network: every cell's plan in turns with one device alone, and what its answers are worth. */

import type { PreparedPlan } from '../../../services/controller/prepare.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { print } from '../../output.ts';
import { LEAST_FOR_INTERVAL, medianInterval } from '../emulated/interval.ts';
import type { Alone } from './alone.ts';
import { type Cell, cellName, type PlanKind } from './cells.ts';
import { type Losses, lossOf } from './losses.ts';
import type { Form, WireNetwork } from './networks.ts';
import { type CellDraft, type CellPlans, describePlan, planMode } from './plans.ts';
import type { WireRig } from './rig.ts';
import type { Row, RowLoss } from './targets.ts';
import { whyAlone } from './why-alone.ts';

export interface ComparisonDeps {
  readonly rig: WireRig;
  readonly network: WireNetwork;
  readonly plans: CellPlans;
  /** Instead of the best of all kinds. */
  readonly kind: PlanKind | undefined;
  readonly losses: Losses;
  readonly alone: Alone;
}

/** A cell's plan that was rolled out. */
export interface RolledOut extends CellDraft {
  readonly prepared: PreparedPlan;
  /** On the photos. */
  readonly loss: RowLoss;
}

interface Times {
  readonly ours: number[];
  readonly alone: number[];
  readonly int8: number[];
}

/** Frames before those that count: whoever waits for answers learns how long they take here. */
const UNCOUNTED = 2;
/** Runs of each where their number is not told: enough for an interval, and no more when they have taken so long. */
const RUNS = { most: 10, longMs: 15_000 };
/** Of a plan of one device, which may be a few percent slower than one device at the most. */
const RUNS_ALONE = { most: 16, longMs: 40_000 };

export class Comparison {
  readonly #deps: ComparisonDeps;
  readonly #written = new Map<string, RolledOut>();

  constructor(deps: ComparisonDeps) {
    this.#deps = deps;
  }

  /**
   * Rolls out the plan of a cell, unlimited, sends every photo through it and warms the services; equal ones once.
   * Undefined where the cell has none of the kind asked for.
   */
  async rollOut(cell: Cell): Promise<RolledOut | undefined> {
    const { plans, rig, network, kind } = this.#deps;
    rig.cluster.unlimit();
    const drafted = await plans.best(cell, kind);
    if (drafted === undefined) {
      print(`${network.name}, ${cellName(cell)}: no plan of this kind`);
      return undefined;
    }
    const first = await plans.prepare(drafted, 'wire');
    const known = this.#written.get(first.digest);
    print(
      `${network.name}, ${cellName(cell)}: ${drafted.form.kind} in, ${describePlan(first)}; predicted ${Math.round(drafted.draft.predicted.latencyMs)} ms`,
    );
    if (known !== undefined) return { ...drafted, prepared: known.prepared, loss: known.loss };
    const prepared = await plans.prepare(
      drafted,
      `${network.name.replaceAll('_', '-')}-${this.#written.size + 1}`,
    );
    await rig.rollOut(prepared, drafted.form.settings);
    const loss = await this.#loss(prepared, drafted.form);
    await rig.warm(prepared.plan.pipeline, drafted.form.samples[0]?.inputs);
    const rolledOut = { ...drafted, prepared, loss };
    this.#written.set(first.digest, rolledOut);
    return rolledOut;
  }

  /** `runs`: of each, in turns; absent: as many as fit. Undefined where the cell has no plan of the kind asked for. */
  async row(cell: Cell, runs?: number): Promise<Row | undefined> {
    const { rig, network, alone, plans } = this.#deps;
    const plan = await this.rollOut(cell);
    if (plan === undefined) return undefined;
    const mode = planMode(plan.prepared.plan);
    const reason = mode === 'one device' ? await whyAlone(plans, cell) : undefined;
    rig.join(cell.wire);
    const { ours, ...bare } = await this.#measure(plan, cell, runs);
    const counts = bare.int8.length > 0 && alone.int8Form?.withinBudget === true;
    const best = counts && median(bare.int8) < median(bare.alone) ? bare.int8 : bare.alone;
    return {
      network: network.name,
      wire: cell.wire.name,
      accuracy: cell.accuracy,
      ...(cell.accuracy === 'budgeted' ? { budget: network.budget } : {}),
      mode,
      oursMs: median(ours),
      interval: medianInterval(ours),
      n: ours.length,
      aloneMs: median(best),
      aloneInterval: medianInterval(best),
      floatMs: median(bare.alone),
      ...(bare.int8.length === 0
        ? {}
        : { int8Ms: median(bare.int8), int8Rms: alone.int8Form?.relativeRms ?? 0 }),
      predictedMs: plan.draft.predicted.latencyMs,
      movedBytes: plan.draft.predicted.bytesPerFrame,
      ...(reason === undefined ? {} : { reason }),
      loss: plan.loss,
    };
  }

  async #measure({ prepared, form }: RolledOut, { accuracy }: Cell, runs?: number): Promise<Times> {
    const { rig, alone } = this.#deps;
    const { pipeline } = prepared.plan;
    const times: Times = { ours: [], alone: [], int8: [] };
    for (let done = -UNCOUNTED; done < 0; done++) await rig.frame(pipeline, form.samples[0]?.inputs);
    const began = performance.now();
    const { most, longMs } = planMode(prepared.plan) === 'one device' ? RUNS_ALONE : RUNS;
    const enough = (done: number): boolean =>
      done >= (runs ?? most) ||
      (runs === undefined && done >= LEAST_FOR_INTERVAL && performance.now() - began > longMs);
    for (let done = 0; !enough(done); done++) {
      const sample = form.samples[done % form.samples.length];
      times.ours.push((await rig.frame(pipeline, sample?.inputs)).roundTripMs);
      times.alone.push(await alone.float());
      const int8 = accuracy === 'budgeted' ? await alone.int8() : undefined;
      if (int8 !== undefined) times.int8.push(int8);
    }
    return times;
  }

  /** Every photo through the plan as it runs: codecs on the wire are in it as well as those in the graph. */
  async #loss({ plan: { pipeline } }: PreparedPlan, { samples }: Form): Promise<RowLoss> {
    const { rig, losses, network } = this.#deps;
    const expected = await losses.expected();
    const actual: (readonly TensorData[])[] = [];
    for (const { inputs } of samples) actual.push(await rig.outputs(pipeline, inputs));
    return lossOf(samples, network.answer, expected, actual);
  }
}
