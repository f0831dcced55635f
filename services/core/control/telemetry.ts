/** What a dispatcher sees of its tasks, by worker and task over a short window, in bounded memory. */

import type { Stamps, WorkerSummary } from '../flow/dispatch.ts';
import { median } from '../runtime/quantile.ts';
import type { Telemetry } from '../schema/generated/telemetry.ts';

/** One answer of a worker. */
export interface Sample extends Stamps {
  readonly worker: string;
  readonly plan: string;
  readonly task: string;
  /** Sent to answered, in milliseconds; undefined where nobody waited for it any more. */
  readonly totalMs?: number | undefined;
  /** Of the message that was sent. */
  readonly bytes: number;
}

/** Answers of one row whose median is told; more than these and the newest count. */
const KEPT = 16;
/** Rows and workers of one document. */
const MOST = 512;
/** Windows without an answer after which a row's memory is let go. */
const FORGET_AFTER = 60;
/** An answer that took so many times what its row's took in the window before, or that part of it, is unusual. */
const UNUSUAL = 2;
/** And by so many milliseconds: short tasks are always up and down. */
const UNUSUAL_MS = 5;
/** Windows with answers of which the quickest says what is usual of a task that runs: one slow answer is not usual yet. */
const USUAL = 3;
/** A task that waited longer than this share of its computing says nothing before it ends: others are in front of it. */
const WAITED = 1 / 4;

type Running = NonNullable<Telemetry['running']>[number];

class Row {
  readonly worker: string;
  readonly plan: string;
  readonly task: string;
  count = 0;
  timed = 0;
  bytes = 0;
  computeSum = 0;
  queueSum = 0;
  unused = 0;
  /** Medians of the last window with answers; 0: there was none. */
  #usualMs = 0;
  #lastMs: readonly number[] = [];
  /** The least of the last ones; Infinity: there was none. */
  #leastMs = Number.POSITIVE_INFINITY;
  #usualQueueMs = 0;
  #usualRestMs = 0;
  readonly #compute = new Float64Array(KEPT);
  readonly #queue = new Float64Array(KEPT);
  readonly #rest = new Float64Array(KEPT);

  constructor({ worker, plan, task }: Sample) {
    this.worker = worker;
    this.plan = plan;
    this.task = task;
  }

  /** Whether it is unusual. */
  add(computeMs: number, queueMs: number, restMs: number | undefined, bytes: number): boolean {
    const at = this.count++ % KEPT;
    this.#compute[at] = computeMs;
    this.#queue[at] = queueMs;
    if (restMs !== undefined) this.#rest[this.timed++ % KEPT] = restMs;
    this.computeSum += computeMs;
    this.queueSum += queueMs;
    this.bytes += bytes;
    const [less, more] = [Math.min(computeMs, this.#usualMs), Math.max(computeMs, this.#usualMs)];
    return this.#usualMs > 0 && more > UNUSUAL * less && more - less > UNUSUAL_MS;
  }

  /** Of one that was sent so long ago: what it has been computing at least, where that is unusual. */
  running(elapsedMs: number): Running | undefined {
    const usualMs = this.#leastMs;
    const computeMs = elapsedMs - this.#usualRestMs - this.#usualQueueMs;
    if (computeMs <= UNUSUAL * usualMs || computeMs - usualMs <= UNUSUAL_MS) return undefined;
    if (this.#usualQueueMs > WAITED * usualMs) return undefined;
    const { worker, plan, task } = this;
    return { worker, plan, task, computeMs: rounded(computeMs), usualMs };
  }

  /** The row as it is told; begins the next window. */
  take(): Telemetry['tasks'][number] {
    const { worker, plan, task, count, timed, bytes } = this;
    const told = {
      worker,
      plan,
      task,
      count,
      computeMs: middle(this.#compute, count),
      computeSumMs: rounded(this.computeSum),
      queueMs: middle(this.#queue, count),
      queueSumMs: rounded(this.queueSum),
      ...(timed === 0 ? {} : { restMs: middle(this.#rest, timed) }),
      bytes,
    };
    this.#usualMs = told.computeMs;
    this.#lastMs = [...this.#lastMs, told.computeMs].slice(-USUAL);
    this.#leastMs = Math.min(...this.#lastMs);
    this.#usualQueueMs = told.queueMs;
    this.#usualRestMs = told.restMs ?? this.#usualRestMs;
    this.count = 0;
    this.timed = 0;
    this.bytes = 0;
    this.computeSum = 0;
    this.queueSum = 0;
    this.unused = 0;
    return told;
  }
}

export class TelemetryWindow {
  readonly #rows = new Map<string, Row>();
  /** Timeouts told so far, by worker. */
  #timeouts = new Map<string, number>();
  #omitted = 0;

  /**
   * An answer has come; whether it took unusually long or short, so that the window should end soon. One without a worker's
   * stamps says nothing and is left out.
   */
  add(sample: Sample): boolean {
    const { receivedMs, startedMs, endedMs, totalMs } = sample;
    if (receivedMs === undefined || startedMs === undefined || endedMs === undefined) return false;
    const key = `${sample.worker} ${sample.plan} ${sample.task}`;
    let row = this.#rows.get(key);
    if (row === undefined) {
      if (this.#rows.size >= MOST) {
        this.#omitted++;
        return false;
      }
      row = new Row(sample);
      this.#rows.set(key, row);
    }
    const rest = totalMs === undefined ? undefined : Math.max(0, totalMs - (endedMs - receivedMs));
    return row.add(Math.max(0, endedMs - startedMs), Math.max(0, startedMs - receivedMs), rest, sample.bytes);
  }

  /** Tasks that are out at `now`, on the dispatcher's clock, and take unusually long. */
  running(workers: readonly WorkerSummary[], now: number): Running[] {
    const told: Running[] = [];
    for (const { id, running } of workers) {
      if (running === undefined || told.length >= MOST) continue;
      const row = this.#rows.get(`${id} ${running.plan} ${running.task}`);
      const late = row?.running(now - running.since);
      if (late !== undefined) told.push(late);
    }
    return told;
  }

  /** What there is to tell of the window that ends now, or undefined where nothing happened; begins the next one. */
  take(workers: readonly WorkerSummary[]): Pick<Telemetry, 'tasks' | 'workers' | 'omitted'> | undefined {
    const tasks: Telemetry['tasks'] = [];
    for (const [key, row] of this.#rows) {
      if (row.count > 0) tasks.push(row.take());
      else if (++row.unused > FORGET_AFTER) this.#rows.delete(key);
    }
    const busy = this.#busy(workers);
    const omitted = this.#omitted;
    this.#omitted = 0;
    return tasks.length + busy.length + omitted === 0 ? undefined : { tasks, workers: busy, omitted };
  }

  #busy(workers: readonly WorkerSummary[]): Telemetry['workers'] {
    const told = new Map<string, number>();
    const busy: Telemetry['workers'] = [];
    for (const { id, active, timeouts } of workers) {
      const before = this.#timeouts.get(id) ?? 0;
      told.set(id, timeouts);
      // One that came back counts from zero again.
      const fresh = timeouts < before ? timeouts : timeouts - before;
      if (active + fresh > 0 && busy.length < MOST) busy.push({ worker: id, active, timeouts: fresh });
    }
    this.#timeouts = told;
    return busy;
  }
}

/** Of the samples that are there. */
function middle(samples: Float64Array, count: number): number {
  return rounded(median(samples.subarray(0, Math.min(count, KEPT))));
}

/** Microseconds are enough. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
