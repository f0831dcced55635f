/** Whether a picture travels as pixels, which workers normalise, or as the tensor the network takes: both are planned. */

import type { OpenedModel } from '../../services/controller/prepare.ts';
import { costOf, type Wanted } from '../../services/core/planning/advise/alternatives.ts';
import { figure, timeText } from '../../services/core/planning/advise/units.ts';
import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import type { Prediction } from '../../services/core/planning/draft.ts';
import {
  openSpace,
  type SearchSpace,
  search,
  type WireOptions,
} from '../../services/core/planning/search/search.ts';
import { asTilepipeError, TilepipeError } from '../../services/core/runtime/errors.ts';
import { analyse } from '../../services/core/tiling/analyse.ts';
import { takePixels } from '../../services/core/vision/pixels.ts';

/** How pictures travel: as pixels, as tensors, or as the search finds better. */
export type PixelChoice = 'auto' | 'on' | 'off';

export interface PlannedModel {
  readonly model: OpenedModel;
  readonly space: SearchSpace;
  readonly input: 'tensor' | 'pixels';
  /**
   * What the choice rests on, for people: plans whose tensors travel as those of the plan that is shown, so that its
   * figures are the same. Absent where there was no choice.
   */
  readonly why?: (wire: WireOptions | undefined) => string;
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
  if (choice === 'on') return { ...asPixels, why: () => 'pictures travel as pixels, as asked.' };
  const plain = asTensor();
  const { objective } = wanted;
  const predicted = (options: Wanted): [withPixels: Prediction, without: Prediction] => [
    search(asPixels.space, fleet, options).best.predicted,
    search(plain.space, fleet, options).best.predicted,
  ];
  const first = predicted(wanted);
  const wins = costOf(first[0], objective) < costOf(first[1], objective) * (1 - LEAST_GAIN);
  const why = (wire: WireOptions | undefined): string => {
    const again = wire === undefined || wire === wanted.wire ? first : predicted({ ...wanted, wire });
    const [withPixels, without] = again.map((each) => figureText(each, objective));
    return wins
      ? `pictures as pixels (pixels: true), ${withPixels}; as tensors it would be ${without}.`
      : `pictures as tensors, ${without}; as pixels it would be ${withPixels}.`;
  };
  return { ...(wins ? asPixels : plain), why };
}

function figureText({ latencyMs, framesPerSecond }: Prediction, objective: Wanted['objective']): string {
  return objective === 'latency' ? `${timeText(latencyMs)} a frame` : `${figure(framesPerSecond)} frames/s`;
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
