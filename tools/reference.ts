/** The uncut model's answer, on an input where it is steady enough to be compared with. */

import { writeWhole } from '../services/controller/plan-files.ts';
import type { OpenedModel } from '../services/controller/prepare.ts';
import { everything } from '../services/core/planning/choose-blocks.ts';
import type { BlobCache } from '../services/core/runtime/blobs.ts';
import type { TensorData } from '../services/core/wire/message.ts';
import { compare } from './compare.ts';
import { runFile } from './executor.ts';

export interface Reference {
  readonly inputs: readonly TensorData[];
  readonly outputs: readonly TensorData[];
  /** Relative difference between the executor's optimised and plain runs of the uncut model; null where it is no number. */
  readonly floor: number | null;
}

export interface ReferenceInput {
  readonly model: OpenedModel;
  readonly path: string;
  /** Whether constant-filled weights were replaced: then the file itself is no reference. */
  readonly filled: boolean;
  readonly inputs: readonly (readonly TensorData[])[];
}

/** The executor's own rounding must stay below this share of the tolerance. */
const STEADY_SHARE = 0.25;

/**
 * Takes the first input on which the uncut model's outputs hardly depend on how the executor orders its sums, or the
 * steadiest there is: where an output nearly vanishes, its relative differences say nothing of the tiling.
 */
export async function referenceOf(
  from: ReferenceInput,
  blobs: BlobCache,
  tolerance: number,
): Promise<Reference> {
  const path = await referenceFile(from, blobs);
  let best: Reference | undefined;
  for (const inputs of from.inputs) {
    const outputs = await runFile(path, inputs);
    const floor = compare(await runFile(path, inputs, { optimise: false }), outputs).maxRelDiff;
    if (
      best === undefined ||
      (floor ?? Number.POSITIVE_INFINITY) < (best.floor ?? Number.POSITIVE_INFINITY)
    ) {
      best = { inputs, outputs, floor };
    }
    if (floor !== null && floor <= STEADY_SHARE * tolerance) break;
  }
  return best as Reference;
}

/** The model file itself, or, with filled weights, the same graph with them written out. */
async function referenceFile({ model, path, filled }: ReferenceInput, blobs: BlobCache): Promise<string> {
  if (!filled) return path;
  const { graph } = model;
  const { digest } = await writeWhole(graph, everything(graph), blobs);
  return blobs.path(digest);
}
