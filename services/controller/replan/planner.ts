/** What a re-planning needs of the planner: search, prediction and preparation of one model on changing fleets. */

import type { Fleet } from '../../core/planning/cost/fleet.ts';
import type { Draft } from '../../core/planning/draft.ts';
import { KnownCuts } from '../../core/planning/replan/known-cuts.ts';
import { likelyFleets } from '../../core/planning/replan/likely-fleets.ts';
import { openSpace, type SearchSpace, search } from '../../core/planning/search/search.ts';
import { simulate } from '../../core/planning/simulate/simulate.ts';
import type { BlobCache } from '../../core/runtime/blobs.ts';
import { type OpenedModel, prepareDraft } from '../prepare.ts';
import type { ReplanOptions } from './replanning.ts';

export interface PlannerOptions {
  readonly model: OpenedModel;
  readonly pipeline: string;
  readonly blobs: BlobCache;
  readonly objective: ReplanOptions['objective'];
  /** Frames under way at once, as the pipeline allows them; absent: as many as pay, for throughput. */
  readonly inFlight?: number;
  /** How tasks are handed out: `frames.binding` of the roll-out. */
  readonly binding?: 'late' | 'static';
}

/** Frames simulated per prediction: enough for a steady state, and a few milliseconds of work. */
const FRAMES = 24;

export class Planner {
  readonly #options: PlannerOptions;
  readonly #all: SearchSpace;
  readonly #cuts: KnownCuts;

  constructor(options: PlannerOptions) {
    this.#options = options;
    this.#all = openSpace(options.model.graph, options.model.analysis);
    this.#cuts = new KnownCuts(this.#all);
  }

  get objective(): ReplanOptions['objective'] {
    return this.#options.objective;
  }

  /** The best plan for a fleet: among all cuts for devices that are new, else among those known. Throws `plan-impossible`. */
  readonly plan = (fleet: Fleet): Draft => {
    const known = this.#cuts.spaceFor(fleet);
    return known === undefined ? this.#learn(fleet) : this.#search(known, fleet);
  };

  /** Both the running plan and the new one by the simulator, so that what it gets wrong it gets wrong for both. */
  readonly predict = ({ blocks, inFlight }: Draft, fleet: Fleet) => {
    const { objective, binding = 'late' } = this.#options;
    const options =
      objective === 'latency'
        ? { frames: 1, inFlight: 1, binding }
        : { frames: Math.max(FRAMES, 3 * inFlight), inFlight, binding };
    const { latency, framesPerSecond } = simulate(blocks, fleet, options);
    return { latencyMs: latency.median, framesPerSecond };
  };

  readonly prepare = (draft: Draft) => {
    const { model, pipeline, blobs } = this.#options;
    return prepareDraft(model, pipeline, draft, blobs);
  };

  /**
   * Plans ahead for a fleet in which one device is slow or away: their cuts are known then, and their sub-models in the
   * store. Takes a search of all cuts for each; meant for the time before frames come. Ends early on the signal.
   */
  async rehearse(fleet: Fleet, signal?: AbortSignal): Promise<void> {
    for (const likely of likelyFleets(fleet)) {
      if (signal?.aborted) return;
      await this.prepare(this.#learn(likely));
    }
  }

  #learn(fleet: Fleet): Draft {
    const draft = this.#search(this.#all, fleet);
    this.#cuts.learn(draft, fleet);
    return draft;
  }

  #search(space: SearchSpace, fleet: Fleet): Draft {
    const { objective, inFlight } = this.#options;
    return search(space, fleet, { objective, ...(inFlight === undefined ? {} : { inFlight }) }).best;
  }
}
