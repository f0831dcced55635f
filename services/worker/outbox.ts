/** What a worker sends: what its tasks made, answers to dispatchers, and what others have lost again. */

import { setImmediate } from 'node:timers/promises';
import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { attemptExtra, attemptOf } from '../core/control/attempt-of.ts';
import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import { sendMessage } from '../core/control/send.ts';
import type { Delivery, PlanIndex, Task } from '../core/flow/plan-index.ts';
import type { Want } from '../core/flow/wants.ts';
import { monotonicMs } from '../core/runtime/clock.ts';
import type { Counters } from '../core/runtime/counters.ts';
import { asTilepipeError, type ErrorCode } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import type { BodyPool } from '../core/wire/body-pool.ts';
import { unscaled } from '../core/wire/coded-message.ts';
import { type LaidMessage, layoutMessage } from '../core/wire/encode.ts';
import type { MessageMeta, Piece } from '../core/wire/message.ts';
import { dataMessage, localPieces } from './deliver.ts';
import { type KeptStrip, KeptStrips } from './kept-strips.ts';
import type { Neighbours } from './neighbours.ts';

export interface OutboxDeps {
  readonly id: string;
  readonly control: Bus;
  readonly data: Bus;
  readonly topics: Topics;
  readonly log: Log;
  readonly counters: Counters;
  readonly pool: BodyPool;
  /** Bytes of strips kept for workers that have lost them. */
  readonly keptBytes: number;
  /** Ways to other workers' own brokers; absent: all goes through the pipeline's. */
  readonly neighbours?: Neighbours | undefined;
}

/** A task that has run. */
export interface Ended {
  readonly plan: AnnouncedPlan;
  readonly task: Task;
  readonly meta: MessageMeta;
  readonly deadlineAt: number;
  /** Whether this worker gathered its inputs: then no dispatcher waits for an answer. */
  readonly gathered: boolean;
}

/** The connection a message to a worker goes by, and how many bytes will have left there once it has. */
interface Leaving {
  readonly bus: Bus;
  /** Infinite until it has its place. */
  readonly bytes: number;
}

/** Milliseconds of this worker's monotonic clock. */
export interface Stamps {
  readonly receivedMs: number;
  readonly startedMs: number;
  readonly endedMs: number;
}

export class Outbox {
  readonly #deps: OutboxDeps;
  readonly #kept: KeptStrips;
  readonly #leaving = new WeakMap<LaidMessage, Leaving>();

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
    this.#kept = new KeptStrips(deps.keptBytes);
  }

  /**
   * Sends what a task made: first what other workers wait for, all of it before any is waited for; then `stayed` hears of
   * what is for tasks of this worker, which may run while the rest is on its way: the merger's part, and the answer.
   */
  async deliver(
    { plan, task, meta, deadlineAt, gathered }: Ended,
    outputs: readonly Piece[],
    stamps: Stamps,
    stayed: (answer: MessageMeta, pieces: readonly Piece[]) => void,
  ): Promise<void> {
    const { id } = this.#deps;
    const left = Number.isFinite(deadlineAt) ? { deadlineMs: Math.max(1, deadlineAt - monotonicMs()) } : {};
    const answer: MessageMeta = {
      ...passedOn(meta),
      kind: 'data',
      sender: id,
      task: task.id,
      ...toMicroseconds(stamps),
      ...left,
    };
    const deliveries = plan.index.deliveries(task.id, meta.sequence ?? 0);
    const strips = deliveries.filter((each) => each.to === 'worker').filter(({ worker }) => worker !== id);
    await Promise.all(strips.map((each) => this.#strips(each, plan.index, outputs, answer)));
    // What is written to sockets leaves the process before the next task takes its processor.
    if (strips.length > 0) await setImmediate();
    for (const each of deliveries)
      if (each.to === 'worker' && each.worker === id) stayed(answer, localPieces(each, outputs));
    let told = gathered;
    for (const each of deliveries) {
      if (each.to !== 'merger') continue;
      told ||= meta.merger === meta.reply;
      await this.send(meta.merger, this.#message(plan.index, each, outputs, answer, this.#deps.pool));
    }
    if (!told) await this.send(meta.reply, layoutMessage({ ...answer, kind: 'done' }, []));
  }

  async #strips(
    delivery: Delivery & { readonly to: 'worker' },
    index: PlanIndex,
    outputs: readonly Piece[],
    answer: MessageMeta,
  ): Promise<void> {
    const { worker, direct } = delivery;
    const message = this.#message(index, delivery, outputs, answer);
    this.#kept.keep(worker, { delivery, message });
    this.#leaves(message);
    const bus = direct ? await this.#deps.neighbours?.send(worker, message) : undefined;
    if (bus === undefined) await this.#toWorker(worker, message);
    else this.#leaves(message, bus);
  }

  #message(
    index: PlanIndex,
    delivery: Delivery,
    outputs: readonly Piece[],
    meta: MessageMeta,
    pool?: BodyPool,
  ): LaidMessage {
    const message = dataMessage(index, delivery, outputs, meta, pool);
    const plain = unscaled(message, delivery.pieces);
    if (plain > 0) this.#deps.counters.add('pieces.not-finite', plain);
    return message;
  }

  /** Another worker has waited too long for what these tasks made: it goes again, if it is kept and has left before. */
  sendAgain(wanted: MessageMeta): void {
    const { sender = '', extra } = wanted;
    const tasks = tasksOf(extra);
    if (tasks === undefined || wanted.frame === undefined || wanted.plan === undefined) {
      this.#deps.counters.add('refused.incomplete');
      return;
    }
    const waits = ({ message }: KeptStrip): boolean => this.#waits(message);
    for (const { message } of this.#kept.again(wanted, sender, tasks, waits)) {
      this.#deps.counters.add('strips.again');
      if (this.#leaving.get(message)?.bus !== this.#deps.data) this.#deps.neighbours?.doubt(sender);
      void this.#toWorker(sender, message);
    }
  }

  /** A frame was given up: nobody wants its strips. */
  forget(meta: MessageMeta): void {
    this.#kept.drop(meta);
  }

  /** Strips kept, and forgotten to make room. */
  keptCounters(): Record<string, number> {
    return { 'strips.bytes': this.#kept.bytes, 'strips.forgotten': this.#kept.forgotten };
  }

  /** Asks the workers that made them for strips that have not come, or says that they are lost: the frame runs again. */
  ask({ meta, task, from, lost }: Want): void {
    if (lost) {
      const names = [...from.keys()];
      const why = `task ${task} waits for what ${names.join(', ') || 'the splitter'} did not send`;
      this.refuse({ ...meta, task }, 'strip-lost', why, { from: names });
      return;
    }
    const { pipeline, plan, frame, sequence } = meta;
    for (const [worker, tasks] of from) {
      const want: MessageMeta = {
        kind: 'want',
        sender: this.#deps.id,
        ...(pipeline === undefined ? {} : { pipeline }),
        ...(plan === undefined ? {} : { plan }),
        ...(frame === undefined ? {} : { frame }),
        ...(sequence === undefined ? {} : { sequence }),
        task,
        extra: { tasks, ...attemptExtra(attemptOf(meta)).extra },
      };
      void this.#toWorker(worker, layoutMessage(want, []));
    }
  }

  async #toWorker(worker: string, message: LaidMessage): Promise<void> {
    const { topics, data } = this.#deps;
    this.#leaves(message);
    await this.send(topics.build('inbox', { role: 'worker', id: worker }), message);
    this.#leaves(message, data);
  }

  /** A message has its place in what leaves by a connection; without one it waits for that. */
  #leaves(message: LaidMessage, bus?: Bus): void {
    const bytes = bus?.counters().publishedBytes ?? Number.POSITIVE_INFINITY;
    this.#leaving.set(message, { bus: bus ?? this.#deps.data, bytes });
  }

  /** Whether a message has not left yet: with a connection that is away, what waited there is lost. */
  #waits(message: LaidMessage): boolean {
    const leaving = this.#leaving.get(message);
    return leaving?.bus.connected === true && leaving.bytes > leaving.bus.counters().leftBytes;
  }

  /**
   * Answers go to inboxes only: a message cannot make a worker publish anywhere else.
   * One lost on the way is the dispatcher's to notice: its deadline sends the task again.
   */
  async send(topic: string | undefined, message: LaidMessage, bus = this.#deps.data): Promise<void> {
    const { topics, counters } = this.#deps;
    if (!topics.isInbox(topic)) {
      counters.add('unsent.no-address');
      return;
    }
    try {
      await sendMessage(bus, topic, message);
      counters.add(`sent.${message.meta.kind}`);
    } catch (error) {
      counters.add(`unsent.${asTilepipeError(error).code}`);
    } finally {
      message.release();
    }
  }

  /**
   * Never throws: the metadata of what was received is bounded, so that an answer to it always fits. It goes by the control
   * connection: on a slow link the strips on the other are many seconds of what is to be ended.
   */
  refuse(meta: MessageMeta, code: ErrorCode, text: string, extra: Record<string, unknown> = {}): void {
    const { counters, log, id, control } = this.#deps;
    counters.add(`tasks.refused.${code}`);
    log.warn({ frame: meta.frame, task: meta.task, from: meta.sender, code }, text);
    const repeated = passedOn(meta);
    const more = Object.keys(extra).length === 0 ? {} : { extra: { ...repeated.extra, ...extra } };
    const error: MessageMeta = { ...repeated, kind: 'error', sender: id, code, message: text, ...more };
    void this.send(meta.reply, layoutMessage(error, []), control);
  }
}

/** Ids of tasks in what a `want` asks for; undefined where it is something else. */
function tasksOf(extra: unknown): ReadonlySet<string> | undefined {
  if (typeof extra !== 'object' || extra === null || !('tasks' in extra)) return undefined;
  const { tasks } = extra;
  return Array.isArray(tasks) && tasks.every((each) => typeof each === 'string') ? new Set(tasks) : undefined;
}

/** What an answer repeats of the message it answers: where it belongs. */
function passedOn(meta: MessageMeta): Omit<MessageMeta, 'kind' | 'extra'> & { extra?: { attempt: number } } {
  const { pipeline, plan, frame, sequence, source, task, reply, merger, splitter } = meta;
  const { extra } = attemptExtra(attemptOf(meta));
  const fields = { pipeline, plan, frame, sequence, source, task, reply, merger, splitter, extra };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** The wire takes nine decimals; more than three say nothing. */
function toMicroseconds({ receivedMs, startedMs, endedMs }: Stamps): Stamps {
  const round = (ms: number): number => Math.round(ms * 1000) / 1000;
  return { receivedMs: round(receivedMs), startedMs: round(startedMs), endedMs: round(endedMs) };
}
