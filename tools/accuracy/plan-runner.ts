/**
 * A prepared plan carried out in this process, its sub-models one after the other. What travels does so in messages that
 * are written and read as they are between services: what the way changes is changed here too.
 */

import { withPicturesRead } from '../../services/core/control/picture-codec.ts';
import { Gather, type InputBuffer, type ReadyTask } from '../../services/core/flow/gather.ts';
import { type Delivery, PlanIndex, type Task } from '../../services/core/flow/plan-index.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { tensorBytes } from '../../services/core/tensor/dtype.ts';
import { decodeBody, messagePieces } from '../../services/core/wire/decode.ts';
import type { LaidMessage } from '../../services/core/wire/encode.ts';
import type { Piece, TensorData } from '../../services/core/wire/message.ts';
import { sourceMessage, taskMessage } from '../../services/splitter/tiles.ts';
import { dataMessage, localPieces, outputPieces } from '../../services/worker/deliver.ts';
import type { RunResult } from '../../services/worker/executor/executor.ts';
import { matchTensors, specOf } from '../../services/worker/tensors.ts';
import type { GraphRunner, RunnerDeps } from './graph-runner.ts';

interface Inputs extends InputBuffer {
  readonly tensors: readonly TensorData[];
}

/** Runs one task, whose inputs are given up. */
export type CarryOut = (
  task: Task,
  inputs: readonly TensorData[],
) => Promise<Pick<RunResult, 'outputs' | 'release'>>;

export interface PlanRunner extends GraphRunner {
  /** By the plan's sub-models: for `runFrame` of any plan that has the same. */
  readonly carryOut: CarryOut;
}

/** Who gathers beside the workers that do. */
const MERGER = '';
const FRAME = { id: 'frame', sequence: 0 };
const META = { kind: 'data' } as const;

/** Loads the sub-models of a plan, which must be in the store; `close` it. */
export async function openPlan({ executor, blobs }: RunnerDeps, plan: Plan): Promise<PlanRunner> {
  const index = new PlanIndex(plan);
  const sessions = new Map<string, number>();
  for (const { digest } of plan.models) sessions.set(digest, await executor.load(blobs.path(digest)));
  const carryOut: CarryOut = ({ model = '', outputs }, inputs) =>
    executor.run(
      sessions.get(model) as number,
      inputs,
      outputs.map(({ tensor }) => tensor),
    );
  return {
    carryOut,
    run: (inputs) => runFrame(index, carryOut, inputs),
    async close() {
      for (const session of sessions.values()) await executor.unload(session);
    },
  };
}

/** Outputs of a plan for one frame, its tasks run by `carryOut`. `inputs` stay the caller's. */
export function runFrame(
  index: PlanIndex,
  carryOut: CarryOut,
  inputs: readonly TensorData[],
): Promise<readonly TensorData[]> {
  return new FrameRun(index, carryOut).run(inputs);
}

/** One frame: every worker that gathers, and the merger, has its own view of the tensors. */
class FrameRun {
  readonly #index: PlanIndex;
  readonly #carryOut: CarryOut;
  readonly #gathers: ReadonlyMap<string, Gather<Inputs>>;
  readonly #ready: ReadyTask<Inputs>[] = [];

  constructor(index: PlanIndex, carryOut: CarryOut) {
    this.#index = index;
    this.#carryOut = carryOut;
    const gather = (tasks: readonly string[]) =>
      new Gather<Inputs>({ index, tasks, allocate: (_, task) => this.#allocate(task) });
    this.#gathers = new Map([
      [MERGER, gather(index.mergerGathers())],
      ...[...index.gatherers].map((worker) => [worker, gather(index.workerGathers(worker))] as const),
    ]);
  }

  async run(frame: readonly TensorData[]): Promise<readonly TensorData[]> {
    for (const gather of this.#gathers.values()) this.#ready.push(...gather.open(FRAME));
    await this.#supply(frame);
    for (let next = this.#ready.shift(); next !== undefined; next = this.#ready.shift()) {
      const { task, inputs } = next;
      if (task.kind === 'sink') return inputs.tensors;
      const { outputs: made, release } = await this.#carryOut(task, inputs.tensors);
      const outputs = matchTensors(this.#index, task.outputs, made);
      if (typeof outputs === 'string')
        throw new TilepipeError('task-failed', `task ${task.id} made other than its plan says: ${outputs}`);
      await this.#deliver(task, outputPieces(task, outputs));
      release();
    }
    throw new TilepipeError(
      'plan-invalid',
      'no task of the plan is left to run, and its result is not complete',
    );
  }

  /** What the splitter cuts out of the frame. */
  async #supply(tensors: readonly TensorData[]): Promise<void> {
    const index = this.#index;
    const { source } = index;
    for (const delivery of index.deliveries(source.id, FRAME.sequence)) {
      const message = await sourceMessage({ index }, { tensors }, delivery, META);
      this.#accept(source, delivery, await arrived(message));
    }
    for (const task of index.sourceTasks(FRAME.sequence)) {
      const pieces = await arrived(await taskMessage({ index }, { tensors }, task, META));
      this.#ready.push({ task, inputs: this.#buffer(pieces.map(({ tensor }) => tensor)) });
    }
  }

  async #deliver(task: Task, outputs: readonly Piece[]): Promise<void> {
    for (const delivery of this.#index.deliveries(task.id, FRAME.sequence)) {
      const pieces = isAtHome(task, delivery)
        ? localPieces(delivery, outputs)
        : await arrived(dataMessage(this.#index, delivery, outputs, META));
      this.#accept(task, delivery, pieces);
    }
  }

  #accept(task: Task, delivery: Delivery, pieces: readonly Piece[]): void {
    const gather = this.#gathers.get(delivery.to === 'merger' ? MERGER : delivery.worker);
    this.#ready.push(...(gather?.accept(FRAME, task.id, pieces) ?? []));
  }

  #allocate(task: Task): Inputs {
    const specs = task.inputs.map((piece) => specOf(this.#index, piece));
    return this.#buffer(
      specs.map((spec) => ({ ...spec, bytes: new Uint8Array(tensorBytes(spec.dtype, spec.shape)) })),
    );
  }

  #buffer(tensors: readonly TensorData[]): Inputs {
    return { tensors, write: (name) => (tensors.find((tensor) => tensor.name === name) as TensorData).bytes };
  }
}

/** What a worker made for itself stays as it is. */
function isAtHome({ devices }: Task, delivery: Delivery): boolean {
  return delivery.to === 'worker' && devices?.length === 1 && devices[0] === delivery.worker;
}

async function arrived({ body }: LaidMessage): Promise<Piece[]> {
  return messagePieces(await withPicturesRead(decodeBody(body)));
}
