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

  constructor(deps: ChoiceDeps) {
    this.#deps = deps;
  }

  /** The newest plan that workers are ready for: an older one goes on until then. */
  startable(pipeline: string): AnnouncedPlan | undefined {
    const { plans, dispatching } = this.#deps;
    return plans.of(pipeline).find((plan) => dispatching.canRun(plan));
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
    const { data, plans, dispatching, intake } = this.#deps;
    if (!data.connected) return undefined;
    const first = after?.fallback === undefined ? [] : [after.fallback];
    for (const plan of [...first, ...plans.of(pipeline)]) {
      if (intake(plan).reading !== frame.reading) continue;
      const mergers = this.#mergersFor(plan);
      const merger = mergers[frame.sequence % Math.max(1, mergers.length)];
      if (merger !== undefined && dispatching.canRun(plan)) return { plan, merger: merger.id };
    }
    return undefined;
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
    const bound = orphan.devices === undefined ? '' : `, which is bound to ${orphan.devices.join(' or ')}`;
    return `no worker is ready for task ${orphan.id} (block ${orphan.block}, part ${orphan.index})${bound}`;
  }

  /** Mergers that know a plan; one that does not say which it knows is taken at its word. */
  #mergersFor({ digest }: AnnouncedPlan): Status[] {
    const online = this.#deps.mergers.online();
    return online.filter(({ plans }) => plans === undefined || plans[digest] !== undefined);
  }
}
