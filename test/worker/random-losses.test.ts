/**
 * Strips lost, late and out of order: workers' gathering, keeping and asking on a clock of the test's own, on random
 * networks. However many are lost, an attempt comes through whose output is the uncut model's.
 */

import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { Gather } from '../../services/core/flow/gather.ts';
import type { Task } from '../../services/core/flow/plan-index.ts';
import { readGraph } from '../../services/core/graph/read-graph.ts';
import type { DType } from '../../services/core/graph/types.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { seededRandom } from '../../services/core/runtime/seeded-random.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { tensorBytes } from '../../services/core/tensor/dtype.ts';
import { extents, whole } from '../../services/core/tensor/region.ts';
import { analyse } from '../../services/core/tiling/analyse.ts';
import { bandCover, gridCover } from '../../services/core/tiling/cover.ts';
import type { Cover } from '../../services/core/tiling/types.ts';
import { decodeBody, messagePieces } from '../../services/core/wire/decode.ts';
import type { LaidMessage } from '../../services/core/wire/encode.ts';
import type { MessageMeta, Piece, TensorData } from '../../services/core/wire/message.ts';
import { dataMessage, localPieces, outputPieces } from '../../services/worker/deliver.ts';
import { Gathering } from '../../services/worker/gathering.ts';
import { KeptStrips } from '../../services/worker/kept-strips.ts';
import { encodeNetwork, keptTiling, longNetwork } from '../core/tiling/random/network.ts';
import { announced } from '../support/announced.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { difference, inputFor, runModel } from '../support/graph-reference.ts';
import { keptPlan } from '../support/kept-plan.ts';
import { residualNetwork } from '../support/networks.ts';
import { wholeModel } from '../support/ort.ts';

const RUNS = Math.min(Number(process.env.TILEPIPE_PROPERTY_RUNS ?? 4), 25);
const TOLERANCE = 1e-4;
/** Of an attempt, and what passes when nothing is on its way any more. */
const ATTEMPT_MS = 4_000;
const STEP_MS = 100;
const MOST_ATTEMPTS = 100;
const IMPATIENCE = 0.05;
const HASTY = 5;

const folder = temporaryFolder();
afterAll(() => folder.remove());
const blobs = new BlobCache({ folder: folder.path });

interface Sent {
  /** A worker, or the merger. */
  readonly to: string;
  readonly meta: MessageMeta;
  readonly pieces: readonly Piece[];
}

const MERGER = 'merger';

/** Splitter, merger and workers of one frame; `chance` gives numbers of [0, 1). */
class House {
  readonly gatherings = new Map<string, Gathering>();
  attempt = 0;
  outputs: readonly TensorData[] | undefined;
  lost = 0;
  readonly #plan: ReturnType<typeof announced>;
  readonly #inputs: readonly Piece[];
  readonly #loss: number;
  readonly #chance: () => number;
  readonly #kept = new Map<string, KeptStrips>();
  readonly #merger: Gather<ReturnType<typeof memory>>;
  readonly #way: Sent[] = [];
  readonly #sessions = new Map<string, Awaited<ReturnType<typeof wholeModel>>>();
  #now = 0;
  #until = 0;

  constructor(plan: Plan, inputs: readonly TensorData[], loss: number, chance: () => number) {
    this.#plan = announced(plan);
    this.#inputs = inputs.map((tensor) => ({ tensor, region: whole(tensor.shape) }));
    this.#loss = loss;
    this.#chance = chance;
    const { index } = this.#plan;
    for (const worker of index.gatherers) this.gatherings.set(worker, new Gathering(this.#plan, worker));
    const allocate = (_: unknown, task: Task) => memory(plan, task);
    this.#merger = new Gather({ index, tasks: index.mergerGathers(), allocate });
  }

  /** Until the result is there, and nothing is on its way any more. */
  async run(): Promise<void> {
    await this.#begin();
    while (this.outputs === undefined || this.#way.length > 0) {
      const at = Math.floor(this.#chance() * this.#way.length);
      const [message] = this.#way.splice(at, 1);
      if (message === undefined) await this.#wait();
      // Now and then the splitter loses patience while strips are on their way; later attempts have all the time they need.
      else if (this.attempt < HASTY && this.#chance() < IMPATIENCE) await this.#again();
      else await this.#receive(message);
    }
  }

  async #begin(): Promise<void> {
    if (++this.attempt > MOST_ATTEMPTS) throw new Error('no attempt came through');
    this.#until = this.#now + ATTEMPT_MS;
    this.#merger.drop('f');
    for (const { task, inputs } of this.#merger.open({ id: 'f', sequence: 0 })) await this.#run(task, inputs);
    const { index } = this.#plan;
    for (const task of index.sourceTasks(0)) {
      const inputs = memory(this.#plan.index.plan, task);
      const single = new Gather({ index, tasks: [task.id], allocate: () => inputs });
      single.accept({ id: 'f', sequence: 0 }, index.source.id, this.#inputs);
      await this.#run(task, inputs);
    }
    await this.#deliver(index.source.id, '', this.#inputs);
  }

  /** The splitter tells the workers that the attempt is over; that may come late too. */
  async #again(): Promise<void> {
    for (const to of this.gatherings.keys())
      this.#way.push({ to, meta: this.#meta('close', ''), pieces: [] });
    await this.#begin();
  }

  async #wait(): Promise<void> {
    this.#now += STEP_MS;
    let over = this.#now >= this.#until;
    for (const [worker, gathering] of this.gatherings) {
      gathering.expire(this.#now);
      for (const { meta, lost, from } of gathering.overdue(this.#now)) {
        over ||= lost && attemptOf(meta) === this.attempt;
        if (!lost)
          for (const [to, tasks] of from)
            this.#send({
              to,
              meta: { ...meta, kind: 'want', sender: worker, message: tasks.join() },
              pieces: [],
            });
      }
    }
    if (over) await this.#again();
  }

  async #receive({ to, meta, pieces }: Sent): Promise<void> {
    if (to === MERGER) {
      for (const { task, inputs } of this.#merger.accept({ id: 'f', sequence: 0 }, meta.task ?? '', pieces)) {
        if (task.kind === 'sink') this.outputs ??= inputs.tensors;
        else await this.#run(task, inputs);
      }
    } else if (meta.kind === 'data') await this.#gather(to, meta, pieces);
    else if (meta.kind === 'close') this.gatherings.get(to)?.abandon(meta);
    else {
      const tasks = new Set((meta.message ?? '').split(','));
      for (const { message } of this.#kept.get(to)?.again(meta, meta.sender ?? '', tasks, () => false) ?? [])
        this.#send({ to: meta.sender ?? '', meta: message.meta, pieces: piecesOf(message) });
    }
  }

  async #gather(worker: string, meta: MessageMeta, pieces: readonly Piece[]): Promise<void> {
    const ready = this.gatherings.get(worker)?.accept(meta, pieces, this.#now) ?? [];
    for (const { task, inputs, meta: last } of ready)
      await this.#run(task, { tensors: inputs }, attemptOf(last));
  }

  async #run(
    task: Task,
    { tensors }: { readonly tensors: readonly TensorData[] },
    attempt = this.attempt,
  ): Promise<void> {
    const model = task.model as string;
    const session = this.#sessions.get(model) ?? (await wholeModel(blobs.path(model)));
    this.#sessions.set(model, session);
    const made = await session.run([...tensors]);
    const outputs = task.outputs.map(({ tensor }) => made.find(({ name }) => name === tensor) as TensorData);
    await this.#deliver(task.id, task.devices?.[0] ?? '', outputPieces(task, outputs), attempt);
  }

  async #deliver(
    task: string,
    maker: string,
    outputs: readonly Piece[],
    attempt = this.attempt,
  ): Promise<void> {
    const meta = { ...this.#meta('data', task), extra: { attempt } };
    const { index } = this.#plan;
    for (const delivery of index.deliveries(task, 0)) {
      if (delivery.to === 'worker' && delivery.worker === maker) {
        await this.#gather(maker, meta, localPieces(delivery, outputs));
        continue;
      }
      const message = dataMessage(index, delivery, outputs, meta);
      if (delivery.to === 'merger') this.#way.push({ to: MERGER, meta, pieces: piecesOf(message) });
      else {
        const kept = this.#kept.get(maker) ?? new KeptStrips(2 ** 20);
        this.#kept.set(maker, kept);
        kept.keep(delivery.worker, { delivery, message });
        this.#send({ to: delivery.worker, meta, pieces: piecesOf(message) });
      }
    }
  }

  #send(message: Sent): void {
    if (this.#chance() < this.#loss) this.lost++;
    else this.#way.push(message);
  }

  #meta(kind: MessageMeta['kind'], task: string): MessageMeta {
    const { digest, pipeline } = this.#plan;
    const deadlineMs = Math.max(1, this.#until - this.#now);
    const extra = { attempt: this.attempt };
    return { kind, plan: digest, pipeline, frame: 'f', sequence: 0, task, deadlineMs, extra };
  }
}

const piecesOf = ({ body }: LaidMessage): Piece[] => messagePieces(decodeBody(body));
const attemptOf = ({ extra }: MessageMeta): number => (extra as { attempt: number }).attempt;

function memory(plan: Plan, { inputs }: Task) {
  const tensors = inputs.map(({ tensor, region }): TensorData => {
    const { dtype } = plan.tensors[tensor] as { dtype: DType };
    const shape = extents(region);
    return { name: tensor, dtype, shape, bytes: new Uint8Array(tensorBytes(dtype, shape)) };
  });
  const write = (name: string) => (tensors.find((tensor) => tensor.name === name) as TensorData).bytes;
  return { tensors, write };
}

interface Case {
  readonly bytes: Uint8Array;
  readonly cover: Cover;
  /** Where each stretch that is tiled is cut, as shares of its nodes. */
  readonly cuts: readonly number[];
  /** Share of the strips, and of what is asked for again, that get lost. */
  readonly loss: number;
  readonly seed: number;
}

/** Runs one frame of a network by a plan whose tiles stay, and compares it with the uncut model. */
async function comesThrough({ bytes, cover, cuts, loss, seed }: Case): Promise<House> {
  const graph = await readGraph(bytes);
  const model = { name: 'random', digest: '0'.repeat(64), graph, analysis: analyse(graph) };
  const plan = await keptPlan(model, cover, { blobs, cuts });
  const house = new House(plan, graph.inputs.map(inputFor), loss, seededRandom(seed));
  await house.run();
  const reference = await runModel(bytes, graph.inputs);
  for (const name of plan.outputs) {
    const made = house.outputs?.find((tensor) => tensor.name === name);
    expect(difference(made, reference.get(name)), name).toBeLessThanOrEqual(TOLERANCE);
  }
  return house;
}

it(
  `a frame comes through on ${RUNS} random networks, whatever is lost`,
  async () => {
    // An attempt asks once or twice for each of some eighty strips: more is lost for good every time.
    const percent = fc.integer({ min: 4, max: 8 });
    let losses = 0;
    await fc.assert(
      fc.asyncProperty(longNetwork, keptTiling, percent, fc.integer(), async (net, tiling, lost, seed) => {
        const { bands, cuts } = tiling;
        const bytes = encodeNetwork(net);
        const house = await comesThrough({ bytes, cover: bandCover(bands), cuts, loss: lost / 100, seed });
        losses += house.lost;
      }),
      { numRuns: RUNS },
    );
    // Few runs may happen to have few strips.
    if (RUNS >= 20) expect(losses).toBeGreaterThan(0);
  },
  RUNS * 10_000 + 60_000,
);

it('what comes of attempts that are over is left alone, and counted', async () => {
  const seen = { lost: 0, stale: 0, attempts: 0 };
  for (let seed = 1; seed <= 4; seed++) {
    const house = await comesThrough({
      bytes: residualNetwork(),
      cover: gridCover(3, 1),
      cuts: [0.5],
      loss: 0.4,
      seed,
    });
    seen.lost += house.lost;
    seen.attempts += house.attempt;
    for (const gathering of house.gatherings.values())
      seen.stale += gathering.counters()['gather.stale'] ?? 0;
  }
  expect(seen.lost).toBeGreaterThan(10);
  expect(seen.stale).toBeGreaterThan(0);
  expect(seen.attempts).toBeGreaterThan(4);
});
