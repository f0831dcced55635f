/** The merger's word to a frame's splitter: its result is out, or the attempt has failed. */

import type { Bus } from '../core/bus/bus.ts';
import { sendMessage } from '../core/control/send.ts';
import { asTilepipeError, type ErrorCode } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import { layoutMessage } from '../core/wire/encode.ts';
import type { MessageMeta } from '../core/wire/message.ts';

export interface WordDeps {
  /** The merger. */
  readonly id: string;
  readonly data: Bus;
  readonly log: Log;
}

/** Whom it is for, and of which attempt it is, as the splitter's `open` said. */
export interface Addressee {
  readonly id: string;
  readonly splitter: string | undefined;
  readonly attempt?: number | undefined;
}

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** The worker that made other than the plan says. */
  readonly unsound?: string | undefined;
  /** The workers whose strips did not come, as one that waited for them says it. */
  readonly from?: unknown;
}

export class Word {
  readonly #deps: WordDeps;

  constructor(deps: WordDeps) {
    this.#deps = deps;
  }

  /** Without a failure: the result is out. Where it is lost, the splitter's own deadline does the same. */
  close(
    { pipeline, digest }: { readonly pipeline: string; readonly digest: string },
    { id, splitter, attempt }: Addressee,
    failure?: Failure,
  ): void {
    const { data, id: sender, log } = this.#deps;
    if (splitter === undefined) return;
    const meta: MessageMeta = { kind: 'close', sender, pipeline, plan: digest, frame: id, ...failed() };
    sendMessage(data, splitter, layoutMessage(meta, [])).catch((error: unknown) =>
      log.warn({ frame: id }, asTilepipeError(error).message),
    );

    function failed(): Pick<MessageMeta, 'code' | 'message' | 'extra'> {
      if (failure === undefined) return {};
      const { code, message, unsound, from } = failure;
      return { code, message, extra: { attempt, unsound, from } };
    }
  }
}
