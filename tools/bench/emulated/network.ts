/** A network of the zoo, ready to be planned and run: its input as pixels for the plans, as floats for the bare run. */

import { type OpenedModel, openAnalysed } from '../../../services/controller/prepare.ts';
import { everything } from '../../../services/core/planning/choose-blocks.ts';
import { blockWeightBytes, wholePeak } from '../../../services/core/planning/cost/memory.ts';
import { openSpace, type SearchSpace } from '../../../services/core/planning/search/search.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import type { Settings } from '../../../services/core/vision/settings.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { naturalRange, randomInput } from '../../input.ts';
import { modelSettings } from '../../settings.ts';
import { NETWORKS, type ZooNetwork } from '../../zoo/networks.ts';
import { writeNetwork } from '../../zoo/write-network.ts';

export interface BenchNetwork {
  readonly file: string;
  readonly model: OpenedModel;
  readonly space: SearchSpace;
  readonly settings: Settings;
  /** Of the model that takes pixels. */
  readonly inputs: readonly TensorData[];
  /** Of the file as it is. */
  readonly bareInputs: readonly TensorData[];
  readonly weightBytes: number;
  /** Activations at their peak, of the file as it is. */
  readonly peakBytes: number;
}

const SEED = 1;

/** A network of the zoo by its name. */
export async function benchNetwork(name: string): Promise<BenchNetwork> {
  const network = NETWORKS.find((each) => each.name === name);
  if (network === undefined) throw new Error(`the zoo has no ${name}`);
  return await openNetwork(network);
}

/** Any drawing, written with seeded weights as the zoo's are. */
export async function openNetwork(network: ZooNetwork): Promise<BenchNetwork> {
  const { file } = await writeNetwork(network, cacheFolder('models'), { seed: SEED });
  const floats = await openAnalysed(file, {});
  const model = await openAnalysed(file, { pixels: true });
  const { settings } = modelSettings(model, { answer: { task: 'tensors' } });
  const { graph } = floats;
  const whole = everything(graph);
  return {
    file,
    model,
    space: openSpace(model.graph, model.analysis),
    settings,
    inputs: randomInput(model.graph.inputs, { low: 0, high: 1 }, SEED),
    bareInputs: randomInput(graph.inputs, naturalRange(settings), SEED),
    weightBytes: blockWeightBytes(graph, whole),
    peakBytes: wholePeak(graph, whole),
  };
}
