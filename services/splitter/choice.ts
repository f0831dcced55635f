/** Which plan and which merger a frame starts on, or why it cannot start. */

import type { Bus } from '../core/bus/bus.ts';
import type { Dispatching } from '../core/control/dispatching.ts';
import type { AnnouncedPlan, PlanWatch } from '../core/control/plan-watch.ts';
import type { Roster } from '../core/control/roster.ts';
import type { Status } from '../core/schema/generated/status.ts';
import type { Frame } from './frame-queue.ts';
import type { Intake } from './intake.ts';

export interface ChoiceDeps {
  readonly data: Bus;
  readonly plans: PlanWatch;
  readonly mergers: Roster;
  readonly dispatching: Dispatching;
  /** How a plan's frames are read. */
  readonly intake: (plan: AnnouncedPlan) => Intake;
}

export class Choice {
  readonly #deps: ChoiceDeps;
  /** Plans that workers were ready for. */
  readonly #ready = new WeakSet<AnnouncedPlan>();

  constructor(deps: ChoiceDeps) {
    this.#deps = deps;
  }

  /** The newest plan that workers are ready for: an older one goes on until then. */
  startable(pipeline: string): AnnouncedPlan | undefined {
    return this.#inOrder(pipeline).find((plan) => this.#canRun(plan));
  }

  /**
   * For a frame that is read already: only plans that read frames the same way can take it. One that has failed under a
   * plan goes on by that one's fallback, if it can.
   */
  choose(
    pipeline: string,
    frame: Frame,
    after?: AnnouncedPlan,
  ): { plan: AnnouncedPlan; merger: string } | undefined {
    const { data, intake } = this.#deps;
    if (!data.connected) return undefined;
    const first = after?.fallback === undefined ? [] : [after.fallback];
    for (const plan of [...first, ...this.#inOrder(pipeline)]) {
      if (intake(plan).reading !== frame.reading) continue;
      const mergers = this.#mergersFor(plan);
      const merger = mergers[frame.sequence % Math.max(1, mergers.length)];
      if (merger !== undefined && this.#canRun(plan)) return { plan, merger: merger.id };
    }
    return undefined;
  }

  /** Whether a frame that runs under a plan could begin again on one that comes before it. */
  overtaken(pipeline: string, frame: Frame, plan: AnnouncedPlan): boolean {
    const chosen = this.choose(pipeline, frame)?.plan;
    const order = this.#inOrder(pipeline).map(({ digest }) => digest);
    const own = order.indexOf(plan.digest);
    return chosen !== undefined && (own < 0 || order.indexOf(chosen.digest) < own);
  }

  /** Why a frame cannot start, by the newest plan that would take it. */
  obstacle(pipeline: string, frame: Frame): string {
    const { data, plans, dispatching, intake } = this.#deps;
    const plan = plans.of(pipeline).find((each) => intake(each).reading === frame.reading);
    if (plan === undefined) return `pipeline ${pipeline} has no plan any more that takes such a frame`;
    if (!data.connected) return 'the connection to the broker is away';
    if (this.#mergersFor(plan).length === 0) return 'no merger is online that knows the plan';
    const orphan = dispatching.orphanOf(plan);
    if (orphan === undefined) return 'the frames before it took too long';
    const why = dispatching.nobodyFor(plan, orphan);
    return `no worker is ready for task ${orphan.id} (block ${orphan.block}, part ${orphan.index}): ${why}`;
  }

  /**
   * The newest plan first. One that workers were ready for, and are no more, is followed by its fallback: older plans are
   * for other devices and links than there are now, while of one that is still being loaded nothing is expected yet.
   */
  #inOrder(pipeline: string): AnnouncedPlan[] {
    return this.#deps.plans
      .of(pipeline)
      .flatMap((plan) => (this.#ready.has(plan) && plan.fallback ? [plan, plan.fallback] : [plan]));
  }

  #canRun(plan: AnnouncedPlan): boolean {
    const can = this.#deps.dispatching.canRun(plan);
    if (can) this.#ready.add(plan);
    return can;
  }

  /** Mergers that know a plan; one that does not say which it knows is taken at its word. */
  #mergersFor({ digest }: AnnouncedPlan): Status[] {
    const online = this.#deps.mergers.online();
    return online.filter(({ plans }) => plans === undefined || plans[digest] !== undefined);
  }
}
