/** Whether a picture travels as pixels, which workers normalise, or as the tensor the network takes: both are planned. */

import type { OpenedModel } from '../../services/controller/prepare.ts';
import { costOf, type Wanted } from '../../services/core/planning/advise/alternatives.ts';
import { timeText } from '../../services/core/planning/advise/units.ts';
import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import { openSpace, type SearchSpace, search } from '../../services/core/planning/search/search.ts';
import { asTilepipeError, TilepipeError } from '../../services/core/runtime/errors.ts';
import { analyse } from '../../services/core/tiling/analyse.ts';
import { takePixels } from '../../services/core/vision/pixels.ts';

/** How pictures travel: as pixels, as tensors, or as the search finds better. */
export type PixelChoice = 'auto' | 'on' | 'off';

export interface PlannedModel {
  readonly model: OpenedModel;
  readonly space: SearchSpace;
  readonly input: 'tensor' | 'pixels';
  /** What the choice rests on, for people; absent where there was none. */
  readonly text?: string;
}

/** Share of the time that pixels must save: they have to be asked for in the pipeline's configuration. */
const LEAST_GAIN = 0.01;

/** Throws `config-invalid` or `model-unsupported` where pixels are asked for and the model takes none. */
export function chooseInput(
  model: OpenedModel,
  fleet: Fleet,
  wanted: Wanted,
  choice: PixelChoice,
): PlannedModel {
  const asTensor = (): PlannedModel => ({
    model,
    space: openSpace(model.graph, model.analysis),
    input: 'tensor',
  });
  if (choice === 'off') return asTensor();
  const pixels = pixelModel(model, choice);
  if (pixels === undefined) return asTensor();
  const asPixels: PlannedModel = {
    model: pixels,
    space: openSpace(pixels.graph, pixels.analysis),
    input: 'pixels',
  };
  if (choice === 'on') return { ...asPixels, text: 'pictures travel as pixels, as asked.' };
  const plain = asTensor();
  const [withPixels, without] = [asPixels, plain].map(
    ({ space }) => search(space, fleet, wanted).best.predicted,
  );
  if (withPixels === undefined || without === undefined) return plain;
  const wins = costOf(withPixels, wanted.objective) < costOf(without, wanted.objective) * (1 - LEAST_GAIN);
  const [better, worse] = wins ? [withPixels, without] : [without, withPixels];
  const figures = `${timeText(better.latencyMs)} a frame against ${timeText(worse.latencyMs)}`;
  return wins
    ? { ...asPixels, text: `pictures as pixels (pixels: true) are better than as tensors, ${figures}.` }
    : { ...plain, text: `pictures as tensors are as good as pixels or better, ${figures}.` };
}

/** The model with pixels for its input; undefined where it takes no picture and that is not asked for. */
function pixelModel(model: OpenedModel, choice: PixelChoice): OpenedModel | undefined {
  try {
    const taken = takePixels(model.graph, model.name);
    // An input of bytes already is what it is.
    if (taken.graph === model.graph && choice === 'auto') return undefined;
    return { name: model.name, digest: model.digest, ...taken, analysis: analyse(taken.graph) };
  } catch (error) {
    const { code } = asTilepipeError(error);
    if (choice === 'auto' && (code === 'config-invalid' || code === 'model-unsupported')) return undefined;
    throw error;
  }
}

/** Throws `usage`. */
export function pixelChoice(text: string): PixelChoice {
  if (text === 'auto' || text === 'on' || text === 'off') return text;
  throw new TilepipeError('usage', `pixels "${text}" are neither auto, on nor off`);
}
