/** Keeps one pipeline's plan fit for its devices as they are now: listens, asks the replanner, and rolls out what it says. */

import type { Bus } from '../../core/bus/bus.ts';
import type { Topics } from '../../core/bus/topics.ts';
import type { Fleet } from '../../core/planning/cost/fleet.ts';
import type { Draft } from '../../core/planning/draft.ts';
import { expectationsOf, type PlanExpectations, readingsOf } from '../../core/planning/replan/readings.ts';
import { type Decision, Replanner, type ReplannerOptions } from '../../core/planning/replan/replanner.ts';
import { monotonicMs } from '../../core/runtime/clock.ts';
import { asTilepipeError } from '../../core/runtime/errors.ts';
import type { Log } from '../../core/runtime/log.ts';
import type { Status } from '../../core/schema/generated/status.ts';
import type { Telemetry } from '../../core/schema/generated/telemetry.ts';
import type { Controller, Rollout } from '../controller.ts';
import { TelemetryWatch } from './telemetry-watch.ts';

export interface ReplanOptions
  extends Pick<ReplannerOptions, 'fleet' | 'objective' | 'plan' | 'predict' | 'policy' | 'switchMs'> {
  /** The plan that runs: as drafted, and as it was rolled out. */
  readonly running: Rollout & { readonly draft: Draft };
  /** Writes a draft's sub-models into the store. */
  readonly prepare: (draft: Draft) => Promise<Rollout['plan']>;
  /** Told of every change of plan once it is rolled out. */
  readonly changed?: (change: PlanChange) => void;
}

export interface PlanChange extends Omit<Decision, 'why'> {
  /** `failed`: workers could not load the plan, so the one before it is in force again. */
  readonly why: Decision['why'] | 'failed';
  /** Of the plan that is in force now. */
  readonly digest: string;
  /** From the decision to the announcement, in milliseconds. */
  readonly prepareMs: number;
}

export interface ReplanningDeps {
  readonly control: Bus;
  readonly topics: Topics;
  readonly log: Log;
  readonly controller: Pick<Controller, 'rollOut' | 'workers' | 'onWorker' | 'readiness'>;
}

interface InForce {
  readonly draft: Draft;
  readonly plan: Rollout['plan'];
}

/** How often it looks whether a device hangs, or a wait is over. */
const LOOK_MS = 500;
/** After planning, preparing or announcing failed. */
const RETRY_MS = 5_000;
/** Plans whose tasks are still judged: frames under way finish on the old one. */
const JUDGED = 3;

export class Replanning {
  readonly #deps: ReplanningDeps;
  readonly #options: ReplanOptions;
  readonly #telemetry: TelemetryWatch;
  readonly #replanner: Replanner;
  readonly #plans = new Map<string, PlanExpectations>();
  #fleet: Fleet;
  #inForce: InForce;
  #before: InForce | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unhear: (() => void) | undefined;
  #changing: Promise<void> | undefined;
  #notBefore = 0;
  #changes = 0;

  constructor(deps: ReplanningDeps, options: ReplanOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#fleet = options.fleet;
    this.#telemetry = new TelemetryWatch({ ...deps, told: (telemetry) => this.#told(telemetry) });
    const { draft, plan } = options.running;
    this.#inForce = { draft, plan };
    this.#replanner = new Replanner({ ...options, now: monotonicMs, running: draft });
  }

  async start(): Promise<void> {
    const { controller } = this.#deps;
    this.#judge(this.#inForce);
    this.#replanner.online(controller.workers().map(({ id }) => id));
    this.#unhear = controller.onWorker((status) => this.#heard(status));
    await this.#telemetry.start();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Ends it; the plan in force stays. A change under way is finished first. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#unhear?.();
    await this.#telemetry.stop();
    await this.#changing;
  }

  /** Profiles have changed, or a device was profiled that had no profile. */
  profiled(fleet: Fleet): void {
    this.#fleet = fleet;
    this.#replanner.profiled(fleet);
  }

  /** Digest of the plan in force. */
  get digest(): string {
    return this.#inForce.plan.digest;
  }

  /** For the controller's status: changes of plan, and every device's factors in thousandths. */
  counters(): Record<string, number> {
    const { pipeline } = this.#inForce.plan.plan;
    const factors = [...this.#replanner.factors()].flatMap(([id, { speed, link }]) => [
      [`replan.${pipeline}.speed.${id}`, Math.round(speed * 1000)] as const,
      [`replan.${pipeline}.link.${id}`, Math.round(link * 1000)] as const,
    ]);
    return {
      [`replan.${pipeline}.changes`]: this.#changes,
      'replan.telemetry.rejected': this.#telemetry.rejected,
      ...Object.fromEntries(factors),
    };
  }

  #told(telemetry: Telemetry): void {
    const devices = new Map(this.#fleet.devices.map((device) => [device.id, device]));
    const { readings, frames, silent } = readingsOf(telemetry, this.#plans, devices);
    this.#replanner.read(readings);
    if (frames > 0) this.#replanner.finished(frames);
    for (const { device, timeouts } of silent) this.#replanner.timedOut(device, timeouts);
    this.#look();
  }

  #heard(status: Status): void {
    const { controller } = this.#deps;
    this.#replanner.online(controller.workers().map(({ id }) => id));
    if (status.state === 'online') this.#replanner.heard(status.id);
    this.#look();
  }

  #look(): void {
    if (this.#timer === undefined || this.#changing !== undefined || monotonicMs() < this.#notBefore) return;
    try {
      if (this.#failedToLoad()) this.#begin(this.#goBack());
      else {
        const decision = this.#replanner.decide();
        if (decision !== undefined) this.#begin(this.#change(decision));
      }
    } catch (error) {
      this.#postpone(error);
    }
  }

  #begin(change: Promise<void>): void {
    this.#changing = change
      .catch((error: unknown) => this.#postpone(error))
      .finally(() => {
        this.#changing = undefined;
      });
  }

  #postpone(error: unknown): void {
    const { code, message } = asTilepipeError(error);
    this.#deps.log.warn({ pipeline: this.#inForce.plan.plan.pipeline, code }, `plan not changed: ${message}`);
    this.#notBefore = monotonicMs() + RETRY_MS;
  }

  async #change(decision: Decision): Promise<void> {
    const started = monotonicMs();
    const plan = await this.#options.prepare(decision.draft);
    await this.#enforce(decision, plan);
    this.#say({ ...decision, digest: plan.digest, prepareMs: monotonicMs() - started });
  }

  /** Frames go on under the plan before it until all of a new one is loaded; so it can be taken back. */
  #failedToLoad(): boolean {
    return this.#before !== undefined && this.#deps.controller.readiness(this.digest).failed.length > 0;
  }

  async #goBack(): Promise<void> {
    const { failed } = this.#deps.controller.readiness(this.digest);
    this.#deps.log.error({ plan: this.digest.slice(0, 12) }, `plan taken back: ${failed.join('; ')}`);
    const { draft, plan } = this.#before as InForce;
    const back = { draft, fromMs: Number.POSITIVE_INFINITY, toMs: 0 };
    await this.#enforce({ ...back, why: 'gone' }, plan);
    this.#before = undefined;
    this.#say({ ...back, why: 'failed', digest: plan.digest, prepareMs: 0 });
  }

  async #enforce(decision: Decision, plan: Rollout['plan']): Promise<void> {
    const { settings, frames } = this.#options.running;
    const next = { draft: decision.draft, plan };
    // Before it is announced: the first answers may be told at once.
    this.#judge(next);
    await this.#deps.controller.rollOut({ plan, settings, frames });
    this.#before = this.#inForce;
    this.#inForce = next;
    this.#replanner.changed(decision);
    this.#changes++;
  }

  #judge({ draft, plan: { plan, digest } }: InForce): void {
    this.#plans.delete(digest);
    this.#plans.set(digest, expectationsOf(digest, plan, draft));
    if (this.#plans.size > JUDGED) this.#plans.delete(this.#plans.keys().next().value as string);
  }

  #say(change: PlanChange): void {
    const { why, fromMs, toMs, digest, prepareMs } = change;
    this.#deps.log.info(
      {
        pipeline: this.#inForce.plan.plan.pipeline,
        plan: digest.slice(0, 12),
        why,
        fromMs: Math.round(fromMs),
        toMs: Math.round(toMs),
        prepareMs: Math.round(prepareMs),
        factors: Object.fromEntries([...this.#replanner.factors()].map(([id, { speed }]) => [id, speed])),
      },
      'plan changed',
    );
    this.#options.changed?.(change);
  }
}
