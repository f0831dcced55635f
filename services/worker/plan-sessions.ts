/** The plans a worker serves: what it loads of each, what it says of them, and when an old one goes. */

import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import type { Task } from '../core/flow/plan-index.ts';
import type { BlobCache } from '../core/runtime/blobs.ts';
import { asTilepipeError, type ErrorCode } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import type { Status } from '../core/schema/generated/status.ts';
import type { Executor } from './executor/executor.ts';
import { ModelShelf } from './model-shelf.ts';

export interface PlanSessionsDeps {
  readonly executor: Executor;
  readonly blobs: BlobCache;
  readonly log: Log;
  /** Whether this worker may run a task. */
  readonly mayRun: (task: Task) => boolean;
  /** Address of a plan's model store, as this worker reaches it. */
  readonly storeOf: (plan: AnnouncedPlan) => string;
  /** Something the status says has changed. */
  readonly changed: () => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

type PlanState = NonNullable<Status['plans']>[string];

/** One announcement's life here, from its first to its withdrawal; it is also the claim on its sub-models. */
interface Served {
  plan: AnnouncedPlan;
  state: PlanState['state'];
  readonly sessions: Map<string, number>;
  error: { code: ErrorCode; message: string } | undefined;
  /** Whether it is still the newest of its pipeline, or the fallback of that. */
  current: boolean;
  /** Whether it stands in for another. */
  fallback: boolean;
  lastUsed: number;
  attempts: number;
  retry: NodeJS.Timeout | undefined;
}

/** Sub-models downloaded and loaded at once, per plan. */
const PARALLEL = 4;
/** An old plan goes when its successor is ready and nothing has come for it for this long: frames take seconds. */
const IDLE_MS = 30_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;
/** Failures that waiting may mend. */
const PASSING: ReadonlySet<ErrorCode> = new Set(['download-failed', 'digest-mismatch', 'cache-unwritable']);

export class PlanSessions {
  readonly #deps: PlanSessionsDeps;
  readonly #shelf: ModelShelf;
  /** By plan digest, in order of announcement. */
  readonly #served = new Map<string, Served>();
  readonly #ended = new AbortController();

  constructor(deps: PlanSessionsDeps) {
    this.#deps = deps;
    this.#shelf = new ModelShelf({ ...deps, signal: this.#ended.signal });
  }

  /** A plan is in force now, with its fallback; also one that was, and is again, or whose store has moved. */
  announce(plan: AnnouncedPlan): void {
    for (const served of this.#served.values()) {
      if (served.plan.pipeline === plan.pipeline) served.current = false;
    }
    const first = this.#serve(plan, false);
    if (plan.fallback !== undefined) void this.#serve(plan.fallback, true, first);
    this.#deps.changed();
  }

  /** `after`: what is waited for before anything is loaded. */
  #serve(plan: AnnouncedPlan, fallback: boolean, after?: Promise<void>): Promise<void> | undefined {
    const known = this.#served.get(plan.digest);
    if (known !== undefined) {
      Object.assign(known, { plan, fallback, current: true });
      if (known.state === 'failed') this.#loadAgain(known);
      return undefined;
    }
    const served: Served = {
      plan,
      state: 'loading',
      sessions: new Map(),
      error: undefined,
      current: true,
      fallback,
      lastUsed: this.#deps.now(),
      attempts: 0,
      retry: undefined,
    };
    this.#served.set(plan.digest, served);
    return after === undefined ? this.#load(served) : after.then(() => this.#load(served));
  }

  /** The pipeline is no more. Returns the digests of its plans. */
  withdraw(pipeline: string): string[] {
    const withdrawn = [...this.#served.values()].filter(({ plan }) => plan.pipeline === pipeline);
    for (const served of withdrawn) this.#remove(served);
    this.#deps.changed();
    return withdrawn.map(({ plan }) => plan.digest);
  }

  /** The plan and the session for one of its tasks; notes that the plan is in use. */
  find(digest: string, model: string): { plan: AnnouncedPlan; session: number | undefined } | undefined {
    const served = this.#served.get(digest);
    if (served === undefined) return undefined;
    served.lastUsed = this.#deps.now();
    return { plan: served.plan, session: served.sessions.get(model) };
  }

  /** A plan that is served, loaded or not; notes that it is in use. */
  plan(digest: string): AnnouncedPlan | undefined {
    return this.find(digest, '')?.plan;
  }

  /** Lets go of old plans that nothing has come for; to be called every second or so. Returns their digests. */
  retireIdle(): string[] {
    const oldest = this.#deps.now() - IDLE_MS;
    const retired: string[] = [];
    for (const served of [...this.#served.values()]) {
      if (served.current || served.lastUsed > oldest || !this.#replaced(served)) continue;
      this.#remove(served);
      retired.push(served.plan.digest);
    }
    if (retired.length > 0) this.#deps.changed();
    return retired;
  }

  /** Sub-models loaded so far: a plan that needs no other than the one before adds none. */
  get created(): number {
    return this.#shelf.loaded;
  }

  get loading(): boolean {
    for (const { state } of this.#served.values()) if (state === 'loading') return true;
    return false;
  }

  /** For the status. */
  states(): Record<string, PlanState> {
    return Object.fromEntries(
      [...this.#served].map(([digest, { state, sessions, error }]) => [
        digest,
        {
          state,
          ...(state === 'ready' ? { models: [...sessions.keys()].sort() } : {}),
          ...(error === undefined ? {} : { code: error.code, error: error.message }),
        },
      ]),
    );
  }

  /** For good; downloads under way are given up, and what has arrived of them is kept for the next time. */
  stop(): void {
    for (const served of this.#served.values()) clearTimeout(served.retry);
    this.#served.clear();
    this.#ended.abort();
  }

  #serves(served: Served): boolean {
    return this.#served.get(served.plan.digest) === served;
  }

  #replaced({ plan }: Served): boolean {
    for (const other of this.#served.values()) {
      if (other.current && !other.fallback && other.plan.pipeline === plan.pipeline)
        return other.state === 'ready';
    }
    return true;
  }

  async #load(served: Served): Promise<void> {
    if (!this.#serves(served)) return;
    const { plan } = served;
    const { log, storeOf, mayRun, changed, now } = this.#deps;
    const wanted = new Set<string>();
    for (const task of plan.index.tasks.values()) {
      if (task.kind === 'run' && task.model !== undefined && mayRun(task)) wanted.add(task.model);
    }
    const models = plan.announcement.plan.models.filter(({ digest }) => wanted.has(digest));
    const started = now();
    try {
      await eachOf(models, PARALLEL, async (model) => {
        if (!this.#serves(served)) return;
        const session = await this.#shelf.take(model, storeOf(plan), served);
        if (this.#serves(served)) served.sessions.set(model.digest, session);
        else await this.#shelf.leave(model.digest, served);
      });
      if (!this.#serves(served)) return;
      served.state = 'ready';
      served.error = undefined;
      served.lastUsed = now();
      log.info(
        {
          pipeline: plan.pipeline,
          plan: plan.digest.slice(0, 12),
          models: models.length,
          ms: Math.round(now() - started),
        },
        'plan ready',
      );
    } catch (caught) {
      if (!this.#serves(served)) return;
      const error = asTilepipeError(caught);
      served.state = 'failed';
      served.error = { code: error.code, message: error.message };
      log.error({ pipeline: plan.pipeline, plan: plan.digest.slice(0, 12), code: error.code }, error.message);
      if (PASSING.has(error.code)) this.#retryLater(served);
    }
    changed();
  }

  #retryLater(served: Served): void {
    const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** served.attempts++);
    served.retry = setTimeout(() => this.#loadAgain(served), wait);
    served.retry.unref();
  }

  #loadAgain(served: Served): void {
    clearTimeout(served.retry);
    served.state = 'loading';
    void this.#load(served);
    this.#deps.changed();
  }

  #remove(served: Served): void {
    const { plan, sessions, retry } = served;
    clearTimeout(retry);
    this.#served.delete(plan.digest);
    for (const model of sessions.keys()) void this.#shelf.leave(model, served);
    this.#deps.log.info({ pipeline: plan.pipeline, plan: plan.digest.slice(0, 12) }, 'plan unloaded');
  }
}

/** Works on every item, `limit` at once; the first failure ends it. */
async function eachOf<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
}
