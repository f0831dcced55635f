/** The workers a dispatcher knows: what each is at, which of them a task may go to, and why there is none, for people. */

import type { WorkerSummary } from './dispatch-types.ts';
import { type Attempt, type Placement, WorkerState, type WorkerView } from './dispatch-worker.ts';

const NOBODY: ReadonlySet<string> = new Set();

export class Crew {
  readonly #workers = new Map<string, WorkerState>();

  [Symbol.iterator](): IterableIterator<WorkerState> {
    return this.#workers.values();
  }

  get(id: string): WorkerState | undefined {
    return this.#workers.get(id);
  }

  /** One appeared or changed. */
  update(view: WorkerView): void {
    const state = this.#workers.get(view.id);
    if (state === undefined) this.#workers.set(view.id, new WorkerState(view));
    else state.view = view;
  }

  remove(id: string): WorkerState | undefined {
    const state = this.#workers.get(id);
    this.#workers.delete(id);
    return state;
  }

  /** Those that could begin with something now. */
  get idle(): number {
    let idle = 0;
    for (const worker of this) if (worker.idle) idle++;
    return idle;
  }

  /** A worker is not at an item any more, whatever became of it; what it was, if it was. */
  free(id: string, key: string, now: number): Attempt | undefined {
    const state = this.#workers.get(id);
    const attempt = state?.active.get(key);
    if (state === undefined || attempt === undefined) return undefined;
    state.active.delete(key);
    state.since = now;
    return attempt;
  }

  /**
   * The workers a task may go to now, whether idle or not: those the plan lists, as long as one of them is there
   * and not refused, else any that suits. `refused` are those that failed at this very task.
   */
  candidates(placement: Placement, refused = NOBODY): WorkerState[] {
    const suitable = [...this].filter((worker) => !refused.has(worker.view.id) && worker.suits(placement));
    const { devices, bound } = placement;
    const listed = suitable.filter(({ view }) => devices?.includes(view.id));
    return listed.length > 0 || bound ? listed : suitable;
  }

  /** Why no worker can take a task. */
  nobodyFor(placement: Placement): string {
    const { devices } = placement;
    const able = ['holds its sub-model', ...(placement.codecs ?? []).map((codec) => `takes ${codec}`)];
    if (devices === undefined) return `no worker ${able.join(' and ')}`;
    const each = devices.map((device) => `${device} ${hindrance(this.get(device), placement)}`);
    return `${each.join(', ')}; no other worker ${able.join(' and ')}`;
  }

  /** Why a task was not sent although some worker can take it. */
  whyUnsent(placement: Placement): string {
    const free = this.candidates(placement).some(({ idle }) => idle);
    return free ? 'it waited for a faster worker' : 'every worker that holds it was busy';
  }

  summaries(): WorkerSummary[] {
    return [...this].map(({ view, active, done, failures, timeouts, troubles, running }) => {
      return { id: view.id, active: active.size, done, failures, timeouts, troubles, ...running };
    });
  }
}

/** Why one device cannot take a task, after its name. */
function hindrance(worker: WorkerState | undefined, placement: Placement): string {
  if (worker === undefined) return 'is away';
  const { view } = worker;
  if (view.draining === true) return 'takes no more tasks';
  if (!view.holds(placement.plan, placement.model)) return 'has not loaded its sub-model';
  const codec = worker.unread(placement);
  return codec === undefined ? 'does not run such tasks' : `does not take ${codec}`;
}
