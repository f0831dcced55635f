/** The bare executor in a process of its own, so that its memory does not slow the hub it is compared with. */

import type { TensorData } from '../../services/core/wire/message.ts';
import { OrtExecutor } from '../../services/worker/executor/ort.ts';

/** What to run: a model file and its inputs, and how. */
export interface BareTask {
  readonly path: string;
  readonly inputs: readonly TensorData[];
  /** Of one run; 1 by default. */
  readonly threads?: number;
  /** Without packed copies of the weights; false by default. */
  readonly unpacked?: boolean;
}

let executor: OrtExecutor | undefined;
let session = 0;
let inputs: readonly TensorData[] = [];

async function load(task: BareTask): Promise<void> {
  executor = new OrtExecutor({ threads: task.threads ?? 1, unpacked: task.unpacked });
  await executor.start();
  session = await executor.load(task.path);
  inputs = task.inputs;
}

async function run(): Promise<number> {
  if (executor === undefined) throw new Error('there is no task yet');
  const copies = inputs.map((tensor) => ({ ...tensor, bytes: Uint8Array.from(tensor.bytes) }));
  const { computeMs, release } = await executor.run(session, copies);
  release();
  return computeMs;
}

// One answer per message: the first brings the task, every other asks for a run.
process.on('message', async (message: BareTask | 'run') => {
  if (message !== 'run') await load(message);
  process.send?.(message === 'run' ? await run() : 0);
});
