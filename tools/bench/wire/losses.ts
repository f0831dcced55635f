/** What plans lose: the outputs they give for photos against those of the uncut model. */

import type { Settings } from '../../../services/core/vision/settings.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { OutputComparison } from '../../accuracy/accuracy.ts';
import { openGraph, type RunnerDeps, runSamples } from '../../accuracy/graph-runner.ts';
import type { Sample } from '../../accuracy/samples.ts';
import type { WireNetwork } from './networks.ts';
import type { RowLoss } from './targets.ts';

export class Losses {
  readonly #deps: RunnerDeps;
  readonly #network: WireNetwork;
  #expected: readonly (readonly TensorData[])[] | undefined;

  constructor(deps: RunnerDeps, network: WireNetwork) {
    this.#deps = deps;
    this.#network = network;
  }

  /** Outputs of the uncut model for every photo, in their order. */
  async expected(): Promise<readonly (readonly TensorData[])[]> {
    const [form] = this.#network.forms;
    if (form === undefined) return [];
    this.#expected ??= await runSamples(await openGraph(this.#deps, form.model.graph), form.samples);
    return this.#expected;
  }
}

export function lossOf(
  samples: readonly Sample[],
  answer: Pick<Settings, 'answer'>,
  expected: readonly (readonly TensorData[])[],
  actual: readonly (readonly TensorData[])[],
): RowLoss {
  const compared = new OutputComparison(answer);
  for (const [at, sample] of samples.entries()) compared.add(sample, expected[at] ?? [], actual[at] ?? []);
  const { relativeRms, maxRelDiff, labels, equalLabels } = compared.result();
  return {
    photos: samples.length,
    relativeRms,
    maxRelDiff,
    ...(labels === undefined ? {} : { statements: labels }),
    ...(equalLabels === undefined ? {} : { equalLabels }),
  };
}
