/** The results of frames that end without an answer: a frame never ends silently. */

import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { asTilepipeError, ERRORS, type ErrorCode } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import { within } from '../core/runtime/within.ts';
import type { Result } from '../core/schema/generated/result.ts';
import type { Frame } from './frame-queue.ts';

/** Failures that another attempt would only repeat. */
const FINAL: ReadonlySet<ErrorCode> = new Set(['task-failed', 'config-invalid', 'internal']);

export function isFinal(code: ErrorCode): boolean {
  return FINAL.has(code);
}

/** A code of the table, whatever the sender wrote. */
export function asCode(code: string | undefined): ErrorCode {
  return code !== undefined && Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'task-failed';
}

export interface ErrorResultsDeps {
  readonly control: Bus;
  readonly topics: Topics;
  readonly log: Log;
  /** What a pipeline answers, as far as it is known. */
  readonly taskOf: (pipeline: string) => Result['task'];
}

type Failed = Pick<Frame, 'id' | 'source' | 'sequence'>;

export class ErrorResults {
  readonly #deps: ErrorResultsDeps;
  /** Those on their way. */
  readonly #publishing = new Set<Promise<void>>();

  constructor(deps: ErrorResultsDeps) {
    this.#deps = deps;
  }

  /** Never throws: what cannot be published is logged. */
  publish(pipeline: string, frame: Failed, code: ErrorCode, message: string): void {
    const published = this.#publish(pipeline, frame, code, message)
      .catch((error: unknown) => {
        const { code: why, message: what } = asTilepipeError(error);
        this.#deps.log.error(
          { frame: frame.id, code: why },
          `the error result could not be published: ${what}`,
        );
      })
      .finally(() => this.#publishing.delete(published));
    this.#publishing.add(published);
  }

  /** Waits until the last of them are out, `limitMs` at most. */
  async flush(limitMs: number): Promise<void> {
    await within(limitMs, Promise.all(this.#publishing));
  }

  async #publish(
    pipeline: string,
    { id, source, sequence }: Failed,
    code: ErrorCode,
    message: string,
  ): Promise<void> {
    const { control, topics, taskOf } = this.#deps;
    const result: Result = {
      format: 1,
      pipeline,
      frame: id,
      source,
      sequence,
      task: taskOf(pipeline),
      ok: false,
      error: { code, message },
    };
    const topic = topics.build('result', { pipeline, source });
    await control.publish(topic, Buffer.from(JSON.stringify(result)), { qos: 1 });
  }
}
