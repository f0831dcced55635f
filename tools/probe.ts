/** Asks the executor for shapes that the operator table cannot infer. */

import type { Probe } from '../services/core/graph/resolve.ts';
import { probeShapes } from '../services/worker/executor/probe.ts';
import { withExecutor } from './executor.ts';

export function modelProbe(): Probe {
  return ({ model, inputs, tensors, folder }) =>
    withExecutor((executor) =>
      probeShapes(executor, { model, inputs, ...(folder === undefined ? {} : { folder }) }, tensors),
    );
}
