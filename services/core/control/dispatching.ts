/** Carries out what the dispatcher decides: workers from their statuses, sends over the bus, deadlines by the clock. */

import type { Bus } from '../bus/bus.ts';
import { isTopicLevel, type Topics } from '../bus/topics.ts';
import {
  type DispatchAction,
  Dispatcher,
  type DispatchItem,
  placementOf,
  type Stamps,
} from '../flow/dispatch.ts';
import type { Task } from '../flow/plan-index.ts';
import { monotonicMs } from '../runtime/clock.ts';
import { asTilepipeError, type ErrorCode } from '../runtime/errors.ts';
import type { Log } from '../runtime/log.ts';
import { parseStatus } from '../runtime/status.ts';
import type { Status } from '../schema/generated/status.ts';
import { BodyPool } from '../wire/body-pool.ts';
import { understoodBy } from '../wire/codecs.ts';
import { type LaidMessage, parts } from '../wire/encode.ts';
import type { MessageMeta } from '../wire/message.ts';
import { attemptOf } from './attempt-of.ts';
import type { AnnouncedPlan } from './plan-watch.ts';
import { Roster } from './roster.ts';
import { TelemetryTeller, type Teller } from './telemetry-teller.ts';

export interface DispatchingDeps {
  /** Whose dispatcher this is. */
  readonly teller: Teller;
  readonly control: Bus;
  readonly data: Bus;
  readonly topics: Topics;
  readonly log: Log;
  /** A worker came, changed or went: something may be startable now. */
  readonly workersChanged: () => void;
  /** A task of a frame has failed for good. */
  readonly failed: (frame: string, code: ErrorCode, message: string) => void;
}

/** A task of a frame with its inputs, ready to go. */
export interface Outgoing {
  readonly plan: AnnouncedPlan;
  readonly task: Task;
  readonly frame: string;
  /** Running number of the frame: older frames go first. */
  readonly order: number;
  readonly message: LaidMessage;
  /** Which start of the frame this is, from 1; undefined: not known. */
  readonly attempt: number | undefined;
  /** Monotonic milliseconds. */
  readonly deadlineAt: number;
}

/** Tasks a worker takes at once where its status does not say. */
const DEFAULT_SLOTS = 2;

const POOL_BYTES = 64 * 2 ** 20;

/** How long a worker that made other than its plan says is not asked for that plan. */
const DISTRUST_MS = 30_000;

/** With the plan: a replay may run on another, whose tasks have the same names. */
const keyOf = (plan: string, frame: string, task: string): string =>
  `${frame}/${task} of plan ${plan.slice(0, 12)}`;

type TaskPlacement = ReturnType<typeof placementOf>;

/** The answer of a worker: whose task of which frame. */
export interface Answered {
  readonly plan: string;
  readonly frame: string;
  readonly task: string;
  readonly worker: string;
  /** Which start of the frame it belongs to, from 1. */
  readonly attempt: number;
}

/** What an answer's message says of that. */
export function answeredBy(meta: MessageMeta): Answered {
  const { plan = '', frame = '', task = '', sender = '' } = meta;
  return { plan, frame, task, worker: sender, attempt: attemptOf(meta) };
}

export class Dispatching {
  readonly #deps: DispatchingDeps;
  /** Memory of task messages that have ended, for the next ones. */
  readonly pool = new BodyPool(POOL_BYTES);
  readonly #workers: Roster;
  readonly #dispatcher: Dispatcher<LaidMessage>;
  readonly #telemetry: TelemetryTeller;
  /** Of every plan, where each of its tasks may run. */
  readonly #placements = new WeakMap<AnnouncedPlan, ReadonlyMap<string, TaskPlacement>>();
  /** By worker and plan, until when it is not asked. */
  readonly #distrusted = new Map<string, number>();

  constructor(deps: DispatchingDeps) {
    this.#deps = deps;
    this.#dispatcher = new Dispatcher({ now: monotonicMs });
    const { control, topics, teller } = deps;
    this.#telemetry = new TelemetryTeller({
      ...teller,
      control,
      topics,
      workers: () => this.#dispatcher.workers(),
    });
    this.#workers = new Roster({
      control,
      topics,
      role: 'worker',
      parse: parseStatus,
      changed: (status) => this.#changed(status),
    });
  }

  async start(): Promise<void> {
    await this.#workers.start();
    this.#telemetry.start();
  }

  async stop(): Promise<void> {
    this.#telemetry.stop();
    await this.#workers.stop();
  }

  /** Hands a task to the next worker that is free for it. */
  submit({ plan, task, frame, order, message, attempt, deadlineAt }: Outgoing): void {
    const item = {
      key: keyOf(plan.digest, frame, task.id),
      frame,
      order,
      deadlineAt,
      message,
      frameAttempt: attempt,
      task: task.id,
      ...(this.#placementsOf(plan).get(task.id) as TaskPlacement),
    };
    this.#carryOut(this.#dispatcher.submit(item));
  }

  /** A worker has run a task; late and repeated answers are ignored. */
  done({ plan, frame, task, worker }: Answered, stamps: Stamps): void {
    const { receivedMs, startedMs, endedMs } = stamps;
    const { finished, totalMs, actions } = this.#dispatcher.done(keyOf(plan, frame, task), worker, stamps);
    const bytes = finished?.message.body.byteLength ?? 0;
    // Late answers tell how slow a worker has become; those of strangers tell nothing.
    if (finished !== undefined || this.#knows(plan, task, worker))
      this.#telemetry.add({ plan, task, worker, totalMs, bytes, receivedMs, startedMs, endedMs });
    // What the answer cannot be to may still be on its way there.
    finished?.message.release(totalMs !== undefined && finished.frameAttempt === 1);
    this.#carryOut(actions);
  }

  /** A worker could not; of an earlier start of the frame it ends nothing. */
  failed(
    { plan, frame, task, worker, attempt }: Answered,
    code = 'task-failed',
    message = 'no reason given',
  ): void {
    this.#deps.log.warn({ frame, task, worker, code }, message);
    const key = keyOf(plan, frame, task);
    const actions = this.#dispatcher.failed(key, worker, `${code}: ${message}`, attempt);
    // Nothing is wrong with a task that was given back unrun: the worker drains, or has let go of the plan.
    const declined = code === 'no-worker';
    this.#carryOut(
      actions.map((action) =>
        declined && action.type === 'fail' && action.item.key === key ? { ...action, code } : action,
      ),
    );
  }

  /** A worker does other than its plan says: for a while others are asked. Of workers that are not there nothing is kept. */
  distrust(worker: string, plan: string, why = 'made other than its plan says'): void {
    if (this.#workers.get(worker) === undefined) return;
    this.#deps.log.error({ worker, plan: plan.slice(0, 12) }, `worker ${why}`);
    const key = `${worker} ${plan}`;
    // The oldest first, for the sweep.
    this.#distrusted.delete(key);
    this.#distrusted.set(key, monotonicMs() + DISTRUST_MS);
  }

  cancel(frame: string): void {
    for (const { message } of this.#dispatcher.cancel(frame)) message.release();
  }

  /** To be called every 50 ms or so. */
  tick(): void {
    this.#forgive();
    this.#carryOut(this.#dispatcher.tick());
    this.#telemetry.look();
  }

  /** The first task of a plan that no worker is ready for. */
  orphanOf(plan: AnnouncedPlan): Task | undefined {
    for (const [task, placement] of this.#placementsOf(plan))
      if (!this.#dispatcher.canRun(placement)) return plan.index.tasks.get(task);
    return undefined;
  }

  /** Why no worker is ready for it, for people. */
  nobodyFor(plan: AnnouncedPlan, task: Task): string {
    return this.#dispatcher.nobodyFor(this.#placementsOf(plan).get(task.id) as TaskPlacement);
  }

  /** Whether every task of a plan has a worker that is ready for it. */
  canRun(plan: AnnouncedPlan): boolean {
    return this.orphanOf(plan) === undefined;
  }

  counters(): Record<string, number> {
    const tasks = Object.entries(this.#dispatcher.counters()).map(([name, count]) => [
      `tasks.${name}`,
      count,
    ]);
    return { ...Object.fromEntries(tasks), 'workers.distrusted': this.#distrusted.size };
  }

  #placementsOf(plan: AnnouncedPlan): ReadonlyMap<string, TaskPlacement> {
    let found = this.#placements.get(plan);
    if (found === undefined) {
      const { digest, index, announcement } = plan;
      const runs = [...index.tasks.values()].filter(({ kind }) => kind === 'run');
      found = new Map(
        runs.map((task) => {
          const placement = placementOf(digest, task, announcement.frames.binding);
          return [task.id, { ...placement, codecs: index.codecsTo(task.id) }];
        }),
      );
      this.#placements.set(plan, found);
    }
    return found;
  }

  #knows(plan: string, task: string, worker: string): boolean {
    return this.#workers.get(worker)?.plans?.[plan] !== undefined && isTopicLevel(task);
  }

  #isDistrusted(worker: string, plan: string): boolean {
    return (this.#distrusted.get(`${worker} ${plan}`) ?? 0) > monotonicMs();
  }

  #forgive(): void {
    const now = monotonicMs();
    for (const [key, until] of this.#distrusted) {
      if (until > now) return;
      this.#distrusted.delete(key);
    }
  }

  #changed(status: Status): void {
    const { id, state, slots, pins, plans } = status;
    if (state === 'offline') {
      this.#deps.log.info({ worker: id }, 'worker is gone');
      this.#carryOut(this.#dispatcher.workerGone(id));
    } else {
      const view = {
        id,
        slots: slots ?? DEFAULT_SLOTS,
        draining: state !== 'online',
        codecs: understoodBy(status),
        holds: (plan: string, model: string) =>
          plans?.[plan]?.models?.includes(model) === true && !this.#isDistrusted(id, plan),
        ...(pins === undefined ? {} : { pins }),
      };
      this.#carryOut(this.#dispatcher.workerUpdate(view));
    }
    this.#deps.workersChanged();
  }

  /** Sends go first: a failure ends its whole frame, whose other messages must be out before their memory is released. */
  #carryOut(actions: readonly DispatchAction<LaidMessage>[]): void {
    for (const action of actions) {
      if (action.type === 'send')
        void this.#send(action.item, action.worker, action.attempt, action.deadlineMs);
    }
    for (const action of actions) {
      if (action.type !== 'fail') continue;
      action.item.message.release();
      this.#deps.failed(action.item.frame, action.code, action.message);
    }
  }

  async #send(
    item: DispatchItem<LaidMessage>,
    worker: string,
    attempt: number,
    deadlineMs: number,
  ): Promise<void> {
    const { data, topics, log } = this.#deps;
    if (attempt > 1) log.info({ task: item.key, worker, attempt }, 'task sent again');
    try {
      const topic = topics.build('inbox', { role: 'worker', id: worker });
      for (const part of parts(item.message, data.maxMessageBytes, deadlineMs))
        await data.publish(topic, part);
    } catch (error) {
      // The task's deadline re-issues it; the broker may be back by then.
      log.warn({ task: item.key, worker, code: asTilepipeError(error).code }, asTilepipeError(error).message);
    }
  }
}
