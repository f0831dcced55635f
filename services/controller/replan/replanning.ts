/** Keeps one pipeline's plan fit for its devices as they are now: listens, asks the replanner, and rolls out what it says. */

import type { Fleet } from '../../core/planning/cost/fleet.ts';
import type { Draft } from '../../core/planning/draft.ts';
import { slowedBy } from '../../core/planning/replan/device-loads.ts';
import { LoadFailures } from '../../core/planning/replan/load-failures.ts';
import { presentDraft } from '../../core/planning/replan/present-draft.ts';
import { expectationsOf, type PlanExpectations, readingsOf } from '../../core/planning/replan/readings.ts';
import { type Decision, Replanner, type ReplannerOptions } from '../../core/planning/replan/replanner.ts';
import { monotonicMs } from '../../core/runtime/clock.ts';
import { asTilepipeError } from '../../core/runtime/errors.ts';
import type { Log } from '../../core/runtime/log.ts';
import type { Status } from '../../core/schema/generated/status.ts';
import type { Telemetry } from '../../core/schema/generated/telemetry.ts';
import type { Controller, Rollout } from '../controller.ts';
import { DeviceLinks, type DeviceLinksDeps } from './device-links.ts';
import type { TelemetryWatch } from './telemetry-watch.ts';

export interface ReplanOptions
  extends Pick<
    ReplannerOptions,
    'fleet' | 'objective' | 'plan' | 'predict' | 'policy' | 'switchMs' | 'others' | 'prepareMs'
  > {
  /** The plan that runs: as drafted, and as it was rolled out, when that is known in monotonic milliseconds. */
  readonly running: Rollout & { readonly draft: Draft; readonly at?: number };
  /** Writes a draft's sub-models into the store. */
  readonly prepare: (draft: Draft) => Promise<Rollout['plan']>;
  /** How many frames at once under a plan; absent: as under the first. */
  readonly frames?: (draft: Draft) => Rollout['frames'];
  /** Told of every change of plan once it is rolled out. */
  readonly changed?: (change: PlanChange) => void;
}

export interface PlanChange extends Omit<Decision, 'why'> {
  /** `failed`: workers could not load the plan, so the one before it is in force again. */
  readonly why: Decision['why'] | 'failed';
  /** Of the plan that is in force now. */
  readonly digest: string;
  /** Milliseconds in which nothing else ran on the hub: the search, and both predictions. */
  readonly planMs: number;
  /** From the decision to the announcement, in milliseconds. */
  readonly prepareMs: number;
  /** By device, how much slower than profiled its processor and its link were taken to be. */
  readonly factors: Readonly<Record<string, { readonly speed: number; readonly link: number }>>;
}

export interface ReplanningDeps {
  readonly log: Log;
  readonly controller: Pick<Controller, 'rollOut' | 'workers' | 'onWorker' | 'pipelines'>;
  /** Started. */
  readonly telemetry: TelemetryWatch;
  /** Started. */
  readonly glances: DeviceLinksDeps['glances'];
}

interface InForce {
  readonly draft: Draft;
  readonly plan: Rollout['plan'];
}

/** How often it looks whether a device hangs, or a wait is over. */
const LOOK_MS = 500;
/** After planning, preparing or announcing failed. */
const RETRY_MS = 5_000;
/** Plans and fallbacks that workers may hold still. */
const MOST_ANNOUNCED = 16;
/** Plans, and their fallbacks, whose tasks are still judged: frames under way finish on the old one. */
const JUDGED = 6;

export class Replanning {
  readonly #deps: ReplanningDeps;
  readonly #options: ReplanOptions;
  readonly #replanner: Replanner;
  readonly #links: DeviceLinks;
  readonly #plans = new Map<string, PlanExpectations>();
  /** What workers may say they have loaded, by digest: plans and fallbacks, and when they were announced. */
  readonly #announced = new Map<string, { readonly draft: Draft; readonly at: number }>();
  readonly #failures = new LoadFailures();
  #fleet: Fleet;
  #inForce: InForce;
  #before: InForce | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unhear: readonly (() => void)[] = [];
  #changing: Promise<void> | undefined;
  #notBefore = 0;
  #changes = 0;

  constructor(deps: ReplanningDeps, options: ReplanOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#fleet = options.fleet;
    const { draft, plan, at } = options.running;
    this.#inForce = { draft, plan };
    this.#announce(this.#inForce, at ?? Number.NEGATIVE_INFINITY);
    this.#replanner = new Replanner({
      ...options,
      now: monotonicMs,
      running: draft,
      slowedBy: (device) => this.#slowedBy(device),
    });
    this.#links = new DeviceLinks({
      glances: deps.glances,
      replanner: this.#replanner,
      fleet: () => this.#fleet,
      online: () => deps.controller.workers().map(({ id }) => id),
      seen: () => this.#look(),
      now: monotonicMs,
    });
  }

  start(): void {
    const { controller, telemetry } = this.#deps;
    this.#links.start();
    this.#judge(this.#inForce);
    this.#online();
    for (const status of controller.workers()) this.#loaded(status);
    this.#unhear = [
      controller.onWorker((status) => this.#heard(status)),
      telemetry.onTelemetry((document) => this.#told(document)),
    ];
    this.#timer = setInterval(() => {
      this.#links.look();
      this.#look();
    }, LOOK_MS);
    this.#timer.unref();
  }

  /** Ends it; the plan in force stays. A change that is being announced is finished first, any other given up. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const end of this.#unhear) end();
    this.#links.stop();
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
      'replan.telemetry.rejected': this.#deps.telemetry.rejected,
      ...Object.fromEntries(factors),
    };
  }

  /** By the other pipelines on the same device. */
  #slowedBy(device: string): number {
    const { controller, telemetry } = this.#deps;
    const contention = telemetry.contention(device, (plan) => this.#plans.has(plan));
    return slowedBy(contention, controller.pipelines.length);
  }

  #told(telemetry: Telemetry): void {
    const devices = new Map(this.#fleet.devices.map((device) => [device.id, device]));
    const { readings, running, frames, silent } = readingsOf(telemetry, this.#plans, devices);
    if (telemetry.tasks.length > 0 || telemetry.workers.some(({ active }) => active > 0))
      this.#links.flowing();
    for (const { device, restMs } of readings) if (restMs !== undefined) this.#links.told(device);
    this.#replanner.read(readings);
    // Where a link has become slow, it is not the processor that takes so long.
    this.#replanner.overdue(running.filter(({ device }) => !this.#links.isInDoubt(device)));
    if (frames > 0) this.#replanner.finished(frames);
    for (const { device, timeouts } of silent) this.#replanner.timedOut(device, timeouts);
    this.#look();
  }

  #heard(status: Status): void {
    this.#online();
    this.#loaded(status);
    if (status.state === 'online') this.#replanner.heard(status.id);
    this.#look();
  }

  #loaded({ id, plans = {} }: Status): void {
    for (const [digest, { state }] of Object.entries(plans)) {
      if (state !== 'ready') continue;
      this.#failures.loaded(digest, id);
      const announced = this.#announced.get(digest);
      if (announced !== undefined) this.#replanner.loaded(id, announced.draft, monotonicMs() - announced.at);
    }
  }

  /** A worker says that it is ready for plans that it has been ready for for long, too. */
  #announce({ draft, plan: { digest, fallback } }: InForce, at: number): void {
    const known = new Map([[digest, draft]]);
    if (fallback?.draft !== undefined) known.set(fallback.digest, fallback.draft);
    for (const [each, its] of known) {
      if (this.#announced.has(each)) continue;
      this.#announced.set(each, { draft: its, at });
      if (this.#announced.size > MOST_ANNOUNCED)
        this.#announced.delete(this.#announced.keys().next().value as string);
    }
  }

  #online(): void {
    const ids = new Set(this.#deps.controller.workers().map(({ id }) => id));
    this.#failures.online(ids);
    const leftOut = this.#failures.leftOut(monotonicMs());
    this.#replanner.online([...ids].filter((id) => !leftOut.has(id)));
  }

  /** Until it is stopped, or the pipeline withdrawn. */
  get #wanted(): boolean {
    const { pipeline } = this.#inForce.plan.plan;
    return this.#timer !== undefined && this.#deps.controller.pipelines.includes(pipeline);
  }

  #look(): void {
    if (!this.#wanted || this.#changing !== undefined || monotonicMs() < this.#notBefore) return;
    try {
      const back = this.#takenBack();
      // Whoever was left out may take part again.
      this.#online();
      if (back !== undefined) this.#begin(this.#goBack(back));
      else {
        const started = monotonicMs();
        const decision = this.#replanner.decide(this.#links.settled);
        if (decision !== undefined) this.#begin(this.#change(decision, monotonicMs() - started));
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

  async #change(decision: Decision, planMs: number): Promise<void> {
    const started = monotonicMs();
    const plan = await this.#options.prepare(decision.draft);
    if (!this.#wanted) return;
    if (!this.#replanner.isCurrent(decision)) {
      // It is in the store if it is decided again, for that is soon.
      this.#deps.log.info({ plan: plan.digest.slice(0, 12) }, 'plan not changed: links are others by now');
      return;
    }
    if (this.#failures.refuses(plan.digest, monotonicMs())) {
      // One that must be changed is planned without those that cannot load this one; a gain can wait.
      if (decision.why === 'gone') this.#failures.leaveOut(plan.digest);
      else this.#notBefore = monotonicMs() + RETRY_MS;
      return;
    }
    await this.#enforce(decision, plan);
    this.#say({ ...decision, digest: plan.digest, planMs, prepareMs: monotonicMs() - started });
  }

  /**
   * Where workers could not load the plan in force: the one before it, under which frames go on until all of a new one
   * is loaded. Undefined where that cannot run either; then plans are made without those workers.
   */
  #takenBack(): InForce | undefined {
    const now = monotonicMs();
    const { digest } = this;
    const leftOut = this.#failures.leftOut(now);
    const failing = this.#deps.controller
      .workers()
      .filter(({ id, plans }) => plans?.[digest]?.state === 'failed' && !leftOut.has(id));
    if (failing.length === 0) return undefined;
    const ids = failing.map(({ id }) => id);
    this.#failures.failed(digest, ids, now);
    const back = this.#wayBack(now);
    if (back === undefined) this.#failures.leaveOut(digest);
    const why = failing.map(({ id, plans }) => `${id}: ${plans?.[digest]?.error ?? 'no reason given'}`);
    this.#deps.log.error(
      { plan: digest.slice(0, 12) },
      `${back === undefined ? 'planned without workers that cannot load the plan' : 'plan taken back'}: ${why.join('; ')}`,
    );
    return back;
  }

  #wayBack(now: number): InForce | undefined {
    const before = this.#before;
    if (before === undefined || this.#failures.refuses(before.plan.digest, now)) return undefined;
    const present = new Set(this.#replanner.factors().keys());
    return presentDraft(before.draft, present) === undefined ? undefined : before;
  }

  async #goBack({ draft, plan }: InForce): Promise<void> {
    const back = { draft, fromMs: Number.POSITIVE_INFINITY, toMs: 0 };
    await this.#enforce({ ...back, why: 'gone' }, plan);
    this.#before = undefined;
    this.#notBefore = monotonicMs() + RETRY_MS;
    this.#say({ ...back, why: 'failed', digest: plan.digest, planMs: 0, prepareMs: 0 });
  }

  async #enforce(decision: Decision, plan: Rollout['plan']): Promise<void> {
    const { running, frames = () => running.frames } = this.#options;
    const next = { draft: decision.draft, plan };
    // Before it is announced: the first answers may be told at once.
    this.#judge(next);
    this.#announce(next, monotonicMs());
    await this.#deps.controller.rollOut({
      plan,
      settings: running.settings,
      frames: frames(decision.draft),
    });
    this.#before = this.#inForce;
    this.#inForce = next;
    this.#replanner.changed(decision);
    this.#changes++;
  }

  #judge({ draft, plan: { plan, digest, fallback } }: InForce): void {
    const second = fallback?.draft === undefined ? [] : [{ ...fallback, draft: fallback.draft }];
    for (const each of [...second, { digest, plan, draft }]) {
      this.#plans.delete(each.digest);
      this.#plans.set(each.digest, expectationsOf(each.digest, each.plan, each.draft));
    }
    while (this.#plans.size > JUDGED) this.#plans.delete(this.#plans.keys().next().value as string);
  }

  #say(changed: Omit<PlanChange, 'factors'>): void {
    const factors = Object.fromEntries(
      [...this.#replanner.factors()].map(([id, { speed, link }]) => [
        id,
        { speed: rounded(speed), link: rounded(link) },
      ]),
    );
    const change = { ...changed, factors };
    const { why, fromMs, toMs, digest, planMs, prepareMs } = change;
    this.#deps.log.info(
      {
        pipeline: this.#inForce.plan.plan.pipeline,
        plan: digest.slice(0, 12),
        why,
        fromMs: Math.round(fromMs),
        toMs: Math.round(toMs),
        planMs: Math.round(planMs),
        prepareMs: Math.round(prepareMs),
        factors,
      },
      'plan changed',
    );
    this.#options.changed?.(change);
  }
}

function rounded(factor: number): number {
  return Math.round(100 * factor) / 100;
}
