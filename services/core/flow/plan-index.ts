/** Look-ups over a plan: who runs, gathers and sends what. Made once per plan; a plan is checked first. */

import type { Plan } from '../schema/generated/plan.ts';
import { type Range, type Region, sameRegion } from '../tensor/region.ts';
import { DEFLATE, isPictureCodec, type PictureCodec } from '../wire/codecs.ts';

export { canonicalJson, planDigest } from './plan-digest.ts';
export { validatePlan } from './validate-plan.ts';

export type Task = Plan['tasks'][number];
export type Transfer = Plan['transfers'][number];

/** A transfer with its position in the plan, which identifies it. */
export interface IndexedTransfer extends Transfer {
  readonly id: number;
}

export interface DeliveryPiece {
  readonly tensor: string;
  readonly region: Region;
  /** Codec the plan asks for; absent: raw. */
  readonly codec?: string;
}

/**
 * One message a finished task makes: the pieces of its outputs that go to one place.
 * `worker` may be the very worker that ran the task: then nothing travels.
 */
export type Delivery =
  | { readonly to: 'merger'; readonly pieces: readonly DeliveryPiece[] }
  | {
      readonly to: 'worker';
      readonly worker: string;
      readonly pieces: readonly DeliveryPiece[];
      /** By way of the worker's own broker: where every transfer of the task to this worker asks for it. */
      readonly direct?: true;
    };

/** Who hands a task to a worker: the splitter or merger as a `task` message, or the worker itself. */
export type Dispatch = 'splitter' | 'merger' | 'worker';

export class PlanIndex {
  readonly plan: Plan;
  readonly tasks: ReadonlyMap<string, Task>;
  readonly source: Task;
  readonly sink: Task;
  /** Workers that gather inputs by themselves. */
  readonly gatherers: ReadonlySet<string>;
  readonly #dispatch = new Map<string, Dispatch>();
  readonly #from = new Map<string, IndexedTransfer[]>();
  readonly #to = new Map<string, IndexedTransfer[]>();
  readonly #deliveries = new Map<string, readonly Delivery[]>();
  readonly #packed = new Map<string, ReadonlySet<string>>();
  readonly #pictures = new Map<string, ReadonlyMap<string, PictureCodec>>();
  readonly #codecs = new Map<string, readonly string[]>();

  /** `plan` must have passed `validatePlan`. */
  constructor(plan: Plan) {
    this.plan = plan;
    this.tasks = new Map(plan.tasks.map((task) => [task.id, task]));
    this.source = plan.tasks.find(({ kind }) => kind === 'source') as Task;
    this.sink = plan.tasks.find(({ kind }) => kind === 'sink') as Task;
    for (const [id, transfer] of plan.transfers.entries()) {
      const indexed = { ...transfer, id };
      append(this.#from, transfer.from, indexed);
      append(this.#to, transfer.to, indexed);
    }
    for (const task of plan.tasks) {
      if (task.kind === 'run') this.#dispatch.set(task.id, this.#dispatcherOf(task));
    }
    this.gatherers = new Set(this.#idsBy('worker').flatMap((id) => this.tasks.get(id)?.devices ?? []));
  }

  /** Transfers out of a task, in plan order. */
  transfersFrom(task: string): readonly IndexedTransfer[] {
    return this.#from.get(task) ?? [];
  }

  /** Transfers into a task, in plan order. */
  transfersTo(task: string): readonly IndexedTransfer[] {
    return this.#to.get(task) ?? [];
  }

  /** Inputs of a task that travel deflated in its `task` message: those of which every transfer asks for it. */
  packedInputs(task: string): ReadonlySet<string> {
    let found = this.#packed.get(task);
    if (found === undefined) {
      const transfers = this.transfersTo(task);
      const plain = new Set(transfers.filter(({ codec }) => codec !== DEFLATE).map(({ tensor }) => tensor));
      found = new Set(transfers.map(({ tensor }) => tensor).filter((tensor) => !plain.has(tensor)));
      this.#packed.set(task, found);
    }
    return found;
  }

  /** Inputs of a task that travel as pictures in its `task` message: those of which every transfer asks for the same. */
  pictureInputs(task: string): ReadonlyMap<string, PictureCodec> {
    let found = this.#pictures.get(task);
    if (found === undefined) {
      const transfers = this.transfersTo(task);
      const first = new Map<string, PictureCodec>();
      for (const { tensor, codec } of transfers) if (isPictureCodec(codec)) first.set(tensor, codec);
      for (const { tensor, codec } of transfers) if (codec !== first.get(tensor)) first.delete(tensor);
      found = first;
      this.#pictures.set(task, found);
    }
    return found;
  }

  /** Codecs, beside raw, that whoever runs a task must take: those its inputs come to the worker in. */
  codecsTo(task: string): readonly string[] {
    let found = this.#codecs.get(task);
    if (found === undefined) {
      found = [...new Set(this.#inputCodecs(task))];
      this.#codecs.set(task, found);
    }
    return found;
  }

  /** Who dispatches a task that runs; undefined for the source, the sink and strangers. */
  dispatchOf(task: string): Dispatch | undefined {
    return this.#dispatch.get(task);
  }

  /** Whether a task takes part in the frame of this running number. */
  applies(task: Task, sequence: number): boolean {
    return task.replica === undefined || sequence % (this.plan.replicas ?? 1) === task.replica;
  }

  /** Tasks the splitter dispatches for a frame: those that read nothing but the frame itself. */
  sourceTasks(sequence: number): Task[] {
    return this.#dispatchedBy('splitter', sequence);
  }

  /** Tasks the merger gathers and dispatches for a frame. */
  mergerTasks(sequence: number): Task[] {
    return this.#dispatchedBy('merger', sequence);
  }

  /** Tasks a worker gathers by itself for a frame. */
  workerTasks(worker: string, sequence: number): Task[] {
    return this.#dispatchedBy('worker', sequence).filter(({ devices }) => devices?.[0] === worker);
  }

  /** Ids of the tasks whose inputs a merger gathers, over all replicas: those it dispatches, and the sink. */
  mergerGathers(): string[] {
    return [...this.#idsBy('merger'), this.sink.id];
  }

  /** Ids of the tasks whose inputs a worker gathers by itself. */
  workerGathers(worker: string): string[] {
    return this.#idsBy('worker').filter((id) => this.tasks.get(id)?.devices?.[0] === worker);
  }

  /**
   * The messages to send when a task has finished (or, for the source, when a frame starts). What the splitter puts
   * into `task` messages is not among them. A message holds a tensor once, so several strips of one tensor for one
   * worker make several messages.
   */
  deliveries(task: string, sequence: number): readonly Delivery[] {
    const turn = sequence % (this.plan.replicas ?? 1);
    const key = `${turn} ${task}`;
    let found = this.#deliveries.get(key);
    if (found === undefined) {
      found = this.#makeDeliveries(task, turn);
      this.#deliveries.set(key, found);
    }
    return found;
  }

  #dispatcherOf(task: Task): Dispatch {
    if (task.gather === 'worker') return 'worker';
    return this.transfersTo(task.id).every(({ from }) => from === this.source.id) ? 'splitter' : 'merger';
  }

  #inputCodecs(task: string): string[] {
    const dispatch = this.dispatchOf(task);
    if (dispatch === 'worker') {
      const here = this.tasks.get(task)?.devices?.[0];
      const strips = this.transfersTo(task).filter(({ from }) => this.tasks.get(from)?.devices?.[0] !== here);
      return strips.map(({ codec = 'raw' }) => codec).filter((codec) => codec !== 'raw');
    }
    const pictures = dispatch === 'splitter' ? this.pictureInputs(task).values() : [];
    return [...(this.packedInputs(task).size > 0 ? [DEFLATE] : []), ...pictures];
  }

  #idsBy(dispatch: Dispatch): string[] {
    return [...this.#dispatch].filter(([, by]) => by === dispatch).map(([id]) => id);
  }

  #dispatchedBy(dispatch: Dispatch, sequence: number): Task[] {
    return this.#idsBy(dispatch)
      .map((id) => this.tasks.get(id) as Task)
      .filter((task) => this.applies(task, sequence));
  }

  #makeDeliveries(task: string, turn: number): Delivery[] {
    const toMerger = new Map<string, DeliveryPiece>();
    const toWorkers = new Map<string, DeliveryPiece[]>();
    const byHub = new Set<string>();
    for (const transfer of this.transfersFrom(task)) {
      const consumer = this.tasks.get(transfer.to) as Task;
      if (!this.applies(consumer, turn)) continue;
      const dispatch = this.#dispatch.get(consumer.id);
      const piece = pieceOf(transfer);
      const [device] = consumer.devices ?? [];
      if (dispatch === 'worker') {
        append(toWorkers, device as string, piece);
        if (transfer.endpoint !== device) byHub.add(device as string);
      } else if (dispatch !== 'splitter')
        toMerger.set(piece.tensor, joined(toMerger.get(piece.tensor), piece));
    }
    const deliveries: Delivery[] = [];
    if (toMerger.size > 0) {
      deliveries.push({
        to: 'merger',
        pieces: [...toMerger.values()],
      });
    }
    for (const [worker, pieces] of toWorkers) {
      const way = byHub.has(worker) ? {} : { direct: true as const };
      for (const message of oneOfEachTensor(pieces))
        deliveries.push({ to: 'worker', worker, pieces: message, ...way });
    }
    return deliveries;
  }
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function pieceOf({ tensor, region, codec }: Transfer): DeliveryPiece {
  return codec === undefined || codec === 'raw' ? { tensor, region } : { tensor, region, codec };
}

/**
 * One piece for both: the smallest box around them, for a task's output is one box and what lies between was made
 * as well. Where only one of them may lose precision, neither does.
 */
function joined(a: DeliveryPiece | undefined, b: DeliveryPiece): DeliveryPiece {
  if (a === undefined) return b;
  const region = b.region.map(([begin, end], axis) => {
    const [from, to] = a.region[axis] as Range;
    return [Math.min(begin, from), Math.max(end, to)] as const;
  });
  const { codec } = b;
  return codec === undefined || codec !== a.codec
    ? { tensor: b.tensor, region }
    : { tensor: b.tensor, region, codec };
}

/** Spreads pieces over messages so that none holds a tensor twice; equal pieces travel once. */
function oneOfEachTensor(pieces: readonly DeliveryPiece[]): DeliveryPiece[][] {
  const messages: DeliveryPiece[][] = [];
  for (const piece of pieces) {
    const known = messages
      .flat()
      .some(({ tensor, region }) => tensor === piece.tensor && sameRegion(region, piece.region));
    if (known) continue;
    const room = messages.find((message) => message.every(({ tensor }) => tensor !== piece.tensor));
    if (room === undefined) messages.push([piece]);
    else room.push(piece);
  }
  return messages;
}
