/** The merger: gathers tiles by identity, re-partitions them for the next block, and answers when a frame is whole. */

import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { attemptOf } from '../core/control/attempt-of.ts';
import { answeredBy, Dispatching } from '../core/control/dispatching.ts';
import { parseAnnouncement } from '../core/control/documents.ts';
import { Inbox } from '../core/control/inbox.ts';
import { type AnnouncedPlan, PlanWatch } from '../core/control/plan-watch.ts';
import { monotonicMs } from '../core/runtime/clock.ts';
import { Counters } from '../core/runtime/counters.ts';
import { asTilepipeError, type ErrorCode } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import type { Status } from '../core/schema/generated/status.ts';
import type { Message, MessageMeta } from '../core/wire/message.ts';
import { Answers } from './answers.ts';
import { Assembly } from './assembly.ts';
import { FrameLimit } from './frame-limit.ts';
import type { FrameRecord } from './frame-record.ts';
import { type Failure, Word } from './word.ts';

export interface MergerDeps {
  readonly id: string;
  readonly control: Bus;
  readonly data: Bus;
  readonly topics: Topics;
  readonly log: Log;
  /** The plans it knows have changed. */
  readonly changed: () => void;
}

const TICK_MS = 50;
/** As workers keep plans that are out of force. */
const IDLE_MS = 30_000;

export class Merger {
  readonly #deps: MergerDeps;
  readonly #inboxTopic: string;
  readonly #inbox: Inbox;
  readonly #plans: PlanWatch;
  readonly #limit: FrameLimit;
  readonly #dispatching: Dispatching;
  readonly #word: Word;
  /** One gather state per plan that frames are under way on, by digest. */
  readonly #assemblies = new Map<string, Assembly>();
  readonly #counters = new Counters();
  readonly #answers: Answers;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: MergerDeps) {
    this.#deps = deps;
    const { control, data, topics, log, id } = deps;
    this.#inboxTopic = topics.build('inbox', { role: 'merger', id });
    this.#inbox = new Inbox({
      data,
      topic: this.#inboxTopic,
      log,
      copies: true,
      handle: (message, size) => this.#receive(message, size),
    });
    this.#plans = new PlanWatch({
      control,
      topics,
      parse: parseAnnouncement,
      announced: (plan) => this.#announced(plan),
      withdrawn: (pipeline) => this.#withdrawn(pipeline),
      rejected: (topic, reason) => log.warn({ topic, reason }, 'plan refused'),
    });
    this.#limit = new FrameLimit({ control, topics });
    this.#word = new Word({ id, data, log });
    this.#answers = new Answers({ id, control, data, topics });
    this.#dispatching = new Dispatching({
      teller: { role: 'merger', id },
      control,
      data,
      topics,
      log,
      workersChanged: () => {},
      failed: (frame, code, message) => this.#taskFailed(frame, code, message),
    });
  }

  get inbox(): string {
    return this.#inboxTopic;
  }

  async start(): Promise<void> {
    await this.#inbox.start();
    await this.#limit.start();
    await this.#dispatching.start();
    await this.#plans.start();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Waits until the frames under way have ended, `limitMs` at most. */
  async drain(limitMs: number): Promise<void> {
    const until = monotonicMs() + limitMs;
    while (monotonicMs() < until && this.#framesUnderWay() + this.#answers.leaving > 0) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#plans.stop();
    await this.#dispatching.stop();
    await this.#limit.stop();
    await this.#inbox.stop();
    this.#assemblies.clear();
  }

  ready(): boolean {
    return true;
  }

  /** The plans it gathers for, as its status says them: no splitter starts a frame on another. */
  plans(): NonNullable<Status['plans']> {
    return Object.fromEntries([...this.#assemblies.keys()].map((digest) => [digest, { state: 'ready' }]));
  }

  counters(): Record<string, number> {
    const gathered = new Counters();
    for (const assembly of this.#assemblies.values())
      for (const [name, count] of Object.entries(assembly.counters())) gathered.add(name, count);
    return {
      ...this.#counters.snapshot(),
      ...gathered.snapshot(),
      ...this.#inbox.counters(),
      ...this.#dispatching.counters(),
    };
  }

  #framesUnderWay(): number {
    let count = 0;
    for (const assembly of this.#assemblies.values()) count += assembly.frames;
    return count;
  }

  #announced(plan: AnnouncedPlan): void {
    for (const each of plan.fallback === undefined ? [plan] : [plan, plan.fallback]) this.#gatherFor(each);
    this.#deps.changed();
  }

  #gatherFor(plan: AnnouncedPlan): void {
    if (!this.#assemblies.has(plan.digest)) {
      this.#assemblies.set(
        plan.digest,
        new Assembly(plan, {
          sender: this.#deps.id,
          inbox: this.#inboxTopic,
          pool: this.#dispatching.pool,
          maxFrames: () => this.#limit.of([plan, ...this.#plans.of(plan.pipeline)]),
          evicted: (record, missing) => this.#evicted(plan, record, missing),
        }),
      );
    }
  }

  /** Its splitter hears of it at once, or it would wait for its time. */
  #evicted(plan: AnnouncedPlan, record: FrameRecord, missing: string): void {
    this.#dispatching.cancel(record.id);
    this.#counters.add('evicted');
    this.#deps.log.warn({ frame: record.id }, 'too many frames are under way: the oldest was given up');
    const message = `the merger gave frame ${record.id} up for newer ones: ${missing}`;
    this.#word.close(plan, record, { code: 'overloaded', message });
  }

  /** The splitter ends its frames; what was gathered of them is let go. */
  #withdrawn(pipeline: string): void {
    this.#deps.log.info({ pipeline }, 'plan withdrawn');
    for (const [digest, assembly] of this.#assemblies) {
      if (assembly.plan.pipeline !== pipeline) continue;
      for (const frame of assembly.clear()) this.#dispatching.cancel(frame);
      this.#assemblies.delete(digest);
    }
    this.#deps.changed();
  }

  /** Forgets plans that are out of force and that no frame has come for: a splitter may just be starting one. */
  #retire(): void {
    const before = this.#assemblies.size;
    const oldest = monotonicMs() - IDLE_MS;
    for (const [digest, assembly] of this.#assemblies) {
      const { pipeline } = assembly.plan;
      if (this.#plans.find(pipeline, digest) !== undefined) assembly.lastUsed = monotonicMs();
      else if (assembly.frames === 0 && assembly.lastUsed < oldest) this.#assemblies.delete(digest);
    }
    if (this.#assemblies.size < before) this.#deps.changed();
  }

  #receive(message: Message, size: number): void {
    const { meta } = message;
    // Answers go to inboxes only: a message cannot make a merger publish anywhere else.
    if (meta.splitter !== undefined && !this.#deps.topics.isInbox(meta.splitter)) {
      this.#counters.add('refused.address');
      return;
    }
    const assembly = this.#assemblies.get(meta.plan ?? '');
    if (assembly === undefined || meta.frame === undefined) {
      this.#unknownPlan(meta);
      return;
    }
    assembly.lastUsed = monotonicMs();
    if (meta.kind === 'open') this.#open(assembly, meta.frame, meta);
    else if (meta.kind === 'data') this.#data(assembly, meta.frame, message, size);
    else if (meta.kind === 'done') this.#dispatching.done(answeredBy(meta), meta);
    else if (meta.kind === 'error') this.#taskError(assembly, meta.frame, meta);
    else if (meta.kind === 'close') this.#abandon(assembly, meta.frame);
    else this.#counters.add(`refused.kind-${meta.kind}`);
  }

  /** A frame that begins on a plan this merger does not have is sent back at once, or it would wait for its time. */
  #unknownPlan(meta: MessageMeta): void {
    const { kind, pipeline = '', plan: digest = '', frame = '', splitter } = meta;
    this.#counters.add('refused.unknown-plan');
    if (kind !== 'open') return;
    const word = `the merger has no plan ${digest.slice(0, 12)}`;
    this.#word.close(
      { pipeline, digest },
      { id: frame, splitter, attempt: attemptOf(meta) },
      { code: 'no-worker', message: word },
    );
  }

  #open(assembly: Assembly, frame: string, meta: MessageMeta): void {
    const { pipeline } = assembly.plan;
    if (this.#answers.isLeaving(pipeline, frame)) return;
    if (this.#answers.isOut(pipeline, frame)) {
      // The word of it was lost: a second result would be one too many.
      this.#counters.add('replayed-after-result');
      this.#word.close(assembly.plan, { id: frame, splitter: meta.splitter });
      return;
    }
    // Of an earlier attempt, perhaps on another plan: the same names must be free for this one.
    this.#dispatching.cancel(frame);
    for (const other of this.#assemblies.values()) if (other !== assembly) other.drop(frame);
    assembly.open(frame, meta, monotonicMs());
  }

  /** Tiles of one task: into the inputs of the tasks that need them; what became complete goes on its way. */
  #data(assembly: Assembly, frame: string, message: Message, size: number): void {
    const { meta } = message;
    if (this.#answers.isOut(assembly.plan.pipeline, frame)) {
      this.#counters.add('late');
      return;
    }
    const ours = meta.reply === this.#inboxTopic;
    if (!assembly.isWhole(message)) {
      this.#unsound(assembly, frame, meta, ours);
      return;
    }
    if (ours) this.#dispatching.done(answeredBy(meta), meta);
    const now = monotonicMs();
    const { record, ready, finished } = assembly.accept(frame, message, size, now);
    if (record === undefined) return;
    for (const { task, message: outgoing } of ready) {
      this.#dispatching.submit({
        plan: assembly.plan,
        task,
        frame,
        order: record.sequence,
        message: outgoing,
        attempt: record.attempt,
        deadlineAt: record.deadlineAt,
      });
    }
    if (finished) void this.#finish(assembly, record);
  }

  /** A worker made other than its plan says: somebody else must do it, here or, from the start, at the splitter. */
  #unsound(assembly: Assembly, frame: string, meta: MessageMeta, ours: boolean): void {
    const { sender = '', task = '' } = meta;
    const { digest } = assembly.plan;
    const why = `${sender} made other tensors of task ${task} than the plan says`;
    this.#counters.add('unsound');
    if (!ours) {
      this.#giveUp(assembly, frame, 'wire-invalid', why, { unsound: sender });
      return;
    }
    this.#dispatching.distrust(sender, digest);
    this.#dispatching.failed(answeredBy(meta), 'wire-invalid', why);
  }

  /** Publishes the answer, then tells the splitter that it may forget the frame. */
  async #finish(assembly: Assembly, record: FrameRecord): Promise<void> {
    const { pipeline, digest } = assembly.plan;
    if (record.extra === undefined) {
      // Without the splitter's word on where the picture lies, boxes and sizes would be wrong in silence.
      this.#giveUp(assembly, record.id, 'frame-deadline', 'its open message was lost');
      return;
    }
    assembly.drop(record.id);
    // Tasks sent twice may still be out.
    this.#dispatching.cancel(record.id);
    // The newest settings, where the plan was announced again with others.
    const plan = this.#plans.find(pipeline, digest) ?? assembly.plan;
    try {
      await this.#answers.publish(plan, record);
      this.#counters.add('finished');
      this.#word.close(plan, record);
    } catch (error) {
      const { code, message } = asTilepipeError(error);
      this.#deps.log.error({ frame: record.id, code }, message);
      // Either another attempt mends it, or the splitter says what was wrong: the frame does not end in silence.
      this.#word.close(plan, record, { code, message });
    }
  }

  /** Ends an attempt at a frame and says why; the splitter decides whether there is another. */
  #giveUp(
    assembly: Assembly,
    frame: string,
    code: ErrorCode,
    message: string,
    blamed: Pick<Failure, 'unsound' | 'from'> = {},
  ): void {
    this.#dispatching.cancel(frame);
    const record = assembly.drop(frame);
    if (record === undefined) return;
    this.#counters.add('failed');
    this.#word.close(assembly.plan, record, { code, message, ...blamed });
  }

  /** The splitter has given an attempt up. */
  #abandon(assembly: Assembly, frame: string): void {
    this.#dispatching.cancel(frame);
    if (assembly.drop(frame) !== undefined) this.#counters.add('abandoned');
  }

  #taskFailed(frame: string, code: ErrorCode, message: string): void {
    for (const assembly of this.#assemblies.values()) this.#giveUp(assembly, frame, code, message);
  }

  /** A task that its worker gathered by itself is nobody's to send again: the frame is. */
  #taskError(assembly: Assembly, frame: string, meta: MessageMeta): void {
    const { task = '', code, message, extra } = meta;
    const answered = answeredBy(meta);
    this.#dispatching.failed(answered, code, message);
    if (assembly.plan.index.dispatchOf(task) !== 'worker') return;
    if (!assembly.isAt(frame, answered.attempt)) return;
    const { from } = (extra ?? {}) as { from?: unknown };
    const kept = code === 'task-failed' || code === 'strip-lost' ? code : 'no-worker';
    this.#giveUp(assembly, frame, kept, message ?? `task ${task} failed`, { from });
  }

  /** Frames past their deadline are the splitter's to replay; what was gathered of them is let go, and the hole is named. */
  #tick(): void {
    this.#dispatching.tick();
    const now = monotonicMs();
    for (const assembly of this.#assemblies.values()) {
      for (const { frame, missing } of assembly.lost(now))
        this.#giveUp(assembly, frame, 'strip-lost', missing);
      for (const { record, missing } of assembly.expired(now)) {
        this.#dispatching.cancel(record.id);
        this.#counters.add('expired');
        this.#deps.log.warn({ frame: record.id, missing }, 'frame given up at its deadline');
        this.#word.close(assembly.plan, record, { code: 'frame-deadline', message: missing });
      }
    }
    this.#retire();
  }
}
