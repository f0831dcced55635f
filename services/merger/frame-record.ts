/** What the merger knows of a frame under way: whose it is, what its answer needs, and how long its blocks took. */

import { attemptOf } from '../core/control/attempt-of.ts';
import type { PlanIndex } from '../core/flow/plan-index.ts';
import type { MessageMeta, TensorData } from '../core/wire/message.ts';

/** Time of one block, from the first tile sent to the last tile back. */
interface BlockTiming {
  from: number;
  to: number;
  tiles: number;
  slowestTileMs: number;
  slowestTask: string;
  slowestWorker: string;
}

export interface FrameTiming {
  readonly block: number;
  readonly kind: 'tile' | 'whole' | 'shard' | 'partial';
  readonly ms: number;
  readonly tiles: number;
  readonly slowestTileMs: number;
  readonly slowestTask: string;
  readonly slowestWorker: string;
}

export class FrameRecord {
  readonly id: string;
  readonly startedAt: number;
  deadlineAt: number;
  /** Sinks fill these. */
  readonly outputs = new Map<string, TensorData>();
  source: string;
  sequence: number;
  splitter: string | undefined;
  /** What the splitter's `open` says for the answer; undefined until it has come. */
  extra: unknown;
  bytes = 0;
  readonly #blocks = new Map<number, BlockTiming>();
  readonly #counted = new Set<string>();

  constructor(id: string, meta: MessageMeta, now: number) {
    this.id = id;
    this.startedAt = now;
    this.deadlineAt = now + (meta.deadlineMs ?? 60_000);
    this.source = meta.source ?? 'unknown';
    this.sequence = meta.sequence ?? 0;
    this.splitter = meta.splitter;
    this.extra = meta.kind === 'open' ? meta.extra : undefined;
  }

  /** Number of the splitter's attempt, as it counts them. */
  get attempt(): number | undefined {
    return this.extra === undefined ? undefined : attemptOf(this);
  }

  /** A task's data arrived: a repeated one counts its bytes, not its time. */
  taskArrived(index: PlanIndex, meta: MessageMeta, now: number): void {
    const task = index.tasks.get(meta.task ?? '');
    if (task?.block === undefined || this.#counted.has(task.id)) return;
    this.#counted.add(task.id);
    const tileMs = Math.max(0, (meta.endedMs ?? 0) - (meta.startedMs ?? 0));
    const timing = this.#timing(task.block, now - tileMs);
    timing.to = now;
    timing.tiles++;
    if (tileMs < timing.slowestTileMs) return;
    timing.slowestTileMs = tileMs;
    timing.slowestTask = task.id;
    timing.slowestWorker = meta.sender ?? 'unknown';
  }

  /** A task of a block was handed to the dispatcher. */
  taskReady(block: number, now: number): void {
    this.#timing(block, now);
  }

  /** Of blocks that made something for the merger: what goes from worker to worker is not seen here. */
  timings(index: PlanIndex): FrameTiming[] {
    return [...this.#blocks]
      .filter(([, { tiles }]) => tiles > 0)
      .sort(([a], [b]) => a - b)
      .map(([block, { from, to, tiles, slowestTileMs, slowestTask, slowestWorker }]) => ({
        block,
        kind: index.plan.blocks.find(({ id }) => id === block)?.kind ?? 'whole',
        ms: Math.max(0, to - from),
        tiles,
        slowestTileMs,
        slowestTask,
        slowestWorker,
      }));
  }

  #timing(block: number, from: number): BlockTiming {
    let timing = this.#blocks.get(block);
    if (timing === undefined) {
      timing = { from, to: from, tiles: 0, slowestTileMs: -1, slowestTask: '', slowestWorker: '' };
      this.#blocks.set(block, timing);
    }
    timing.from = Math.min(timing.from, from);
    return timing;
  }
}
