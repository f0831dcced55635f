/** What the executor alone holds for some sub-models: loads them as a worker does, runs each, and looks at its own memory. */

import { readFileSync } from 'node:fs';
import type { DType } from '../../../services/core/graph/types.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import { tensorBytes } from '../../../services/core/tensor/dtype.ts';
import { OrtExecutor } from '../../../services/worker/executor/ort.ts';
import { PromptCollector } from '../../../services/worker/lean-memory.ts';
import { resetResidentPeak } from '../../emulate/resident.ts';
import { mappedAgain } from './mapped.ts';

/** A sub-model and what it is fed. */
export interface HeldModel {
  readonly path: string;
  readonly inputs: readonly {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: readonly number[];
  }[];
}

export interface HeldRequest {
  readonly models: readonly HeldModel[];
  /** As a lean worker; the process must have been started for it. */
  readonly lean: boolean;
}

/** Bytes beyond the same process without a model. */
export interface Held {
  readonly loaded: number;
  /** At most while they ran, one after the other: weights, buffers, inputs and outputs. */
  readonly peak: number;
}

/** The second run has what the first one allocated. */
const RUNS = 3;

async function held({ models, lean }: HeldRequest): Promise<Held> {
  const collector = lean ? new PromptCollector() : undefined;
  collector?.start();
  const executor = new OrtExecutor({ threads: 1, optimised: cacheFolder('optimised') });
  await executor.start();
  const empty = status('VmRSS');
  resetResidentPeak(process.pid);
  const sessions: number[] = [];
  for (const { path } of models) sessions.push(await executor.load(path));
  const loaded = status('VmRSS') - mappedAgain([process.pid]) - empty;
  for (let run = 0; run < RUNS; run++) {
    for (const [at, { inputs }] of models.entries()) {
      const tensors = inputs.map((input) => ({
        ...input,
        bytes: new Uint8Array(tensorBytes(input.dtype, input.shape)),
      }));
      const bytesIn = tensors.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
      const { release } = await executor.run(sessions[at] as number, tensors);
      release();
      collector?.spent(bytesIn);
    }
  }
  const peak = status('VmHWM') - mappedAgain([process.pid]) - empty;
  await executor.stop();
  return { loaded, peak };
}

function status(field: 'VmRSS' | 'VmHWM'): number {
  const [, kilobytes] =
    new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kilobytes ?? 0) * 1024;
}

process.once('message', async (request: HeldRequest) => {
  process.send?.(await held(request));
  process.disconnect();
});
