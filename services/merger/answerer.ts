/** The end of a frame: its answer as JSON, its raw outputs as a message. */

import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import type { Result } from '../core/schema/generated/result.ts';
import { answer } from '../core/vision/answer.ts';
import { identity, parseLetterbox } from '../core/vision/letterbox.ts';
import { type Settings, settle } from '../core/vision/settings.ts';
import { type LaidMessage, layoutMessage } from '../core/wire/encode.ts';
import type { MessageMeta, TensorData } from '../core/wire/message.ts';
import type { FrameRecord } from './frame-record.ts';

/** What the splitter sends along for the answer. */
interface Extra {
  readonly letterbox?: unknown;
  readonly decodeMs?: unknown;
}

/** Answers frames of one plan. */
export class Answerer {
  readonly #plan: AnnouncedPlan;
  readonly #settings: Settings;

  constructor(plan: AnnouncedPlan) {
    this.#plan = plan;
    this.#settings = settle(plan.announcement.settings);
  }

  get task(): Settings['answer']['task'] {
    return this.#settings.answer.task;
  }

  /** The result document (result.schema.json); throws where the outputs cannot be answered. */
  result(record: FrameRecord, now: number): Result {
    const { letterbox, decodeMs } = (record.extra ?? {}) as Extra;
    const place = letterbox === undefined ? identity({ width: 1, height: 1 }) : parseLetterbox(letterbox);
    const before = performance.now();
    const body = answer(this.#settings.answer, this.outputs(record), place);
    const answerMs = performance.now() - before;
    return {
      format: 1,
      pipeline: this.#plan.pipeline,
      frame: record.id,
      source: record.source,
      sequence: record.sequence,
      plan: this.#plan.digest,
      ok: true,
      ...body,
      timing: {
        totalMs: now + answerMs - record.startedAt,
        ...(typeof decodeMs === 'number' ? { decodeMs } : {}),
        answerMs,
        blocks: record.timings(this.#plan.index),
      },
      bytes: { moved: record.bytes },
    };
  }

  /** The output tensors in the model's order. */
  outputs(record: FrameRecord): TensorData[] {
    return this.#plan.index.plan.outputs.map((name) => record.outputs.get(name) as TensorData);
  }

  /** The raw outputs as a message of kind `result`: each tensor is copied once, into the body. */
  tensors(meta: MessageMeta, record: FrameRecord): LaidMessage {
    const outputs = this.outputs(record);
    const message = layoutMessage({ ...meta, kind: 'result' }, outputs);
    for (const { name, bytes } of outputs) message.bytes(name).set(bytes);
    return message;
  }
}
