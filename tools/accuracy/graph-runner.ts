/** Whole graphs run by the executor, as they are after reading or rewriting, with any of their tensors shown. */

import { writeWhole } from '../../services/controller/plan-files.ts';
import type { Graph } from '../../services/core/graph/types.ts';
import { everything } from '../../services/core/planning/choose-blocks.ts';
import type { BlobCache } from '../../services/core/runtime/blobs.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import type { Executor } from '../../services/worker/executor/executor.ts';
import type { Sample } from './samples.ts';

export interface RunnerDeps {
  /** Started. */
  readonly executor: Executor;
  /** Where the model file and its weights are written. */
  readonly blobs: BlobCache;
}

/** Runs a graph on one frame after another; `close` it. */
export interface GraphRunner {
  /** Outputs of the graph in their order, then the tensors asked for besides. `inputs` stay the caller's. */
  run(inputs: readonly TensorData[]): Promise<readonly TensorData[]>;
  close(): Promise<void>;
}

/** `more`: tensors inside the graph to be shown beside its outputs. */
export async function openGraph(
  { executor, blobs }: RunnerDeps,
  graph: Graph,
  more: readonly string[] = [],
): Promise<GraphRunner> {
  const block = everything(graph);
  const outputs = [...new Set([...block.outputs, ...more])];
  const model = await writeWhole(graph, { ...block, outputs }, blobs);
  const session = await executor.load(blobs.path(model.digest));
  return {
    async run(inputs) {
      const copies = inputs.map((tensor) => ({ ...tensor, bytes: Uint8Array.from(tensor.bytes) }));
      const made = (await executor.run(session, copies)).outputs;
      return outputs.map((name) => made.find((tensor) => tensor.name === name) as TensorData);
    },
    close: () => executor.unload(session),
  };
}

/** Outputs for every sample, in their order. Closes the runner, so that no two models are in memory at once. */
export async function runSamples(
  runner: GraphRunner,
  samples: readonly Pick<Sample, 'inputs'>[],
  progress?: (sample: number) => void,
): Promise<readonly (readonly TensorData[])[]> {
  const made: (readonly TensorData[])[] = [];
  try {
    for (const [at, { inputs }] of samples.entries()) {
      progress?.(at + 1);
      made.push(await runner.run(inputs));
    }
  } finally {
    await runner.close();
  }
  return made;
}
