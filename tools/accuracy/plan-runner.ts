/** A prepared plan carried out in this process, its sub-models one after the other: what the way changes is changed here too. */

import { Gather, type InputBuffer, type ReadyTask } from '../../services/core/flow/gather.ts';
import { type Delivery, PlanIndex, type Task } from '../../services/core/flow/plan-index.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { tensorBytes } from '../../services/core/tensor/dtype.ts';
import { whole } from '../../services/core/tensor/region.ts';
import type { Piece, TensorData } from '../../services/core/wire/message.ts';
import { copiedPieces, localPieces } from '../../services/worker/deliver.ts';
import type { RunResult } from '../../services/worker/executor/executor.ts';
import { specOf } from '../../services/worker/tensors.ts';
import type { GraphRunner, RunnerDeps } from './graph-runner.ts';
import { asSent } from './sent-form.ts';

interface Inputs extends InputBuffer {
  readonly tensors: readonly TensorData[];
}

type CarryOut = (task: Task, inputs: readonly TensorData[]) => Promise<RunResult>;

/** Who gathers beside the workers that do. */
const MERGER = '';
const FRAME = { id: 'frame', sequence: 0 };

/** Loads the sub-models of a plan, which must be in the store; `close` it. */
export async function openPlan({ executor, blobs }: RunnerDeps, plan: Plan): Promise<GraphRunner> {
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
    run: (inputs) => new FrameRun(index, carryOut).run(inputs),
    async close() {
      for (const session of sessions.values()) await executor.unload(session);
    },
  };
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
    const index = this.#index;
    const given = frame.map((tensor): Piece => ({ tensor, region: whole(tensor.shape) }));
    for (const gather of this.#gathers.values()) this.#ready.push(...gather.open(FRAME));
    await this.#deliver(index.source, given);
    for (const task of index.sourceTasks(FRAME.sequence)) await this.#fromFrame(task, given);
    for (let next = this.#ready.shift(); next !== undefined; next = this.#ready.shift()) {
      const { task, inputs } = next;
      if (task.kind === 'sink') return inputs.tensors;
      const { outputs, release } = await this.#carryOut(task, inputs.tensors);
      const pieces = task.outputs.map(({ tensor, region }) => ({
        tensor: outputs.find(({ name }) => name === tensor) as TensorData,
        region,
      }));
      await this.#deliver(task, pieces);
      release();
    }
    throw new Error('the plan came to a halt before its result');
  }

  /** A task whose inputs the splitter cuts out of the frame. */
  async #fromFrame(task: Task, given: readonly Piece[]): Promise<void> {
    const pictures = this.#index.pictureInputs(task.id);
    const pieces = task.inputs.map((piece) => ({ ...piece, codec: pictures.get(piece.tensor) ?? 'raw' }));
    const sent = await this.#sent({ to: 'worker', worker: '', pieces }, given);
    const inputs = sent.map(({ tensor }) => tensor);
    this.#ready.push({ task, inputs: this.#buffer(inputs) });
  }

  async #deliver(task: Task, pieces: readonly Piece[]): Promise<void> {
    for (const delivery of this.#index.deliveries(task.id, FRAME.sequence)) {
      const gather = this.#gathers.get(delivery.to === 'merger' ? MERGER : delivery.worker);
      const arrived = isAtHome(task, delivery)
        ? localPieces(delivery, pieces)
        : await this.#sent(delivery, pieces);
      this.#ready.push(...(gather?.accept(FRAME, task.id, arrived) ?? []));
    }
  }

  async #sent(delivery: Delivery, pieces: readonly Piece[]): Promise<Piece[]> {
    const copies = copiedPieces(delivery, pieces);
    return Promise.all(
      copies.map(async ({ tensor, region }, at) => ({
        tensor: await asSent(tensor, delivery.pieces[at]?.codec),
        region,
      })),
    );
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

/** What a worker made for itself stays as it is, and so does what the splitter gives the merger beside it. */
function isAtHome({ kind, devices }: Task, delivery: Delivery): boolean {
  if (delivery.to === 'merger') return kind === 'source';
  return devices?.length === 1 && devices[0] === delivery.worker;
}
