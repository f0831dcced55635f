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

export class ErrorResults {
  readonly #deps: ErrorResultsDeps;
  /** Those on their way. */
  readonly #publishing = new Set<Promise<void>>();

  constructor(deps: ErrorResultsDeps) {
    this.#deps = deps;
  }

  publish(
    pipeline: string,
    { id, source, sequence }: Pick<Frame, 'id' | 'source' | 'sequence'>,
    code: ErrorCode,
    message: string,
  ): void {
    const { control, topics, log, taskOf } = this.#deps;
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
    const published = control
      .publish(topic, Buffer.from(JSON.stringify(result)), { qos: 1 })
      .catch((error: unknown) => {
        log.error(
          { frame: id, code: asTilepipeError(error).code },
          'the error result could not be published',
        );
      })
      .finally(() => this.#publishing.delete(published));
    this.#publishing.add(published);
  }

  /** Waits until the last of them are out, `limitMs` at most. */
  async flush(limitMs: number): Promise<void> {
    await within(limitMs, Promise.all(this.#publishing));
  }
}
