/** The accuracy class `budgeted`: how much codecs may lose, and whether a draft keeps to it on sample frames. */

import type { OpenedModel } from '../../services/controller/prepare.ts';
import { type CutCodec, type ValueRange, withCutCodecs } from '../../services/core/graph/cut-codecs.ts';
import type { Draft } from '../../services/core/planning/draft.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import type { Settings } from '../../services/core/vision/settings.ts';
import { type Accuracy, accuracyOf } from './accuracy.ts';
import { calibrate } from './calibrate.ts';
import type { RunnerDeps } from './graph-runner.ts';
import type { Sample } from './samples.ts';
import { asSent, lossyInputs, valueCodecs } from './sent-form.ts';

export interface AccuracyBudget {
  /** Most of any output's `relativeRms`. */
  readonly relativeRms: number;
  /** Least share of the answers' statements that agree. */
  readonly labels: number;
}

export const DEFAULT_BUDGET: AccuracyBudget = { relativeRms: 0.02, labels: 1 };

export interface CheckedCodecs {
  /** For `prepareDraft`. */
  readonly ranges: Readonly<Record<string, ValueRange>>;
  /** Absent where no codec changes a value. */
  readonly accuracy?: Accuracy;
}

/**
 * Calibrates the codecs of a draft on the samples and checks them on the same. Throws `accuracy-refused` where they
 * lose more than the budget, `config-invalid` where a tensor cannot have its codec.
 */
export async function checkCodecs(
  deps: RunnerDeps,
  { graph }: Pick<OpenedModel, 'graph'>,
  draft: Pick<Draft, 'codecs' | 'wire'>,
  samples: readonly Sample[],
  settings: Pick<Settings, 'answer'>,
  budget: AccuracyBudget = DEFAULT_BUDGET,
): Promise<CheckedCodecs> {
  const codecs = valueCodecs(graph, draft);
  const pictures = lossyInputs(draft);
  if (pictures.size === 0 && Object.values(codecs).every((codec) => codec === 'raw')) return { ranges: {} };
  const bytes = tensorsOf(codecs, 'uint8');
  const { ranges } = bytes.length === 0 ? { ranges: {} } : await calibrate(deps, graph, bytes, samples);
  const coded = withCutCodecs(graph, codecs, ranges);
  const accuracy = await accuracyOf(deps, graph, coded, samples, settings, (inputs) =>
    asSent(inputs, pictures),
  );
  const excess = overBudget(accuracy, budget);
  if (excess !== undefined)
    throw new TilepipeError(
      'accuracy-refused',
      `${describe(codecs, pictures.size)}: ${excess} (${accuracy.samples} samples).`,
    );
  return { ranges, accuracy };
}

/** Which figure exceeds the budget, and by how much; undefined where none does. */
export function overBudget(accuracy: Accuracy, budget: AccuracyBudget): string | undefined {
  const worst = accuracy.outputs.find(({ relativeRms }) => !(relativeRms <= budget.relativeRms));
  if (worst !== undefined)
    return `output "${worst.name}" is off by ${percent(worst.relativeRms)} (relativeRms), ${percent(budget.relativeRms)} is allowed`;
  const { labels = 1 } = accuracy;
  return labels < budget.labels
    ? `${percent(labels)} of the answers agree (labels), ${percent(budget.labels)} is asked for`
    : undefined;
}

function tensorsOf(codecs: Readonly<Record<string, CutCodec>>, codec: CutCodec): string[] {
  return Object.keys(codecs).filter((tensor) => codecs[tensor] === codec);
}

function describe(codecs: Readonly<Record<string, CutCodec>>, pictures: number): string {
  const counts = (['uint8', 'fp16'] as const).flatMap((codec) => {
    const { length } = tensorsOf(codecs, codec);
    return length === 0 ? [] : [`${length} ${length === 1 ? 'tensor' : 'tensors'} as ${codec}`];
  });
  return [...counts, ...(pictures === 0 ? [] : ['the input as JPEG'])].join(', ');
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}
