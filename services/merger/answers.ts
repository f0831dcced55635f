/** Results on their way out: one of each frame, whatever another attempt at it makes. */

import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import { sendMessage } from '../core/control/send.ts';
import { monotonicMs } from '../core/runtime/clock.ts';
import type { MessageMeta } from '../core/wire/message.ts';
import { Answerer } from './answerer.ts';
import type { FrameRecord } from './frame-record.ts';

export interface AnswersDeps {
  /** The merger. */
  readonly id: string;
  readonly control: Bus;
  readonly data: Bus;
  readonly topics: Topics;
}

/** Frames remembered whose result is out. */
const MOST = 4096;

export class Answers {
  readonly #deps: AnswersDeps;
  readonly #answerers = new WeakMap<AnnouncedPlan, Answerer>();
  readonly #leaving = new Set<string>();
  /** The oldest first. */
  readonly #out = new Set<string>();

  constructor(deps: AnswersDeps) {
    this.#deps = deps;
  }

  /** How many are on their way. */
  get leaving(): number {
    return this.#leaving.size;
  }

  isLeaving(pipeline: string, frame: string): boolean {
    return this.#leaving.has(nameOf(pipeline, frame));
  }

  /** Whether the result of a frame went out not long ago. */
  isOut(pipeline: string, frame: string): boolean {
    return this.#out.has(nameOf(pipeline, frame));
  }

  /**
   * Publishes the answer of a frame, raw outputs before it. Rejects where the outputs cannot be answered, or the broker
   * does not take it.
   */
  async publish(plan: AnnouncedPlan, record: FrameRecord): Promise<void> {
    const { control, data, topics, id } = this.#deps;
    const { pipeline, digest } = plan;
    const key = nameOf(pipeline, record.id);
    const names = { pipeline, source: record.source };
    this.#leaving.add(key);
    try {
      const answerer = this.#answerer(plan);
      const result = answerer.result(record, monotonicMs());
      if (result.task === 'tensors') {
        const meta: MessageMeta = { kind: 'result', sender: id, pipeline, plan: digest, frame: record.id };
        await sendMessage(data, topics.build('tensors', names), answerer.tensors(meta, record));
      }
      await control.publish(topics.build('result', names), Buffer.from(JSON.stringify(result)), { qos: 1 });
      this.#out.add(key);
      if (this.#out.size > MOST) this.#out.delete(this.#out.values().next().value as string);
    } finally {
      this.#leaving.delete(key);
    }
  }

  #answerer(plan: AnnouncedPlan): Answerer {
    let answerer = this.#answerers.get(plan);
    if (answerer === undefined) {
      answerer = new Answerer(plan);
      this.#answerers.set(plan, answerer);
    }
    return answerer;
  }
}

/** Frame ids are unique in their pipeline. */
function nameOf(pipeline: string, frame: string): string {
  return `${pipeline}/${frame}`;
}
