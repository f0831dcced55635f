/** One network: every cell's plan in turns with one device alone, and what its answers are worth. */

import type { PreparedPlan } from '../../../services/controller/prepare.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { print } from '../../output.ts';
import { medianInterval } from '../emulated/interval.ts';
import type { Alone } from './alone.ts';
import { type Cell, cellName, type PlanKind } from './cells.ts';
import { type Losses, lossOf } from './losses.ts';
import type { WireNetwork } from './networks.ts';
import { type CellDraft, type CellPlans, describePlan, planMode } from './plans.ts';
import type { WireRig } from './rig.ts';
import type { Row } from './targets.ts';

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
}

/** Frames before those that count: whoever waits for answers learns how long they take here. */
const UNCOUNTED = 2;

export class Comparison {
  readonly #deps: ComparisonDeps;
  readonly #plans = new Map<Cell, RolledOut>();
  readonly #written = new Map<string, RolledOut>();
  readonly #losses = new Map<string, Row['loss']>();

  constructor(deps: ComparisonDeps) {
    this.#deps = deps;
  }

  get pipelines(): readonly string[] {
    return [...this.#written.values()].map(({ prepared }) => prepared.plan.pipeline);
  }

  /** Rolls out the plans of all cells, unlimited, and warms the services with each; equal ones once. Cells that have no plan of the kind asked for are left out. */
  async prepare(cells: readonly Cell[]): Promise<void> {
    for (const cell of cells) {
      const rolledOut = await this.rollOut(cell);
      if (rolledOut !== undefined) this.#plans.set(cell, rolledOut);
    }
  }

  async rollOut(cell: Cell): Promise<RolledOut | undefined> {
    const { plans, rig, network, kind } = this.#deps;
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
    if (known !== undefined) return { ...drafted, prepared: known.prepared };
    const prepared = await plans.prepare(
      drafted,
      `${network.name.replaceAll('_', '-')}-${this.#written.size + 1}`,
    );
    await rig.rollOut(prepared, drafted.form.settings);
    await rig.warm(prepared.plan.pipeline, drafted.form.samples[0]?.inputs);
    const rolledOut = { ...drafted, prepared };
    this.#written.set(first.digest, rolledOut);
    return rolledOut;
  }

  async measure(cell: Cell, repetitions: number): Promise<Row | undefined> {
    const plan = this.#plans.get(cell);
    if (plan === undefined) return undefined;
    const { rig, network, alone, plans } = this.#deps;
    const { pipeline } = plan.prepared.plan;
    const { samples } = plan.form;
    rig.cluster.unlimit();
    const loss = await this.#loss(plan);
    rig.join(cell.wire);
    const times = { ours: [] as number[], alone: [] as number[], int8: [] as number[] };
    for (let done = -UNCOUNTED; done < repetitions; done++) {
      const sample = samples[Math.max(0, done) % samples.length];
      const frame = await rig.frame(pipeline, sample?.inputs);
      if (done < 0) continue;
      times.ours.push(frame.roundTripMs);
      times.alone.push(await alone.float());
      const int8 = cell.accuracy === 'budgeted' ? await alone.int8() : undefined;
      if (int8 !== undefined) times.int8.push(int8);
    }
    const { ours } = times;
    const counts = times.int8.length > 0 && alone.int8Form?.withinBudget === true;
    const best = counts && median(times.int8) < median(times.alone) ? times.int8 : times.alone;
    const mode = planMode(plan.prepared.plan);
    const reason = mode === 'one device' ? await this.#whyAlone(cell, plans) : undefined;
    return {
      network: network.name,
      wire: cell.wire.name,
      accuracy: cell.accuracy,
      mode,
      oursMs: median(ours),
      interval: medianInterval(ours),
      n: ours.length,
      aloneMs: median(best),
      aloneInterval: medianInterval(best),
      floatMs: median(times.alone),
      ...(times.int8.length === 0
        ? {}
        : { int8Ms: median(times.int8), int8Rms: alone.int8Form?.relativeRms ?? 0 }),
      predictedMs: plan.draft.predicted.latencyMs,
      movedBytes: plan.draft.predicted.bytesPerFrame,
      ...(reason === undefined ? {} : { reason }),
      ...(loss === undefined ? {} : { loss }),
    };
  }

  /** Every photo through the plan as it runs: codecs on the wire are in it as well as those in the graph. */
  async #loss({ prepared, form }: RolledOut): Promise<Row['loss']> {
    const { rig, losses, network } = this.#deps;
    const { pipeline } = prepared.plan;
    if (this.#losses.has(pipeline)) return this.#losses.get(pipeline);
    const expected = await losses.expected();
    const actual: (readonly TensorData[])[] = [];
    for (const { inputs } of form.samples) actual.push(await rig.outputs(pipeline, inputs));
    const loss = lossOf(form.samples, network.answer, expected, actual);
    this.#losses.set(pipeline, loss);
    return loss;
  }

  /** What the best plan with several devices would take. */
  async #whyAlone(cell: Cell, plans: CellPlans): Promise<string> {
    const others = await Promise.all((['halo', 'merge'] as const).map((kind) => plans.best(cell, kind)));
    const texts = others.flatMap((other, at) => {
      if (other === undefined) return [];
      const { latencyMs, bytesPerFrame, bottleneck } = other.draft.predicted;
      const kind = at === 0 ? 'halo' : 'merge';
      return [
        `${kind} would take ${Math.round(latencyMs)} ms: ${(bytesPerFrame / 1e6).toFixed(2)} MB a frame, ${bottleneck} decides`,
      ];
    });
    return texts.length === 0 ? 'nothing of it can be shared out' : texts.join('; ');
  }
}
