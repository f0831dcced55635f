/** The plans in force: every retained announcement of a pipeline, checked before anybody acts on it. */

import type { Bus, Incoming } from '../bus/bus.ts';
import type { Topics } from '../bus/topics.ts';
import { canonicalJson, PlanIndex } from '../flow/plan-index.ts';
import { asTilepipeError } from '../runtime/errors.ts';
import type { Announcement } from '../schema/generated/announcement.ts';
import { subscribeAll } from './subscribe-all.ts';

/** One announced plan with its look-ups. */
export interface AnnouncedPlan {
  readonly pipeline: string;
  readonly digest: string;
  readonly announcement: Announcement;
  readonly index: PlanIndex;
  /** What its frames go on with where an attempt under it fails. */
  readonly fallback?: AnnouncedPlan;
}

export interface PlanWatchDeps {
  readonly control: Bus;
  readonly topics: Topics;
  /** Only these pipelines; absent: all. */
  readonly pipelines?: readonly string[];
  /** Parses and checks the document; throws `plan-invalid`. */
  readonly parse: (payload: Buffer) => Announcement;
  readonly announced: (plan: AnnouncedPlan) => void;
  readonly withdrawn: (pipeline: string) => void;
  readonly rejected: (topic: string, reason: string) => void;
}

/** Plans remembered per pipeline: the newest, and those whose frames may still be under way. */
const REMEMBERED = 3;

export class PlanWatch {
  readonly #deps: PlanWatchDeps;
  /** Those announced, the newest first, and with them their fallbacks. */
  readonly #plans = new Map<string, { readonly announced: AnnouncedPlan[]; readonly all: AnnouncedPlan[] }>();
  #undo: (() => Promise<void>) | undefined;

  constructor(deps: PlanWatchDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { control, topics, pipelines = ['+'] } = this.#deps;
    const filters = pipelines.map((pipeline) => topics.filter('plan', { pipeline }));
    this.#undo = await subscribeAll(control, filters, (message) => this.#receive(message), { qos: 1 });
  }

  async stop(): Promise<void> {
    await this.#undo?.();
    this.#undo = undefined;
    this.#plans.clear();
  }

  /** Announced plans of a pipeline, the newest first; behind them their fallbacks that were not announced themselves. */
  of(pipeline: string): readonly AnnouncedPlan[] {
    return this.#plans.get(pipeline)?.all ?? [];
  }

  find(pipeline: string, digest: string): AnnouncedPlan | undefined {
    return this.of(pipeline).find((plan) => plan.digest === digest);
  }

  pipelines(): string[] {
    return [...this.#plans.keys()];
  }

  #receive({ topic, payload }: Incoming): void {
    const pipeline = this.#deps.topics.parse('plan', topic)?.pipeline;
    if (pipeline === undefined) return;
    if (payload.length === 0) {
      this.#plans.delete(pipeline);
      this.#deps.withdrawn(pipeline);
      return;
    }
    try {
      const announcement = this.#deps.parse(payload);
      const known = this.#plans.get(pipeline)?.announced ?? [];
      const { digest } = announcement;
      // The same plan may come with other settings, limits, or an address of the store that has moved.
      if (known[0]?.digest === digest && sameDocument(known[0].announcement, announcement)) return;
      const plan = this.#planOf(pipeline, announcement);
      const others = known.filter((old) => old.digest !== plan.digest);
      const announced = [plan, ...others].slice(0, REMEMBERED);
      this.#plans.set(pipeline, { announced, all: withFallbacks(announced) });
      this.#deps.announced(plan);
    } catch (error) {
      this.#deps.rejected(topic, asTilepipeError(error).message);
    }
  }

  #planOf(pipeline: string, announcement: Announcement): AnnouncedPlan {
    const { digest, plan, fallback: second, ...rest } = announcement;
    const index = this.find(pipeline, digest)?.index ?? new PlanIndex(plan);
    const fallback = second && this.#planOf(pipeline, { ...rest, ...second });
    return { pipeline, digest, announcement, index, ...(fallback === undefined ? {} : { fallback }) };
  }
}

function withFallbacks(plans: readonly AnnouncedPlan[]): AnnouncedPlan[] {
  const all = new Map(plans.map((plan) => [plan.digest, plan]));
  for (const { fallback } of plans)
    if (fallback !== undefined && !all.has(fallback.digest)) all.set(fallback.digest, fallback);
  return [...all.values()];
}

function sameDocument(a: Announcement, b: Announcement): boolean {
  return canonicalJson(a) === canonicalJson(b);
}
