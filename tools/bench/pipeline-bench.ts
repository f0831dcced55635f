/** One model on a cluster of this machine, measured in turns with the bare executor: A, B, A, B, some runs each. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type OpenedModel, openAnalysed, preparePlan } from '../../services/controller/prepare.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { entryPath, packageRoot } from '../../services/core/runtime/entry.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { cacheFolder } from '../../services/core/runtime/paths.ts';
import { median } from '../../services/core/runtime/quantile.ts';
import type { Result } from '../../services/core/schema/generated/result.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import { settle } from '../../services/core/vision/settings.ts';
import { Client } from '../client.ts';
import { naturalRange, randomInput } from '../input.ts';
import { LocalCluster } from '../local-cluster.ts';
import { modelProbe } from '../probe.ts';
import type { BareTask } from './bare-process.ts';

export interface PairedRuns {
  readonly bareMs: number;
  readonly pipelineMs: number;
  readonly n: number;
}

export interface PairOptions {
  readonly path: string;
  readonly fillSeed?: number;
  readonly workers: number;
  readonly rows: number;
  readonly columns: number;
  readonly repetitions: number;
  /** The time of a frame that counts; absent: from the decoded tensor to the gathered output. */
  readonly measure?: (result: Result) => number;
  /** What the bare executor runs; absent: the model file. */
  readonly bare?: (model: OpenedModel, blobs: BlobCache) => Promise<BareTask>;
}

const PIPELINE = 'bench';
const FRAMES = { maxInFlight: 1, maxWaiting: 4, deadlineMs: 60_000, attempts: 1 } as const;
/** Runs of one side before it is the other's turn: each is seen as it is in a stream of frames, with its own caches warm. */
const TURN = 5;
/** Runs at the start of a turn that do not count. */
const WARM_UP = 2;

/** Where the real networks for local checks are, if they are there at all. */
export function sharedModel(name: string): string {
  return join(packageRoot(), '..', 'shared', 'models', `${name}.onnx`);
}

/** Medians of interleaved runs; one executor thread on both sides. */
export async function pairedRuns(options: PairOptions): Promise<PairedRuns> {
  const blobs = new BlobCache({ folder: cacheFolder('blobs') });
  const model = await openAnalysed(options.path, {
    probe: modelProbe(),
    ...(options.fillSeed === undefined ? {} : { fillSeed: options.fillSeed }),
  });
  const settings = settle({ answer: { task: 'tensors' } });
  const inputs = randomInput(model.graph.inputs, naturalRange(settings), 1);
  const cluster = new LocalCluster({ blobs, workers: options.workers, threads: 1 });
  const executor = new BareExecutor();
  const bareTimes: number[] = [];
  const pipelineTimes: number[] = [];
  try {
    await cluster.start();
    const prepared = await preparePlan(model, PIPELINE, gridCover(options.rows, options.columns), blobs);
    await cluster.deploy(prepared, { ...settings }, FRAMES);
    const bare =
      options.bare === undefined ? { path: options.path, inputs } : await options.bare(model, blobs);
    await executor.ask(bare);
    const channels = new Connections({ ...cluster.address, service: 'bench' });
    await channels.start();
    const client = new Client(channels, PIPELINE, 'bench');
    await client.start();
    const bareRun = (): Promise<number> => executor.ask('run');
    const pipelineRun = async (): Promise<number> => {
      const { result } = await client.send(inputs, FRAMES.deadlineMs);
      if (!result.ok)
        throw new TilepipeError('task-failed', `${result.error?.code}: ${result.error?.message}`);
      return options.measure?.(result) ?? (result.timing?.totalMs ?? 0) - (result.timing?.answerMs ?? 0);
    };
    for (let done = 0; done < options.repetitions; done += TURN) {
      bareTimes.push(...(await turn(bareRun)));
      pipelineTimes.push(...(await turn(pipelineRun)));
    }
    await client.stop();
    await channels.stop();
  } finally {
    await cluster.stop();
    executor.stop();
  }
  return { bareMs: median(bareTimes), pipelineMs: median(pipelineTimes), n: bareTimes.length };
}

/** The times of one side's turn, without those that warm it up. */
async function turn(run: () => Promise<number>): Promise<number[]> {
  for (let i = 0; i < WARM_UP; i++) await run();
  const times: number[] = [];
  for (let i = 0; i < TURN; i++) times.push(await run());
  return times;
}

/** The child process that runs the bare executor; one question at a time. */
class BareExecutor {
  readonly #child: ChildProcess = fork(entryPath('tools/bench/bare-process'), { serialization: 'advanced' });

  async ask(message: BareTask | 'run'): Promise<number> {
    const answered = once(this.#child, 'message');
    this.#child.send(message);
    const [milliseconds] = await answered;
    return milliseconds as number;
  }

  stop(): void {
    this.#child.kill('SIGTERM');
  }
}
