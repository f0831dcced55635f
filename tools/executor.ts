/** The executor as commands use it: for reference runs of uncut models, and for shapes the operator table cannot tell. */

import type { TensorData } from '../services/core/wire/message.ts';
import { OrtExecutor } from '../services/worker/executor/ort.ts';

/** Runs `use` with a started executor, of one thread unless told, and ends it whatever happens. */
export async function withExecutor<T>(
  use: (executor: OrtExecutor) => Promise<T>,
  { optimise = true, threads = 1 }: { readonly optimise?: boolean; readonly threads?: number } = {},
): Promise<T> {
  const executor = new OrtExecutor({ threads, optimise });
  await executor.start();
  try {
    return await use(executor);
  } finally {
    await executor.stop();
  }
}

/** One run of a model file; `inputs` stay the caller's. */
export function runFile(
  path: string,
  inputs: readonly TensorData[],
  options: { readonly optimise?: boolean } = {},
): Promise<readonly TensorData[]> {
  return withExecutor(async (executor) => {
    const session = await executor.load(path);
    const copies = inputs.map((tensor) => ({ ...tensor, bytes: Uint8Array.from(tensor.bytes) }));
    return (await executor.run(session, copies)).outputs;
  }, options);
}
