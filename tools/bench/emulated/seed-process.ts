/** Makes the optimised forms of sub-models once, one after the other: workers that share them only map them. */

import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import { OrtExecutor } from '../../../services/worker/executor/ort.ts';

process.once('message', async (paths: readonly string[]) => {
  const executor = new OrtExecutor({ threads: 1, optimised: cacheFolder('optimised') });
  await executor.start();
  for (const path of paths) await executor.unload(await executor.load(path));
  await executor.stop();
  process.send?.(paths.length);
  process.disconnect();
});
