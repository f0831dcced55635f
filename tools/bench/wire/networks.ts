/** The networks of the comparison: the zoo's, and real ones where they are; each with the frames it is run on. */

import { existsSync } from 'node:fs';
import { type OpenedModel, openAnalysed } from '../../../services/controller/prepare.ts';
import { openSpace, type SearchSpace } from '../../../services/core/planning/search/search.ts';
import { asTilepipeError, TilepipeError } from '../../../services/core/runtime/errors.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import type { Settings } from '../../../services/core/vision/settings.ts';
import { type AccuracyBudget, DEFAULT_BUDGET } from '../../accuracy/budget.ts';
import { readSamples, type Sample } from '../../accuracy/samples.ts';
import { modelProbe } from '../../probe.ts';
import { modelSettings } from '../../settings.ts';
import { NETWORKS } from '../../zoo/networks.ts';
import { writeNetwork } from '../../zoo/write-network.ts';
import { sharedModel } from '../pipeline-bench.ts';
import type { Photos } from './photos.ts';

/** The model with one kind of input: normalised numbers, or the pixels they are made of. */
export interface Form {
  readonly kind: 'numbers' | 'pixels';
  readonly model: OpenedModel;
  readonly space: SearchSpace;
  /** Answers are raw outputs. */
  readonly settings: Settings;
  /** The photos as this form takes them, in their order. */
  readonly samples: readonly Sample[];
}

export interface WireNetwork {
  readonly name: string;
  readonly file: string;
  /** Numbers first; no pixels where the input is no picture. */
  readonly forms: readonly Form[];
  /** What an answer of it says. */
  readonly answer: Pick<Settings, 'answer'>;
  /** What plans that may change values may lose. */
  readonly budget: AccuracyBudget;
}

export const MAIN_NETWORK = 'vgg16';
const OTHERS = ['yolov2', 'resnet50', 'mobilenetv2', 'yolox_nano', 'waifu2x_upconv7_scale2x'] as const;
const SEED = 1;
/** Wider than a pipeline's own, which real networks have: random weights hardly tell one class from the next. */
const RANDOM_WEIGHTS: AccuracyBudget = { relativeRms: 0.06, labels: 0.95 };

/** What a model says to pixels whose input is no picture, or whose operators are of a set too old for their arithmetic. */
const ONE_FORM: ReadonlySet<string> = new Set(['config-invalid', 'model-unsupported']);

/** `all`, or names separated by commas; absent: the main one. Real networks that are not here are left out of `all`. Throws `usage`. */
export function chosenNetworks(text: string | undefined): string[] {
  const known = [MAIN_NETWORK, ...OTHERS];
  if (text === 'all') return known.filter(isHere);
  const names = text?.split(',').map((name) => name.trim()) ?? [MAIN_NETWORK];
  const missing = names.find((name) => !known.includes(name) || !isHere(name));
  if (missing !== undefined)
    throw new TilepipeError(
      'usage',
      `there is no network "${missing}" here; there are ${known.filter(isHere).join(', ')}`,
    );
  return names;
}

function isHere(name: string): boolean {
  return NETWORKS.some((network) => network.name === name) || existsSync(sharedModel(name));
}

export async function openWireNetwork(name: string, { files }: Photos): Promise<WireNetwork> {
  const drawn = NETWORKS.find((network) => network.name === name);
  const file =
    drawn === undefined
      ? sharedModel(name)
      : (await writeNetwork(drawn, cacheFolder('models'), { seed: SEED })).file;
  const forms: Form[] = [];
  for (const kind of ['numbers', 'pixels'] as const) {
    const form = await openForm(file, kind, files);
    if (form !== undefined) forms.push(form);
  }
  const [numbers] = forms;
  if (numbers === undefined) throw new TilepipeError('config-invalid', `${name} takes no pictures`);
  const budget = drawn === undefined ? DEFAULT_BUDGET : RANDOM_WEIGHTS;
  return { name, file, forms, answer: modelSettings(numbers.model).settings, budget };
}

async function openForm(
  file: string,
  kind: Form['kind'],
  files: readonly string[],
): Promise<Form | undefined> {
  try {
    const model = await openAnalysed(file, { probe: modelProbe(), pixels: kind === 'pixels' });
    const { settings } = modelSettings(model, { answer: { task: 'tensors' } });
    return {
      kind,
      model,
      space: openSpace(model.graph, model.analysis),
      settings,
      samples: await readSamples(model, settings, files),
    };
  } catch (error) {
    if (kind === 'pixels' && ONE_FORM.has(asTilepipeError(error).code)) return undefined;
    throw error;
  }
}
