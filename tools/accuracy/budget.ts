/** The accuracy class `budgeted`: how much codecs may lose, and whether a draft keeps to it on sample frames. */

import { type OpenedModel, type PreparableDraft, prepareDraft } from '../../services/controller/prepare.ts';
import {
  type CheckedCodecs,
  CodecsRefused,
  type Ranges,
} from '../../services/controller/replan/codec-check.ts';
import type { ValueRange } from '../../services/core/graph/cut-codecs.ts';
import type { LossyCodec, RefusedCodec } from '../../services/core/planning/draft.ts';
import type { CodecLoss } from '../../services/core/schema/generated/announcement.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { Settings } from '../../services/core/vision/settings.ts';
import { isLossless } from '../../services/core/wire/codecs.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { type Accuracy, OutputComparison } from './accuracy.ts';
import { calibrate } from './calibrate.ts';
import { lossesAlone } from './codecs-alone.ts';
import { type RunnerDeps, runSamples } from './graph-runner.ts';
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

/** Samples that codecs are measured on one by one: enough to tell which of them loses most. */
const ALONE = 7;

export type CheckableDraft = Omit<PreparableDraft, 'ranges'>;

/** Drafts of one model against its uncut run on the same samples: once, and again for tensors whose range is not known. */
export class CodecBudget {
  readonly #deps: BudgetedDeps;
  readonly #measured = new Map<string, Promise<Accuracy>>();
  readonly #ranges = new Map<string, ValueRange>();
  #expected: readonly (readonly TensorData[])[] | undefined;

  constructor(deps: BudgetedDeps) {
    this.#deps = deps;
  }

  /**
   * Calibrates the codecs of a draft on the samples, and carries its plan out on the same: its own sub-models, and
   * between them every piece as it would travel. Rejects with `CodecsRefused` where that loses more than the budget,
   * `config-invalid` where a tensor cannot have its codec.
   */
  async check(draft: CheckableDraft): Promise<CheckedCodecs> {
    const { model, budget, blobs } = this.#deps;
    const { codecs = {} } = draft;
    const lossy = lossyOf(draft);
    if (lossy.length === 0) return { ranges: {} };
    const bytes = Object.keys(codecs).filter((tensor) => codecs[tensor] === 'uint8');
    const ranges = await this.#rangesOf(bytes);
    const { plan } = await prepareDraft(model, 'samples', { ...draft, ranges }, blobs);
    const accuracy = await this.#measure(plan);
    const excess = overBudget(accuracy, budget);
    if (excess === undefined) return { ranges, loss: lossOf(accuracy) };
    const refused = await this.#worstOf(draft, plan);
    const without = refused.map(({ tensor, codec }) => `${tensor} without ${codec}`).join(', ');
    throw new CodecsRefused(
      `${describe(lossy)}: ${excess} (${accuracy.samples} samples); from now on ${without}.`,
      refused,
    );
  }

  /**
   * The codecs that lose most, each measured alone, on some of the samples: as many as it takes until what the others lose
   * together (about the root of the summed squares) is within the budget, and one at least.
   */
  async #worstOf(draft: CheckableDraft, plan: Plan): Promise<readonly RefusedCodec[]> {
    const { samples, budget } = this.#deps;
    const lossy = lossyOf(draft);
    if (lossy.length < 2) return lossy;
    const few = samples.slice(0, ALONE);
    const lost = await lossesAlone(this.#deps, { draft, plan, codecs: lossy }, few, await this.#uncut());
    const losses = lossy.map((each, at) => ({ ...each, relativeRms: lost[at] ?? 0 }));
    losses.sort((a, b) => b.relativeRms - a.relativeRms);
    const restOf = (from: number): number =>
      Math.hypot(...losses.slice(from).map((each) => each.relativeRms));
    let count = 1;
    while (count < losses.length && restOf(count) > budget.relativeRms) count++;
    return losses.slice(0, count).map(({ tensor, codec }) => ({ tensor, codec }));
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
    const { settings, samples, progress, ...runs } = this.#deps;
    const expected = await this.#uncut();
    const made = await runSamples(await openPlan(runs, plan), samples, (at) =>
      progress?.(`the plan on sample ${at} of ${samples.length}`),
    );
    const compared = new OutputComparison(settings);
    for (const [at, sample] of samples.entries()) compared.add(sample, expected[at] ?? [], made[at] ?? []);
    return compared.result();
  }

  /** Of tensors that were looked at before there is no other run. */
  async #rangesOf(tensors: readonly string[]): Promise<Ranges> {
    const unknown = tensors.filter((tensor) => !this.#ranges.has(tensor));
    if (unknown.length > 0) await this.#runUncut(unknown);
    return Object.fromEntries(tensors.map((tensor) => [tensor, this.#ranges.get(tensor) as ValueRange]));
  }

  async #uncut(): Promise<readonly (readonly TensorData[])[]> {
    return this.#expected ?? this.#runUncut([]);
  }

  async #runUncut(tensors: readonly string[]): Promise<readonly (readonly TensorData[])[]> {
    const { model, samples, progress, ...runs } = this.#deps;
    const { ranges, outputs } = await calibrate(runs, model.graph, tensors, samples, {
      progress: (at) => progress?.(`the uncut model on sample ${at} of ${samples.length}`),
    });
    for (const [tensor, range] of Object.entries(ranges)) this.#ranges.set(tensor, range);
    this.#expected ??= outputs;
    return outputs;
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

/** The codecs of a draft that change values. */
function lossyOf({ codecs = {}, wire = {} }: CheckableDraft): RefusedCodec[] {
  return [...Object.entries(codecs), ...Object.entries(wire)]
    .filter(([, codec]) => !isLossless(codec))
    .map(([tensor, codec]) => ({ tensor, codec: codec as LossyCodec }));
}

/** Codecs of tensors in words. */
function describe(lossy: readonly RefusedCodec[]): string {
  const counts = ['uint8', 'fp16'].flatMap((codec) => {
    const { length } = lossy.filter((each) => each.codec === codec);
    return length === 0 ? [] : [`${length} ${length === 1 ? 'tensor' : 'tensors'} as ${codec}`];
  });
  return [...counts, ...(lossy.some(({ codec }) => codec === 'jpeg') ? ['the input as JPEG'] : [])].join(
    ', ',
  );
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}
