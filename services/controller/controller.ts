/** The controller: serves sub-models, announces plans, and knows which workers are ready for them. */

import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { Roster } from '../core/control/roster.ts';
import { monotonicMs } from '../core/runtime/clock.ts';
import { asTilepipeError, TilepipeError } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import { parseStatus } from '../core/runtime/status.ts';
import { within } from '../core/runtime/within.ts';
import type { Announcement } from '../core/schema/generated/announcement.ts';
import type { Status } from '../core/schema/generated/status.ts';
import type { PreparedPlan } from './prepare.ts';

export interface ControllerDeps {
  readonly id: string;
  readonly control: Bus;
  readonly topics: Topics;
  readonly log: Log;
  /** Base URL of the model store, as workers should use it. */
  readonly store: string;
}

export interface Rollout {
  readonly plan: Pick<PreparedPlan, 'plan' | 'digest' | 'fallback' | 'loss'>;
  /** How frames are read and answered, and how many at once. */
  readonly settings: Announcement['settings'];
  readonly frames: Announcement['frames'];
}

export class Controller {
  readonly #deps: ControllerDeps;
  readonly #workers: Roster;
  readonly #announced = new Map<string, Announcement>();
  /** Fallbacks that a worker could not load and that was said of, since the last roll-out. */
  readonly #unloaded = new Set<string>();
  readonly #waiting = new Set<() => void>();
  readonly #listeners = new Set<(status: Status) => void>();

  constructor(deps: ControllerDeps) {
    this.#deps = deps;
    const { control, topics } = deps;
    this.#workers = new Roster({
      control,
      topics,
      role: 'worker',
      parse: parseStatus,
      changed: (status) => this.#changed(status),
    });
  }

  async start(): Promise<void> {
    await this.#workers.start();
    // A broker that lost its retained messages is told again.
    this.#deps.control.onUp(() => {
      for (const announcement of this.#announced.values()) {
        // Lost again meanwhile: the next connection brings it.
        this.#publish(announcement).catch((error: unknown) =>
          this.#deps.log.warn(
            { pipeline: announcement.plan.pipeline },
            `not announced again: ${asTilepipeError(error).message}`,
          ),
        );
      }
    });
  }

  async stop(): Promise<void> {
    await this.#workers.stop();
  }

  /** Announces a plan; workers load it, and frames start on it when they are ready. */
  async rollOut({ plan: { plan, digest, fallback, loss }, settings, frames }: Rollout): Promise<void> {
    const announcement: Announcement = {
      digest,
      plan,
      ...(fallback === undefined ? {} : { fallback: { digest: fallback.digest, plan: fallback.plan } }),
      ...(loss === undefined ? {} : { loss }),
      store: this.#deps.store,
      controller: this.#deps.id,
      settings,
      frames,
    };
    this.#announced.set(plan.pipeline, announcement);
    this.#unloaded.clear();
    await this.#publish(announcement);
    this.#deps.log.info(
      {
        pipeline: plan.pipeline,
        plan: digest.slice(0, 12),
        blocks: plan.blocks.length,
        fallback: fallback?.digest.slice(0, 12) ?? 'none',
      },
      'plan rolled out',
    );
  }

  /** Takes a pipeline off the bus: its retained announcement is erased. */
  async withdraw(pipeline: string): Promise<void> {
    this.#announced.delete(pipeline);
    await this.#deps.control.publish(this.#deps.topics.build('plan', { pipeline }), Buffer.alloc(0), {
      qos: 1,
      retain: true,
    });
  }

  /** Names of the pipelines whose plans are in force. */
  get pipelines(): readonly string[] {
    return [...this.#announced.keys()];
  }

  /** Workers that are online, in order of id. */
  workers(): Status[] {
    return this.#workers.online();
  }

  /** Hears every status of a worker; the returned function ends it. */
  onWorker(listener: (status: Status) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Workers online, and how many of them are ready for a plan. */
  readiness(digest: string): { online: number; ready: number; failed: readonly string[] } {
    const online = this.#workers.online();
    const failed = online.filter((status) => status.plans?.[digest]?.state === 'failed');
    return {
      online: online.length,
      ready: online.filter((status) => status.plans?.[digest]?.state === 'ready').length,
      failed: failed.map(({ id, plans }) => `${id}: ${plans?.[digest]?.error ?? 'no reason given'}`),
    };
  }

  /**
   * Resolves when `workers` of them are ready for a plan.
   * Rejects with `task-failed` when one says that it cannot load it, with `no-worker` after `limitMs`, and with the
   * signal's reason when it is given up.
   */
  async whenReady(digest: string, workers: number, limitMs: number, signal?: AbortSignal): Promise<void> {
    const until = monotonicMs() + limitMs;
    for (;;) {
      signal?.throwIfAborted();
      const { ready, online, failed } = this.readiness(digest);
      if (failed.length > 0)
        throw new TilepipeError('task-failed', `a worker could not load the plan: ${failed.join('; ')}`);
      if (ready >= workers) return;
      const left = until - monotonicMs();
      if (left <= 0) {
        throw new TilepipeError(
          'no-worker',
          `${ready} of ${workers} workers were ready after ${Math.round(limitMs / 1000)} s (${online} online)`,
        );
      }
      await this.#change(left, signal);
    }
  }

  /** Resolves when a worker's status changes, after `limitMs`, or on the signal. */
  async #change(limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    let wake = (): void => {};
    const changed = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#waiting.add(wake);
    signal?.addEventListener('abort', wake);
    try {
      await within(limitMs, changed);
    } finally {
      this.#waiting.delete(wake);
      signal?.removeEventListener('abort', wake);
    }
  }

  #changed(status: Status): void {
    this.#deps.log.debug({ worker: status.id, state: status.state }, 'worker changed');
    for (const { fallback, plan } of this.#announced.values())
      if (fallback !== undefined) this.#lookAtFallback(status, fallback.digest, plan.pipeline);
    for (const wake of this.#waiting) wake();
    for (const listener of this.#listeners) listener(status);
  }

  /** Nothing waits for a fallback to be loaded, so that nobody would hear why frames have none. */
  #lookAtFallback({ id, plans }: Status, digest: string, pipeline: string): void {
    const { state, code, error } = plans?.[digest] ?? {};
    const key = `${digest} ${id}`;
    if (state !== 'failed' || this.#unloaded.has(key)) return;
    this.#unloaded.add(key);
    const why = error ?? 'no reason given';
    this.#deps.log.warn(
      { pipeline, plan: digest.slice(0, 12), worker: id, code },
      `a worker could not load the fallback: ${why}`,
    );
  }

  #publish(announcement: Announcement): Promise<void> {
    const topic = this.#deps.topics.build('plan', { pipeline: announcement.plan.pipeline });
    const payload = Buffer.from(JSON.stringify(announcement));
    return this.#deps.control.publish(topic, payload, { qos: 1, retain: true });
  }
}
