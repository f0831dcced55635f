/** What goes into a dispatcher and what comes out of it. */

import type { ErrorCode } from '../runtime/errors.ts';
import type { Placement } from './dispatch-worker.ts';

/** One task of one frame, with the message that carries it. */
export interface DispatchItem<T> extends Placement {
  /** Unique among items that have not ended: frame and task. */
  readonly key: string;
  readonly frame: string;
  /** Age of the frame: the lower goes first. */
  readonly order: number;
  /** Tasks of one sort take about equally long: block and sub-model, or finer. */
  readonly sort: string;
  /** Its name in the plan; absent: it has none. */
  readonly task?: string;
  /** When the item ends as a failure, on the dispatcher's clock; absent: `itemDeadlineMs` from now. */
  readonly deadlineAt?: number;
  /**
   * Which start of its frame it is of, from 1; absent: not known. An answer may be to what was sent at an earlier one,
   * under the same key: what was made then is as good, a failure is none of this one.
   */
  readonly frameAttempt?: number | undefined;
  /** Held until the item ends, to be sent again. */
  readonly message: T;
}

export type DispatchAction<T> =
  | {
      readonly type: 'send';
      readonly item: DispatchItem<T>;
      readonly worker: string;
      /** 1 the first time. */
      readonly attempt: number;
      /** Time left for the item, in milliseconds. */
      readonly deadlineMs: number;
    }
  | {
      readonly type: 'fail';
      readonly item: DispatchItem<T>;
      readonly code: ErrorCode;
      readonly message: string;
    };

export interface DispatcherOptions {
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  /** Items not ended, beyond which `submit` fails them at once. */
  readonly maxItems?: number;
  /** Time a task may take while nothing is known of its sort. */
  readonly firstDeadlineMs?: number;
  /** Time from submission to the end of an item without a deadline of its own. */
  readonly itemDeadlineMs?: number;
  /** Re-issues allowed per item submitted, and at once. */
  readonly retryShare?: number;
  readonly retryBurst?: number;
  /** Sends of one item, after which it is given up. */
  readonly maxAttempts?: number;
  /**
   * Time an item waits while none of the devices its plan lists is there and nobody else holds its sub-model; then it
   * fails with `no-worker`, so that its frame can start again on a plan that does without them. Items for any worker
   * wait until their deadline.
   */
  readonly forsakenMs?: number;
}

export interface DispatchCounters {
  readonly submitted: number;
  readonly done: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly sent: number;
  /** Sends after the first of an item. */
  readonly reissued: number;
  readonly timeouts: number;
  /** Re-issues put off or given up because the budget was spent. */
  readonly overBudget: number;
  /** Answers that ended nothing: for an item that had ended, or from a worker never asked. */
  readonly strangers: number;
}

/** Of a dispatcher that has just begun. */
export const NO_COUNTS: DispatchCounters = {
  submitted: 0,
  done: 0,
  failed: 0,
  cancelled: 0,
  sent: 0,
  reissued: 0,
  timeouts: 0,
  overBudget: 0,
  strangers: 0,
};

export interface WorkerSummary {
  readonly id: string;
  readonly active: number;
  readonly done: number;
  readonly failures: number;
  readonly timeouts: number;
  /** Failures and timeouts in a row: many are a reason to keep the worker out. */
  readonly troubles: number;
  /** The oldest of its tasks, and since when it can have been at it, on the dispatcher's clock; absent: none, or one without a name. */
  readonly running?: { readonly plan: string; readonly task: string; readonly since: number };
}
