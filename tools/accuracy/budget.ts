/** The accuracy class `budgeted`: how much codecs may lose, and whether a draft keeps to it on sample frames. */

import { type OpenedModel, type PreparableDraft, prepareDraft } from '../../services/controller/prepare.ts';
import type { CheckedCodecs } from '../../services/controller/replan/planner.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import type { CodecLoss } from '../../services/core/schema/generated/announcement.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { Settings } from '../../services/core/vision/settings.ts';
import { isLossless } from '../../services/core/wire/codecs.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { type Accuracy, OutputComparison } from './accuracy.ts';
import { calibrate } from './calibrate.ts';
import { type GraphRunner, openGraph, type RunnerDeps, runSamples } from './graph-runner.ts';
import { openPlan } from './plan-runner.ts';
import type { Sample } from './samples.ts';

export interface AccuracyBudget {
  /** Most of any output's `relativeRms`. */
  readonly relativeRms: number;
  /** Least share of the answers' statements that agree, and of the samples whose answers name the same. */
  readonly labels: number;
}

export const DEFAULT_BUDGET: AccuracyBudget = { relativeRms: 0.02, labels: 1 };

export interface BudgetedDeps extends RunnerDeps {
  readonly model: OpenedModel;
  readonly samples: readonly Sample[];
  readonly settings: Pick<Settings, 'answer'>;
  readonly budget: AccuracyBudget;
  /** Hears of every sample. */
  readonly progress?: (text: string) => void;
}

export type CheckableDraft = Omit<PreparableDraft, 'ranges'>;

/** Drafts of one model against its uncut run on the same samples, which takes place once. */
export class CodecBudget {
  readonly #deps: BudgetedDeps;
  readonly #measured = new Map<string, Promise<Accuracy>>();
  #expected: Promise<readonly (readonly TensorData[])[]> | undefined;

  constructor(deps: BudgetedDeps) {
    this.#deps = deps;
  }

  /**
   * Calibrates the codecs of a draft on the samples, and carries its plan out on the same: its own sub-models, and
   * between them every piece as it would travel. Rejects with `accuracy-refused` where that loses more than the budget,
   * `config-invalid` where a tensor cannot have its codec.
   */
  async check(draft: CheckableDraft): Promise<CheckedCodecs> {
    const { model, samples, budget, ...runs } = this.#deps;
    const { codecs = {}, wire = {} } = draft;
    const lossy = [...Object.values(codecs), ...Object.values(wire)].filter((codec) => !isLossless(codec));
    if (lossy.length === 0) return { ranges: {} };
    const bytes = Object.keys(codecs).filter((tensor) => codecs[tensor] === 'uint8');
    const { ranges } =
      bytes.length === 0 ? { ranges: {} } : await calibrate(runs, model.graph, bytes, samples);
    const { plan } = await prepareDraft(model, 'samples', { ...draft, ranges }, runs.blobs);
    const accuracy = await this.#measure(plan);
    const excess = overBudget(accuracy, budget);
    if (excess !== undefined)
      throw new TilepipeError(
        'accuracy-refused',
        `${describe(lossy)}: ${excess} (${accuracy.samples} samples).`,
      );
    return { ranges, loss: lossOf(accuracy) };
  }

  /** Plans with the same sub-models and the same transfers lose the same. */
  #measure(plan: Plan): Promise<Accuracy> {
    const key = JSON.stringify([plan.models, plan.transfers]);
    const known = this.#measured.get(key);
    if (known !== undefined) return known;
    const measuring = this.#compare(plan);
    this.#measured.set(key, measuring);
    return measuring;
  }

  async #compare(plan: Plan): Promise<Accuracy> {
    const { samples, settings, ...runs } = this.#deps;
    const expected = await this.#uncut();
    const made = await this.#runAll(await openPlan(runs, plan), 'the plan');
    const compared = new OutputComparison(settings);
    for (const [at, sample] of samples.entries()) compared.add(sample, expected[at] ?? [], made[at] ?? []);
    return compared.result();
  }

  #uncut(): Promise<readonly (readonly TensorData[])[]> {
    const { model, ...runs } = this.#deps;
    this.#expected ??= openGraph(runs, model.graph).then((runner) => this.#runAll(runner, 'the uncut model'));
    return this.#expected;
  }

  #runAll(runner: GraphRunner, what: string): Promise<readonly (readonly TensorData[])[]> {
    const { samples, progress } = this.#deps;
    return runSamples(runner, samples, (at) => progress?.(`${what} on sample ${at} of ${samples.length}`));
  }
}

function lossOf({ samples, relativeRms, labels, equalLabels }: Accuracy): CodecLoss {
  return {
    samples,
    relativeRms,
    ...(labels === undefined ? {} : { labels }),
    ...(equalLabels === undefined ? {} : { equalLabels }),
  };
}

/** Which figure exceeds the budget, and by how much; undefined where none does. */
export function overBudget(accuracy: Accuracy, budget: AccuracyBudget): string | undefined {
  const worst = accuracy.outputs.find(({ relativeRms }) => !(relativeRms <= budget.relativeRms));
  if (worst !== undefined)
    return `output "${worst.name}" is off by ${percent(worst.relativeRms)} (relativeRms), ${percent(budget.relativeRms)} is allowed`;
  const { labels = 1, equalLabels, samples } = accuracy;
  if (labels < budget.labels)
    return `${percent(labels)} of the answers agree (labels), ${percent(budget.labels)} is asked for`;
  return equalLabels !== undefined && equalLabels < budget.labels * samples
    ? `the answers to ${equalLabels} of ${samples} samples name the same (labels), ${percent(budget.labels)} is asked for`
    : undefined;
}

/** Codecs of tensors in words. */
function describe(lossy: readonly string[]): string {
  const counts = ['uint8', 'fp16'].flatMap((codec) => {
    const { length } = lossy.filter((each) => each === codec);
    return length === 0 ? [] : [`${length} ${length === 1 ? 'tensor' : 'tensors'} as ${codec}`];
  });
  return [...counts, ...(lossy.includes('jpeg') ? ['the input as JPEG'] : [])].join(', ');
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}
