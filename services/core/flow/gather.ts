/** Gather and repartition: pieces arrive in any order, each rectangle is copied into the inputs that need it, tasks become ready. */

import { copyRegion } from '../tensor/copy.ts';
import { elementBytes, tensorBytes } from '../tensor/dtype.ts';
import { contains, extents, type Region, whole } from '../tensor/region.ts';
import type { Piece } from '../wire/message.ts';
import type { IndexedTransfer, PlanIndex, Task } from './plan-index.ts';

/** A frame as gathering knows it; `sequence` decides between replicas. */
export interface FrameRef {
  readonly id: string;
  readonly sequence: number;
}

/** Where a task's inputs are put together: a wire message's body, or a worker's own memory. */
export interface InputBuffer {
  /** Memory of one input of the task, as long as its region; the same memory on every call. */
  write(tensor: string): Uint8Array;
}

export interface ReadyTask<B> {
  readonly task: Task;
  readonly inputs: B;
}

/** What a frame still waits for. */
export interface Missing {
  readonly task: string;
  readonly transfers: readonly { readonly from: string; readonly tensor: string; readonly region: Region }[];
}

/**
 * Why a piece was not used:
 * `unknown-task`  no transfer into the tasks gathered here comes from that task;
 * `wrong-turn`    the task belongs to another replica than the frame;
 * `unknown-tensor` the task brings no such tensor here;
 * `wrong-type`    the element type is not the plan's;
 * `wrong-shape`   region, shape, length and the plan's tensor do not agree;
 * `uncovered`     no transfer lies inside the region.
 */
export type GatherReason =
  | 'unknown-task'
  | 'wrong-turn'
  | 'unknown-tensor'
  | 'wrong-type'
  | 'wrong-shape'
  | 'uncovered';

export interface GatherCounters {
  /** Transfers copied. */
  readonly transfers: number;
  /** Bytes copied. */
  readonly bytes: number;
  /** Transfers that arrived again, and were left alone. */
  readonly duplicates: number;
  /** Pieces for frames that had ended. */
  readonly late: number;
  /** Frames given up because too many were under way. */
  readonly evicted: number;
  readonly rejected: Readonly<Partial<Record<GatherReason, number>>>;
}

export interface GatherOptions<B extends InputBuffer> {
  readonly index: PlanIndex;
  /** Ids of the tasks whose inputs are gathered here. */
  readonly tasks: readonly string[];
  /** Makes room for a task's inputs, when its first rectangle arrives. */
  readonly allocate: (frame: FrameRef, task: Task) => B;
  /** Most frames under way, asked at each new one (64 where absent); beyond it the oldest is given up. */
  readonly maxFrames?: () => number;
  /** Told of a frame given up, before it is forgotten. */
  readonly onEvict?: (frame: FrameRef, missing: readonly Missing[]) => void;
}

interface Assembly<B> {
  readonly task: Task;
  inputs: B | undefined;
  /** Ids of the transfers that have not arrived: identities, not a count, so that a duplicate fills no hole. */
  readonly waiting: Set<number>;
}

interface FrameState<B> {
  readonly frame: FrameRef;
  readonly assemblies: Map<string, Assembly<B>>;
  open: number;
}

/** Ended frames remembered, to tell a late piece from a new frame. */
const REMEMBERED = 1024;

export class Gather<B extends InputBuffer> {
  readonly #options: GatherOptions<B>;
  readonly #maxFrames: () => number;
  readonly #tasks: readonly Task[];
  /** Transfers into the tasks gathered here, by the task they come from. */
  readonly #incoming = new Map<string, IndexedTransfer[]>();
  readonly #frames = new Map<string, FrameState<B>>();
  readonly #ended = new Set<string>();
  readonly #rejected = new Map<GatherReason, number>();
  #transfers = 0;
  #bytes = 0;
  #duplicates = 0;
  #late = 0;
  #evicted = 0;

  constructor(options: GatherOptions<B>) {
    this.#options = options;
    this.#maxFrames = options.maxFrames ?? (() => 64);
    const { index } = options;
    this.#tasks = options.tasks.map((id) => index.tasks.get(id)).filter((task) => task !== undefined);
    for (const task of this.#tasks) {
      for (const transfer of index.transfersTo(task.id)) {
        const list = this.#incoming.get(transfer.from);
        if (list === undefined) this.#incoming.set(transfer.from, [transfer]);
        else list.push(transfer);
      }
    }
  }

  /**
   * Begins a frame, and returns its tasks that need no input at all. A frame under way goes on as it is;
   * one that had ended begins anew (a replay).
   */
  open(frame: FrameRef): ReadyTask<B>[] {
    if (this.#frames.has(frame.id)) return [];
    this.#ended.delete(frame.id);
    const most = this.#maxFrames();
    while (this.#frames.size > 0 && this.#frames.size >= most) this.#evictOldest();
    const state = this.#begin(frame);
    this.#frames.set(frame.id, state);
    const ready: ReadyTask<B>[] = [];
    for (const assembly of state.assemblies.values()) {
      if (assembly.waiting.size === 0) ready.push(this.#complete(state, assembly));
    }
    return ready;
  }

  /**
   * Takes pieces that one task made for a frame, which is begun if it is new. Returns the tasks whose inputs are
   * complete by them; each task of a frame is returned once. Pieces that fit nothing are counted by reason.
   */
  accept(frame: FrameRef, fromTask: string, pieces: readonly Piece[]): ReadyTask<B>[] {
    const transfers = this.#incoming.get(fromTask);
    const from = this.#options.index.tasks.get(fromTask);
    if (transfers === undefined || from === undefined) return this.#refuse('unknown-task', pieces.length);
    if (this.#ended.has(frame.id)) {
      this.#late += pieces.length;
      return [];
    }
    if (!this.#options.index.applies(from, frame.sequence)) return this.#refuse('wrong-turn', pieces.length);
    const usable = pieces.filter((piece) => this.#usable(piece, transfers));
    if (usable.length === 0) return [];
    const ready = this.open(frame);
    for (const piece of usable) {
      // An earlier piece may have been the last the frame waited for.
      const state = this.#frames.get(frame.id);
      if (state === undefined) this.#late++;
      else this.#place(state, piece, transfers, ready);
    }
    return ready;
  }

  /** Forgets a frame; pieces that come later are counted as late. */
  drop(frame: string): void {
    if (!this.#frames.delete(frame)) return;
    this.#ended.add(frame);
    if (this.#ended.size > REMEMBERED) this.#ended.delete(this.#ended.values().next().value as string);
  }

  /** Tasks of a frame whose inputs are incomplete, with the transfers that have not arrived. */
  missing(frame: string): Missing[] {
    const state = this.#frames.get(frame);
    return state === undefined ? [] : this.#missingOf(state);
  }

  has(frame: string): boolean {
    return this.#frames.has(frame);
  }

  /** Whether a frame ended here not long ago. */
  hasEnded(frame: string): boolean {
    return this.#ended.has(frame);
  }

  /** Frames under way, the oldest first. */
  get frames(): FrameRef[] {
    return [...this.#frames.values()].map(({ frame }) => frame);
  }

  counters(): GatherCounters {
    return {
      transfers: this.#transfers,
      bytes: this.#bytes,
      duplicates: this.#duplicates,
      late: this.#late,
      evicted: this.#evicted,
      rejected: Object.fromEntries(this.#rejected),
    };
  }

  #begin(frame: FrameRef): FrameState<B> {
    const { index } = this.#options;
    const assemblies = new Map<string, Assembly<B>>();
    for (const task of this.#tasks) {
      if (!index.applies(task, frame.sequence)) continue;
      const waiting = new Set<number>();
      for (const { id, from } of index.transfersTo(task.id)) {
        if (index.applies(index.tasks.get(from) as Task, frame.sequence)) waiting.add(id);
      }
      assemblies.set(task.id, { task, inputs: undefined, waiting });
    }
    return { frame, assemblies, open: assemblies.size };
  }

  #usable({ tensor, region }: Piece, transfers: readonly IndexedTransfer[]): boolean {
    const known = this.#options.index.plan.tensors[tensor.name];
    let reason: GatherReason | undefined;
    if (known === undefined || transfers.every((transfer) => transfer.tensor !== tensor.name))
      reason = 'unknown-tensor';
    else if (tensor.dtype !== known.dtype) reason = 'wrong-type';
    else if (
      !contains(whole(known.shape), region) ||
      !sameShape(extents(region), tensor.shape) ||
      tensor.bytes.byteLength !== tensorBytes(tensor.dtype, tensor.shape)
    ) {
      reason = 'wrong-shape';
    } else if (
      !transfers.some((transfer) => transfer.tensor === tensor.name && contains(region, transfer.region))
    ) {
      reason = 'uncovered';
    }
    if (reason !== undefined) this.#refuse(reason, 1);
    return reason === undefined;
  }

  #place(
    state: FrameState<B>,
    piece: Piece,
    transfers: readonly IndexedTransfer[],
    ready: ReadyTask<B>[],
  ): void {
    for (const transfer of transfers) {
      if (transfer.tensor !== piece.tensor.name || !contains(piece.region, transfer.region)) continue;
      const assembly = state.assemblies.get(transfer.to);
      if (assembly === undefined) continue;
      if (!assembly.waiting.delete(transfer.id)) {
        this.#duplicates++;
        continue;
      }
      this.#copy(state.frame, assembly, piece, transfer);
      if (assembly.waiting.size === 0) ready.push(this.#complete(state, assembly));
    }
  }

  #copy(frame: FrameRef, assembly: Assembly<B>, { tensor, region }: Piece, transfer: IndexedTransfer): void {
    const { task } = assembly;
    assembly.inputs ??= this.#options.allocate(frame, task);
    const input = task.inputs.find(
      (candidate) => candidate.tensor === transfer.tensor,
    ) as Task['inputs'][number];
    const target = assembly.inputs.write(transfer.tensor);
    const size = elementBytes(tensor.dtype);
    copyRegion(tensor.bytes, region, target, input.region, transfer.region, size);
    this.#transfers++;
    this.#bytes += extents(transfer.region).reduce((product, extent) => product * extent, size);
  }

  #complete(state: FrameState<B>, assembly: Assembly<B>): ReadyTask<B> {
    const inputs = assembly.inputs ?? this.#options.allocate(state.frame, assembly.task);
    // The receiver owns the memory now; only the set of arrivals is kept, to recognise duplicates.
    assembly.inputs = undefined;
    state.open--;
    if (state.open === 0) this.drop(state.frame.id);
    return { task: assembly.task, inputs };
  }

  #evictOldest(): void {
    const [oldest] = this.#frames.values();
    if (oldest === undefined) return;
    this.#options.onEvict?.(oldest.frame, this.#missingOf(oldest));
    this.drop(oldest.frame.id);
    this.#evicted++;
  }

  #missingOf(state: FrameState<B>): Missing[] {
    const missing: Missing[] = [];
    for (const { task, waiting } of state.assemblies.values()) {
      if (waiting.size === 0) continue;
      const transfers = this.#options.index
        .transfersTo(task.id)
        .filter(({ id }) => waiting.has(id))
        .map(({ from, tensor, region }) => ({ from, tensor, region }));
      missing.push({ task: task.id, transfers });
    }
    return missing;
  }

  #refuse(reason: GatherReason, count: number): never[] {
    this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + count);
    return [];
  }
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

/** The hole in words: the producers whose data has not come, at most `limit` of them by name. */
export function describeMissing(missing: readonly Missing[], limit = 5): string {
  const producers = new Set(missing.flatMap(({ transfers }) => transfers.map(({ from }) => from)));
  const named = [...producers].slice(0, limit).join(', ');
  const more = producers.size > limit ? ` and ${producers.size - limit} more` : '';
  const waiting = missing
    .map(({ task }) => task)
    .slice(0, limit)
    .join(', ');
  return producers.size === 0 ? 'nothing is missing' : `no data from ${named}${more}; waiting: ${waiting}`;
}
