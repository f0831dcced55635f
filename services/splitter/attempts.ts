/** One attempt at a frame: its opening and its first tiles go out, and what is left of it is taken back. */

import { setImmediate } from 'node:timers/promises';
import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { attemptExtra } from '../core/control/attempt-of.ts';
import type { Dispatching } from '../core/control/dispatching.ts';
import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import { sendMessage } from '../core/control/send.ts';
import { monotonicMs } from '../core/runtime/clock.ts';
import { asTilepipeError } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import { layoutMessage } from '../core/wire/encode.ts';
import type { MessageMeta } from '../core/wire/message.ts';
import type { Started, Stream } from './stream.ts';
import { sourceMessage, taskMessage } from './tiles.ts';

export interface AttemptsDeps {
  /** The splitter's id and inbox topic, which go into its messages. */
  readonly id: string;
  readonly inbox: string;
  readonly data: Bus;
  readonly topics: Topics;
  readonly log: Log;
  readonly dispatching: Dispatching;
}

/** Merger and workers are given this much less time, so that word of what was missing comes before a frame is given up. */
const WORD_MS = 250;

export class Attempts {
  readonly #deps: AttemptsDeps;

  constructor(deps: AttemptsDeps) {
    this.#deps = deps;
  }

  /** Sends an attempt off; where that fails, the stream is told to try again. */
  async begin(stream: Stream, started: Started): Promise<void> {
    const { frame, plan, merger, attempt, giveUpAt } = started;
    const { data, topics, id, inbox, dispatching } = this.#deps;
    const left = Math.max(1, giveUpAt - monotonicMs());
    const word = Math.min(WORD_MS, left / 10);
    // While a message waits for the socket, the attempt may have ended and the next one begun.
    const current = () => stream.started(frame.id) === started;
    try {
      const mergerInbox = topics.build('inbox', { role: 'merger', id: merger });
      const meta: MessageMeta = {
        kind: 'task',
        sender: id,
        pipeline: plan.pipeline,
        plan: plan.digest,
        frame: frame.id,
        sequence: frame.sequence,
        source: frame.source,
        splitter: inbox,
        merger: mergerInbox,
        reply: inbox,
        deadlineMs: left - word,
      };
      const extra = { ...frame.extra, attempt };
      await sendMessage(data, mergerInbox, layoutMessage({ ...meta, kind: 'open', extra }, []));
      const numbered = { ...meta, ...attemptExtra(attempt) };
      for (const task of plan.index.sourceTasks(frame.sequence)) {
        const message = await taskMessage(plan, frame, task, numbered, dispatching.pool);
        if (!current()) return message.release();
        dispatching.submit({
          plan,
          task,
          frame: frame.id,
          order: frame.sequence,
          message,
          attempt,
          deadlineAt: giveUpAt - word,
        });
        // It leaves the process before the next one is laid out.
        await setImmediate();
        if (!current()) return;
      }
      for (const delivery of plan.index.deliveries(plan.index.source.id, frame.sequence)) {
        const to =
          delivery.to === 'worker'
            ? topics.build('inbox', { role: 'worker', id: delivery.worker })
            : mergerInbox;
        const message = await sourceMessage(plan, frame, delivery, numbered);
        if (!current()) return;
        await sendMessage(data, to, message);
      }
    } catch (error) {
      const { code, message } = asTilepipeError(error);
      this.#deps.log.warn({ frame: frame.id, code }, message);
      if (current()) stream.replay(frame.id, `${code}: ${message}`, code);
    }
  }

  /**
   * Takes back what an attempt still has out: here, at workers that gather for it and, unless the result must be its own,
   * at its merger.
   */
  over({ frame, plan, merger, attempt }: Started, finished: boolean): void {
    const { topics, dispatching } = this.#deps;
    dispatching.cancel(frame.id);
    if (finished && attempt === 1) return;
    this.#close(plan, frame.id, attempt, topics.build('inbox', { role: 'merger', id: merger }));
    if (finished) return;
    for (const worker of plan.index.gatherers)
      this.#close(plan, frame.id, attempt, topics.build('inbox', { role: 'worker', id: worker }));
  }

  /** Where it is lost, the deadline of whom it is for does the same. */
  #close({ pipeline, digest }: AnnouncedPlan, frame: string, attempt: number, inbox: string): void {
    const { data, id, log } = this.#deps;
    const meta = {
      sender: id,
      pipeline,
      plan: digest,
      frame,
      ...attemptExtra(attempt),
    };
    sendMessage(data, inbox, layoutMessage({ ...meta, kind: 'close' }, [])).catch((error: unknown) =>
      log.debug({ frame }, asTilepipeError(error).message),
    );
  }
}
