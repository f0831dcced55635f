/** One device alone at its best: the model bare, and beside plans that may change values its int8 form. */

import { writeWhole } from '../../../services/controller/plan-files.ts';
import { everything } from '../../../services/core/planning/choose-blocks.ts';
import { computeMs } from '../../../services/core/planning/cost/fleet.ts';
import { deviceOf } from '../../../services/core/planning/cost/fleet-of.ts';
import { wholeWork } from '../../../services/core/planning/cost/work-of.ts';
import type { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import type { Executor } from '../../../services/worker/executor/executor.ts';
import { accuracyOf } from '../../accuracy/accuracy.ts';
import { overBudget } from '../../accuracy/budget.ts';
import { print } from '../../output.ts';
import type { BareTask } from '../bare-process.ts';
import { plausibleProfile } from '../emulated/plausible-profile.ts';
import { loadTuned } from '../emulated/tuned-bare.ts';
import type { Form, WireNetwork } from './networks.ts';
import { quantised } from './quantised.ts';
import type { WireRig } from './rig.ts';

/** What the int8 form of a model loses, and whether a plan would be allowed to. */
export interface Int8Form {
  readonly relativeRms: number;
  readonly withinBudget: boolean;
}

export interface AloneDeps {
  readonly rig: WireRig;
  readonly network: WireNetwork;
  readonly executor: Executor;
  readonly blobs: BlobCache;
}

/** Photos that ranges are taken from. */
const CALIBRATED = 7;
/** Runs whose median is compared with the profile: that of five was 20 % off. */
const SLOWDOWN_RUNS = 15;
/** Runs of an int8 form that no plan is compared with. */
const MENTIONED_RUNS = 6;

export class Alone {
  readonly #deps: AloneDeps;
  #int8: Int8Form | undefined;
  readonly #mentioned: number[] = [];

  constructor(deps: AloneDeps) {
    this.#deps = deps;
  }

  /**
   * Measures the device for the model, and loads the model bare in its best form. The profile is measured without the
   * quota and divided by it; `slowdown` is how much longer a run takes under it all the same.
   */
  async profile(): Promise<{ readonly profile: Profile; readonly slowdown: number }> {
    const { rig } = this.#deps;
    const { model, task } = this.#float();
    const profile = await plausibleProfile(
      { ...rig.bareOf('float'), profile: (path) => rig.profile(path) },
      { file: task.path, model, bareInputs: task.inputs },
    );
    const times: number[] = [];
    for (let run = 0; run < SLOWDOWN_RUNS; run++) times.push(await this.float());
    const expected = computeMs(
      deviceOf(profile),
      wholeWork(model.graph, model.analysis, everything(model.graph)),
    );
    const slowdown = Math.max(1, median(times) / expected);
    print(`under its quota the device takes ${slowdown.toFixed(2)} times what its share says`);
    return { profile, slowdown };
  }

  /** Milliseconds of one run of the float model. */
  async float(): Promise<number> {
    return await this.#deps.rig.bareOf('float').bare();
  }

  /** Writes the int8 form and loads it; without one where the executor takes none. */
  async prepareInt8(): Promise<void> {
    if (this.#int8 !== undefined) return;
    const { rig, executor, blobs, network } = this.#deps;
    const { model, samples, inputs } = this.#float();
    try {
      const graph = await quantised({ executor, blobs }, model.graph, samples.slice(0, CALIBRATED));
      const { digest } = await writeWhole(graph, everything(graph), blobs);
      const accuracy = await accuracyOf({ executor, blobs }, model.graph, { graph }, samples, network.answer);
      const { relativeRms, labels = 1 } = accuracy;
      const withinBudget = overBudget(accuracy, network.budget) === undefined;
      const task = { path: blobs.path(digest), inputs };
      if (withinBudget) await loadTuned(rig.bareOf('int8'), task);
      else await rig.bareOf('int8').load(task);
      this.#int8 = { relativeRms, withinBudget };
      print(
        `its int8 form: ${(100 * relativeRms).toFixed(1)} % off (relative RMS), ${(100 * labels).toFixed(0)} % of its answers agree${withinBudget ? '' : ': over the budget, so that no plan is compared with it'}`,
      );
    } catch (error) {
      print(`${network.name} has no int8 form here: ${(error as Error).message}`);
      rig.endBare('int8');
    }
  }

  /** Once it has been prepared; undefined where there is none. */
  get int8Form(): Int8Form | undefined {
    return this.#int8;
  }

  /** Milliseconds of one run of the int8 model (over the budget: of the first few); undefined where there is none. */
  async int8(): Promise<number | undefined> {
    if (this.#int8 === undefined) return undefined;
    if (this.#mentioned.length >= MENTIONED_RUNS) return median(this.#mentioned);
    const ms = await this.#deps.rig.bareOf('int8').bare();
    if (!this.#int8.withinBudget) this.#mentioned.push(ms);
    return ms;
  }

  #float(): Pick<Form, 'model' | 'samples'> & { inputs: BareTask['inputs']; task: BareTask } {
    const { network } = this.#deps;
    const [form] = network.forms;
    const [sample] = form?.samples ?? [];
    if (form === undefined || sample === undefined) throw new Error(`${network.name} has no frames`);
    const { inputs } = sample;
    return { ...form, inputs, task: { path: network.file, inputs } };
  }
}
