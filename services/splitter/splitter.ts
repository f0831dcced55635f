/** The splitter: a camera's frame in, the tiles of the first block out; it keeps every frame until its result is seen. */

import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { answeredBy, Dispatching } from '../core/control/dispatching.ts';
import { parseAnnouncement } from '../core/control/documents.ts';
import { Inbox } from '../core/control/inbox.ts';
import { type AnnouncedPlan, PlanWatch } from '../core/control/plan-watch.ts';
import { Roster } from '../core/control/roster.ts';
import { monotonicMs } from '../core/runtime/clock.ts';
import { Counters } from '../core/runtime/counters.ts';
import type { ErrorCode } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import { parseStatus } from '../core/runtime/status.ts';
import type { Result } from '../core/schema/generated/result.ts';
import type { Status } from '../core/schema/generated/status.ts';
import type { Message, MessageMeta } from '../core/wire/message.ts';
import { Attempts } from './attempts.ts';
import { Choice } from './choice.ts';
import { asCode, ErrorResults, isFinal } from './error-results.ts';
import { FrameWatch } from './frame-watch.ts';
import { Reception } from './reception.ts';
import { ResultWatch } from './result-watch.ts';
import { Share } from './share.ts';
import { noCounts, Stream, type StreamLimits } from './stream.ts';

export interface SplitterDeps {
  readonly id: string;
  readonly control: Bus;
  readonly data: Bus;
  readonly intake: Bus;
  readonly topics: Topics;
  readonly log: Log;
  /** Only these pipelines; absent: every one that is announced. */
  readonly pipelines?: readonly string[];
  /** The plans it knows have changed, or another splitter must hear of it. */
  readonly changed: () => void;
}

const TICK_MS = 50;
/** Its timer comes later than this where something else ran all the time, as planning does in one process with it. */
const HELD_UP_MS = 250;
/** How long a splitter that leaves goes on taking frames where there is another: until that one knows. */
const HAND_OVER_MS = 500;
/** How long the last error results may take when the splitter stops. */
const FAREWELL_MS = 1_000;
/** Of a pipeline without a plan: what was being read when it was withdrawn waits until its deadline. */
const NO_FRAMES: StreamLimits = { maxInFlight: 0, maxWaiting: 1, attempts: 1 };

export class Splitter {
  readonly #deps: SplitterDeps;
  readonly #inboxTopic: string;
  readonly #inbox: Inbox;
  readonly #plans: PlanWatch;
  readonly #mergers: Roster;
  readonly #dispatching: Dispatching;
  readonly #streams = new Map<string, Stream>();
  readonly #reception: Reception;
  readonly #errors: ErrorResults;
  readonly #results: ResultWatch;
  readonly #choice: Choice;
  readonly #attempts: Attempts;
  readonly #share: Share;
  readonly #cameras: FrameWatch;
  #timer: NodeJS.Timeout | undefined;
  #tickedAt = 0;
  #draining = false;

  constructor(deps: SplitterDeps) {
    this.#deps = deps;
    const { control, data, intake, topics, log, id } = deps;
    const limited = deps.pipelines === undefined ? {} : { pipelines: deps.pipelines };
    this.#inboxTopic = topics.build('inbox', { role: 'splitter', id });
    this.#inbox = new Inbox({
      data,
      topic: this.#inboxTopic,
      log,
      handle: (message) => this.#receive(message),
    });
    this.#errors = new ErrorResults({
      control,
      topics,
      log,
      taskOf: (pipeline) => this.#taskOf(pipeline),
    });
    this.#results = new ResultWatch({
      control,
      topics,
      ...limited,
      awaits: (pipeline) => (this.#streams.get(pipeline)?.inFlight ?? 0) > 0,
      seen: (pipeline, frame) => this.#streams.get(pipeline)?.close(frame),
    });
    this.#plans = new PlanWatch({
      control,
      topics,
      ...limited,
      parse: parseAnnouncement,
      announced: (plan) => this.#announced(plan),
      withdrawn: (pipeline) => this.#withdrawn(pipeline),
      rejected: (topic, reason) => log.warn({ topic, reason }, 'plan refused'),
    });
    this.#mergers = new Roster({
      control,
      topics,
      role: 'merger',
      parse: parseStatus,
      changed: (status) => this.#mergerChanged(status),
    });
    this.#dispatching = new Dispatching({
      teller: { role: 'splitter', id },
      control,
      data,
      topics,
      log,
      workersChanged: () => this.#pumpAll(),
      failed: (frame, code, message) => this.#failed(frame, code, message),
    });
    const dispatching = this.#dispatching;
    this.#attempts = new Attempts({ id, inbox: this.#inboxTopic, data, topics, log, dispatching });
    this.#choice = new Choice({
      data,
      plans: this.#plans,
      mergers: this.#mergers,
      dispatching,
      intake: (plan) => this.#reception.intake(plan),
    });
    this.#reception = new Reception({
      log,
      planOf: (pipeline) => this.#choice.startable(pipeline) ?? this.#plans.of(pipeline)[0],
      read: (pipeline, frame) => this.#stream(pipeline).push(frame),
      refused: (pipeline, frame, code, message) => this.#errors.publish(pipeline, frame, code, message),
    });
    this.#share = new Share({
      id,
      control,
      topics,
      log,
      now: monotonicMs,
      plans: (pipeline) => this.#plans.of(pipeline).map(({ digest }) => digest),
      met: deps.changed,
    });
    this.#cameras = new FrameWatch({
      intake,
      topics,
      log,
      ...limited,
      mine: (pipeline, source) => this.#share.mine(pipeline, source),
      received: (camera, message) => void this.#reception.take(camera, message),
    });
  }

  async start(): Promise<void> {
    await this.#inbox.start();
    await this.#results.start();
    await this.#mergers.start();
    await this.#dispatching.start();
    await this.#plans.start();
    await this.#cameras.start();
    await this.#share.start();
    this.#tickedAt = monotonicMs();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Takes no more frames and waits until those under way have ended, `limitMs` at most. */
  async drain(limitMs: number): Promise<void> {
    this.#draining = true;
    const until = monotonicMs() + limitMs;
    if (this.#peers() > 0)
      await new Promise((resolve) => setTimeout(resolve, Math.min(HAND_OVER_MS, limitMs / 2)));
    await this.#cameras.stop();
    const busy = () => [...this.#streams.values()].some((stream) => stream.inFlight + stream.waiting > 0);
    while (monotonicMs() < until && (this.#reception.reading > 0 || busy())) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#cameras.stop();
    await this.#share.stop();
    for (const stream of this.#streams.values())
      stream.endAll('frame-deadline', 'the splitter stopped before the frame was finished');
    await this.#errors.flush(FAREWELL_MS);
    await this.#plans.stop();
    await this.#dispatching.stop();
    await this.#mergers.stop();
    await this.#results.stop();
    await this.#inbox.stop();
  }

  /** Whether frames of at least one pipeline could start now. */
  ready(): boolean {
    return (
      !this.#draining &&
      this.#plans.pipelines().some((pipeline) => this.#choice.startable(pipeline) !== undefined)
    );
  }

  counters(): Record<string, number> {
    const total = noCounts();
    const byCause = new Counters();
    for (const { counters, causes } of this.#streams.values()) {
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += counters[key];
      for (const [name, count] of Object.entries(causes)) byCause.add(name, count);
    }
    return {
      ...total,
      ...byCause.snapshot(),
      ...this.#reception.counters(),
      ...this.#cameras.counters(),
      peers: this.#peers(),
      'plans.no-fallback': this.#unsecured(),
      ...this.#inbox.counters(),
      ...this.#dispatching.counters(),
    };
  }

  /** The plans it takes frames for, as its status says them: other splitters share the cameras of those. */
  plans(): NonNullable<Status['plans']> {
    const known = this.#plans.pipelines().flatMap((pipeline) => this.#plans.of(pipeline));
    return Object.fromEntries(known.map(({ digest }) => [digest, { state: 'ready' }]));
  }

  /** Pipelines whose workers exchange strips and whose frames have nothing to go on with where one is lost. */
  #unsecured(): number {
    return this.#plans.pipelines().filter((pipeline) => {
      const [plan] = this.#plans.of(pipeline);
      if (plan === undefined || plan.index.gatherers.size === 0) return false;
      return plan.fallback === undefined || !this.#dispatching.canRun(plan.fallback);
    }).length;
  }

  /** Other splitters that any of its pipelines is shared with. */
  #peers(): number {
    return new Set(this.#plans.pipelines().flatMap((pipeline) => this.#share.peers(pipeline))).size;
  }

  #stream(pipeline: string): Stream {
    let stream = this.#streams.get(pipeline);
    if (stream === undefined) {
      const created = new Stream({
        limits: () => this.#plans.of(pipeline)[0]?.announcement.frames ?? NO_FRAMES,
        now: monotonicMs,
        choose: (frame, after) => this.#choice.choose(pipeline, frame, after),
        overtaken: (frame, plan) => this.#choice.overtaken(pipeline, frame, plan),
        obstacle: (frame) => this.#choice.obstacle(pipeline, frame),
        begin: (started) => void this.#attempts.begin(created, started),
        over: (started, finished) => this.#attempts.over(started, finished),
        fail: (frame, code, message) => this.#errors.publish(pipeline, frame, code, message),
      });
      stream = created;
      this.#streams.set(pipeline, stream);
    }
    return stream;
  }

  #receive({ meta }: Message): void {
    if (meta.kind === 'done') this.#dispatching.done(answeredBy(meta), meta);
    else if (meta.kind === 'error') this.#taskError(meta);
    else if (meta.kind === 'close') this.#closed(meta);
  }

  /** A task that its worker gathered by itself is nobody's to send again: the frame is. */
  #taskError(meta: MessageMeta): void {
    const { pipeline = '', frame = '', task = '', code, message } = meta;
    const answered = answeredBy(meta);
    this.#dispatching.failed(answered, code, message);
    const started = this.#streams.get(pipeline)?.started(frame);
    if (started?.plan.digest !== meta.plan || started?.plan.index.dispatchOf(task) !== 'worker') return;
    if (answered.attempt !== started.attempt) return;
    const { from } = (meta.extra ?? {}) as { from?: unknown };
    this.#failed(frame, asCode(code), message ?? `task ${task} failed`, from);
  }

  /**
   * Frames go by the fallback for a while, where that can run: whoever does not answer its neighbours would cost each of
   * them the wait.
   */
  #avoid(plan: AnnouncedPlan, silent: unknown): void {
    const { fallback } = plan;
    if (fallback === undefined || !this.#dispatching.canRun(fallback) || !Array.isArray(silent)) return;
    for (const worker of silent)
      if (typeof worker === 'string')
        this.#dispatching.distrust(worker, plan.digest, 'did not send what its neighbours asked it for');
    for (const stream of this.#streams.values()) stream.leave((each) => !this.#dispatching.canRun(each));
  }

  /** The merger's word on a frame: its result is out, or the attempt has failed. */
  #closed({ pipeline = '', plan, frame = '', code, message, extra }: MessageMeta): void {
    const stream = this.#streams.get(pipeline);
    if (code === undefined) {
      stream?.close(frame);
      return;
    }
    const { attempt, unsound, from } = (extra ?? {}) as Record<'attempt' | 'unsound' | 'from', unknown>;
    const started = stream?.started(frame);
    // Word of an earlier attempt says nothing about this one, and word of no frame under way nothing at all.
    if (started === undefined || (attempt !== undefined && attempt !== started.attempt)) return;
    if (plan !== undefined && plan !== started.plan.digest) return;
    if (typeof unsound === 'string') this.#dispatching.distrust(unsound, started.plan.digest);
    this.#failed(frame, asCode(code), message ?? code, from);
  }

  /** `silent`: the workers whose strips did not come. */
  #failed(frame: string, code: ErrorCode, message: string, silent?: unknown): void {
    for (const stream of this.#streams.values()) {
      const started = stream.started(frame);
      if (started === undefined) continue;
      if (isFinal(code)) stream.end(frame, code, message);
      else stream.replay(frame, message, code);
      if (code === 'strip-lost') this.#avoid(started.plan, silent);
    }
  }

  #mergerChanged({ id, state }: Status): void {
    if (state === 'offline' || state === 'starting') {
      for (const stream of this.#streams.values()) stream.mergerGone(id);
    }
    this.#pumpAll();
  }

  #withdrawn(pipeline: string): void {
    this.#deps.log.info({ pipeline }, 'plan withdrawn');
    this.#streams.get(pipeline)?.endAll('no-worker', `pipeline ${pipeline} was withdrawn`);
    this.#deps.changed();
  }

  #announced(plan: AnnouncedPlan): void {
    this.#deps.log.info({ pipeline: plan.pipeline, plan: plan.digest.slice(0, 12) }, 'plan announced');
    this.#pumpAll();
    this.#deps.changed();
  }

  #pumpAll(): void {
    for (const stream of this.#streams.values()) {
      stream.leave((plan) => !this.#dispatching.canRun(plan));
      stream.pump();
    }
  }

  #tick(): void {
    const now = monotonicMs();
    const lateMs = now - this.#tickedAt - TICK_MS;
    this.#tickedAt = now;
    this.#dispatching.tick();
    for (const stream of this.#streams.values()) stream.tick(lateMs > HELD_UP_MS ? lateMs : 0);
  }

  #taskOf(pipeline: string): Result['task'] {
    const settings = this.#plans.of(pipeline)[0]?.announcement.settings as
      | { answer?: { task?: Result['task'] } }
      | undefined;
    return settings?.answer?.task ?? 'tensors';
  }
}
