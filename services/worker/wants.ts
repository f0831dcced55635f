/** Strips that have not come although others of the same task have: who is asked for them, and when. */

import { Durations } from '../core/flow/durations.ts';
import type { Missing } from '../core/flow/gather.ts';
import type { PlanIndex } from '../core/flow/plan-index.ts';
import type { MessageMeta } from '../core/wire/message.ts';

/** What is asked for: of each worker, what these tasks made for the one that waits. */
export interface Want {
  /** Of the last message of the frame. */
  readonly meta: MessageMeta;
  /** The task that waits. */
  readonly task: string;
  readonly from: ReadonlyMap<string, readonly string[]>;
}

interface Waiting {
  /** When its first strip came. */
  readonly since: number;
  meta: MessageMeta;
  asked: number;
}

/** Milliseconds that are waited where nothing is known yet: sub-models may still be loading. */
const FIRST_MS = 2_000;
/** Times a worker is asked; after that the splitter's deadline runs the frame again. */
const MOST_ASKED = 4;

/** Tasks of one plan that have some of their strips; milliseconds are monotonic. */
export class Wants {
  readonly #index: PlanIndex;
  readonly #worker: string;
  readonly #durations = new Durations(FIRST_MS);
  /** By frame, then by task. */
  readonly #waiting = new Map<string, Map<string, Waiting>>();

  constructor(index: PlanIndex, worker: string) {
    this.#index = index;
    this.#worker = worker;
  }

  /** Strips of a frame have come; `missing` is what its tasks still wait for, `ready` those that wait for nothing now. */
  came(
    frame: string,
    meta: MessageMeta,
    missing: readonly Missing[],
    ready: readonly string[],
    now: number,
  ): void {
    const tasks = this.#waiting.get(frame) ?? new Map<string, Waiting>();
    for (const task of ready) {
      const waited = tasks.get(task);
      this.#durations.record(task, waited === undefined ? 0 : now - waited.since);
      tasks.delete(task);
    }
    for (const { task, transfers } of missing) {
      const known = tasks.get(task);
      if (known !== undefined) known.meta = meta;
      else if (transfers.length < this.#index.transfersTo(task).length)
        tasks.set(task, { since: now, meta, asked: 0 });
    }
    if (tasks.size > 0) this.#waiting.set(frame, tasks);
    else this.#waiting.delete(frame);
  }

  drop(frame: string): void {
    this.#waiting.delete(frame);
  }

  /** What has been waited for too long; asked again each time after twice as long. */
  overdue(now: number, missingOf: (frame: string) => readonly Missing[]): Want[] {
    const wants: Want[] = [];
    for (const [frame, tasks] of this.#waiting) {
      for (const [task, waiting] of tasks) {
        const limit = this.#durations.deadlineMs(task) * 2 ** waiting.asked;
        if (waiting.asked >= MOST_ASKED || now - waiting.since < limit) continue;
        waiting.asked++;
        const transfers = missingOf(frame).find((each) => each.task === task)?.transfers ?? [];
        const from = new Map<string, string[]>();
        for (const { from: maker } of transfers) {
          const device = this.#index.tasks.get(maker)?.devices?.[0];
          if (device === undefined || device === this.#worker) continue;
          const asked = from.get(device) ?? [];
          if (!asked.includes(maker)) asked.push(maker);
          from.set(device, asked);
        }
        if (from.size > 0) wants.push({ meta: waiting.meta, task, from });
      }
    }
    return wants;
  }
}
