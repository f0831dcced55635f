/** The bare executor in a process of its own, so that its memory does not slow the hub it is compared with. */

import type { TensorData } from '../../services/core/wire/message.ts';
import { OrtExecutor } from '../../services/worker/executor/ort.ts';

/** What to run: a model file and its inputs. */
export interface BareTask {
  readonly path: string;
  readonly inputs: readonly TensorData[];
}

const executor = new OrtExecutor({ threads: 1 });
let session = 0;
let inputs: readonly TensorData[] = [];

async function load(task: BareTask): Promise<void> {
  await executor.start();
  session = await executor.load(task.path);
  inputs = task.inputs;
}

async function run(): Promise<number> {
  const copies = inputs.map((tensor) => ({ ...tensor, bytes: Uint8Array.from(tensor.bytes) }));
  return (await executor.run(session, copies)).computeMs;
}

// One answer per message: the first brings the task, every other asks for a run.
process.on('message', async (message: BareTask | 'run') => {
  if (message !== 'run') await load(message);
  process.send?.(message === 'run' ? await run() : 0);
});
