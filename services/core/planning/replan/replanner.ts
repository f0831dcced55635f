/**
 * Decides when a running plan gives way to a better one. A state machine with an injected clock: told what tasks took
 * and who is there, it says when to change, and to what. It plans and predicts by the functions it is given.
 */

import type { Device, Fleet } from '../cost/fleet.ts';
import type { Draft, Prediction } from '../draft.ts';
import { Devices, type DevicesOptions, type Reading, type RunningReading } from './devices.ts';
import { middle } from './factored-fleet.ts';
import { Holdings } from './holdings.ts';
import { Patience } from './patience.ts';
import { type ReplanPolicy, type Thresholds, thresholds } from './policy.ts';
import { presentDraft, sameDraft } from './present-draft.ts';

export type { Reading, RunningReading } from './devices.ts';
export type { ReplanPolicy } from './policy.ts';

/** `fleet` has every device that may come, there or not. */
export interface ReplannerOptions extends DevicesOptions {
  /** The plan that runs. */
  readonly running: Draft;
  readonly objective: 'latency' | 'throughput';
  /** The best plan for a fleet that has at least one device. Throws where there is none. */
  readonly plan: (fleet: Fleet) => Draft;
  readonly predict: (draft: Draft, fleet: Fleet) => Pick<Prediction, 'latencyMs' | 'framesPerSecond'>;
  readonly policy?: ReplanPolicy | undefined;
  /** What any change of plan costs, in milliseconds of frames' time: sub-models to load, frames that wait for it. */
  readonly switchMs?: number | undefined;
  /** Plans beside the best that may be at hand sooner; absent: none but those that ran before. */
  readonly others?: ((best: Draft) => readonly Draft[]) | undefined;
  /** Milliseconds that the hub needs before it can announce a plan; absent: none. */
  readonly prepareMs?: ((draft: Draft) => number) | undefined;
}

export interface Decision {
  readonly draft: Draft;
  /** `gone`: the running plan needs a device that is away; `gain`: the new one pays. */
  readonly why: 'gone' | 'gain';
  /** Milliseconds per frame: under the running plan as things are now (Infinity: it cannot run), and the new one. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** A plan that may be changed to. */
interface Choice {
  readonly draft: Draft;
  readonly toMs: number;
  /** Milliseconds of frames' time until it runs. */
  readonly costMs: number;
}

const SWITCH_MS = 500;
/**
 * Nothing is planned while every factor is within this of what it was when planning last came to nothing: it would come
 * to little more, and costs time on the hub.
 */
const SAME = 1.15;
/** As long as devices are as fast as each other as they were: all of them together may be this much slower, or faster. */
const TOGETHER = 1.5;
/**
 * A link that carries so many times more or less than when the plan was last changed is another link: with a plan for the
 * one a frame takes many times as long on the other, so that these are no ups and downs to wait for.
 */
const OTHER_LINK = 4;
/**
 * After planning it rests for so many times what that took, for whoever computes and passes messages on the hub waits
 * meanwhile; but not where a processor or a link is another.
 */
const REST = 10;
const OTHER_SPEED = 2;
/** Planning that took so long is seen in what was computed meanwhile by who shares the hub's processor. */
const LONG_MS = 100;
/** Answers are told at most so long after they came. */
const TOLD_MS = 500;
/** Plans that ran before and may again; the oldest is forgotten. */
const KEPT = 8;
/** Another plan than the best must be better by more than this: the search knows more of both than one simulated frame. */
const SURELY = 0.06;
/** Age at which frames count half for their rate. */
const RATE_MS = 4_000;

export class Replanner {
  readonly #options: ReplannerOptions;
  readonly #thresholds: Thresholds;
  readonly #patience: Patience;
  readonly #devices: Devices;
  readonly #holdings = new Holdings();
  /** Plans whose sub-models are on the devices, the latest last. */
  #ran: readonly Draft[];
  #running: Draft;
  /** Factors by device when planning last came to nothing. */
  #looked: ReturnType<Devices['factors']> | undefined;
  #lookedRate = 0;
  /** Factors by device when it was last decided to change the plan. */
  #decided: ReturnType<Devices['factors']> = new Map();
  /** The same when the plan was changed. */
  #changedAt: ReturnType<Devices['factors']> = new Map();
  /** When a change that pays need wait no longer. */
  #dueAt = Number.POSITIVE_INFINITY;
  #restsUntil = Number.NEGATIVE_INFINITY;
  /** When planning that took long was over. */
  #plannedAt = Number.NEGATIVE_INFINITY;
  #frames = 0;
  #framesAt: number;

  constructor(options: ReplannerOptions) {
    this.#options = options;
    this.#thresholds = thresholds(options.policy ?? {});
    this.#patience = new Patience(this.#thresholds.waitMs);
    this.#devices = new Devices(options);
    this.#running = options.running;
    this.#ran = [options.running];
    this.#framesAt = options.now();
  }

  get running(): Draft {
    return this.#running;
  }

  /** Profiles have changed, or there are more. */
  profiled(fleet: Fleet): void {
    this.#devices.profiled(fleet);
    this.#looked = undefined;
  }

  /** The workers that are online. */
  online(ids: Iterable<string>): void {
    const online = new Set(ids);
    this.#devices.online(online);
    this.#holdings.online(online);
  }

  /** A device has loaded a plan, or a fallback, at most so many milliseconds after it was announced. */
  loaded(id: string, draft: Draft, tookMs: number): void {
    this.#holdings.loaded(id, draft, tookMs, this.#devices.asProfiled);
    if (!this.#ran.includes(draft)) this.#remember(draft);
  }

  /** A worker said something of itself. */
  heard(id: string): void {
    this.#devices.heard(id);
  }

  /** Tasks were answered. */
  read(readings: Iterable<Reading>): void {
    const near = new Set(this.#devices.asProfiled.devices.filter(isNear).map(({ id }) => id));
    const since = this.#options.now() - TOLD_MS;
    for (const reading of readings) {
      const heldUp = near.has(reading.device) && since - reading.computeMs <= this.#plannedAt;
      this.#devices.read(heldUp ? { ...reading, telling: false, restMs: undefined } : reading);
    }
  }

  /** A device's link was looked at: it is so many times slower than profiled. */
  linkSeen(id: string, factor: number): void {
    this.#devices.linkSeen(id, factor);
  }

  /** Whether a device's link seems to have changed, so that it should be looked at. */
  suspects(id: string): boolean {
    return this.#devices.suspects(id);
  }

  /** All links together were seen to carry so much at once, in bytes per millisecond: the hub's own carries as much at least. */
  hubSeen(bytesPerMs: number): void {
    this.#devices.hubSeen(bytesPerMs);
  }

  /** Whether the links have changed together, and what the hub's own carries is not known. */
  get hubUnknown(): boolean {
    return this.#devices.hubUnknown;
  }

  /** Tasks have not ended that should have. */
  overdue(readings: readonly RunningReading[]): void {
    this.#devices.running(readings);
  }

  /** Frames were finished; parts of one count as parts. */
  finished(frames: number): void {
    const now = this.#options.now();
    this.#frames = this.#recentFrames(now) + frames;
    this.#framesAt = now;
  }

  /** Tasks of a worker passed their deadline, and no answer came from it meanwhile. */
  timedOut(id: string, count: number): void {
    this.#devices.timedOut(id, count);
  }

  /** Speed and link factors by device, for people. */
  factors(): ReturnType<Devices['factors']> {
    return this.#devices.factors();
  }

  /** Frames per second lately. */
  get rate(): number {
    return (this.#recentFrames(this.#options.now()) * Math.LN2 * 1000) / RATE_MS;
  }

  /**
   * What to change to, if anything; to be asked whenever something was told. Until `changed` is said it may be asked again.
   * While links are not `settled` only a plan that cannot run is changed: half of a change would be decided on twice.
   */
  decide(settled = true): Decision | undefined {
    const { now, plan } = this.#options;
    const factors = this.#devices.factors();
    if (factors.size === 0) return undefined;
    const possible = this.#possible(this.#running);
    if (possible !== undefined && !(settled && this.#isNews(factors))) return undefined;
    const began = now();
    const fleet = this.#devices.fleet();
    const fromMs = possible === undefined ? Number.POSITIVE_INFINITY : this.#frameMs(possible, fleet);
    const { draft, toMs, costMs } = this.#choose(plan(fleet), fleet);
    this.#decided = factors;
    this.#planned(now() - began);
    if (possible === undefined) return { draft, why: 'gone', fromMs, toMs };
    const saves = this.#gains(fromMs, toMs);
    const repaid = (fromMs - toMs) * this.#framesAhead > costMs;
    const pays = saves && repaid && !sameDraft(draft, this.#running);
    const wait = this.#patience.left(now(), 1 - toMs / fromMs, otherLinks(factors, this.#changedAt) > 0);
    if (pays && wait === 0) return { draft, why: 'gain', fromMs, toMs };
    this.#dueAt = pays ? now() + wait : Number.POSITIVE_INFINITY;
    this.#looked = factors;
    // Where hardly anything would be saved, more frames save no more.
    this.#lookedRate = saves ? this.rate : Number.POSITIVE_INFINITY;
    return undefined;
  }

  #planned(tookMs: number): void {
    const now = this.#options.now();
    this.#restsUntil = now + REST * tookMs;
    if (tookMs >= LONG_MS) this.#plannedAt = now;
  }

  /** Whether most links are still those it was last decided for: preparing the plan may have taken long. */
  isCurrent({ why }: Decision): boolean {
    const factors = this.#devices.factors();
    return why === 'gone' || 2 * otherLinks(factors, this.#decided) <= factors.size;
  }

  /** The plan has been changed by this decision. */
  changed({ draft, why, fromMs, toMs }: Decision): void {
    const factors = this.#devices.factors();
    const other = otherLinks(factors, this.#changedAt) > 0;
    this.#running = draft;
    this.#looked = undefined;
    this.#changedAt = factors;
    this.#remember(draft);
    this.#patience.changed(this.#options.now(), why === 'gain' ? 1 - toMs / fromMs : 0, other);
  }

  /** The plan that costs least within the horizon, with what it costs until it runs. */
  #choose(best: Draft, fleet: Fleet): Choice {
    const frames = Math.max(1, this.#framesAhead);
    const first = this.#choice(best, fleet);
    const worth = ({ toMs, costMs }: Choice): number => toMs * frames + costMs;
    let [choice, least] = [first, worth(first)];
    for (const other of [...this.#ran, ...(this.#options.others?.(best) ?? [])]) {
      const there = this.#possible(other);
      if (there === undefined) continue;
      const found = { ...this.#choice(there, fleet), draft: other };
      const comesTo = worth({ ...found, toMs: found.toMs * (1 + SURELY) });
      if (comesTo < least) [choice, least] = [found, comesTo];
    }
    return choice;
  }

  #possible(draft: Draft): Draft | undefined {
    return presentDraft(draft, this.#devices.usable(), this.#devices.understands);
  }

  #choice(draft: Draft, fleet: Fleet): Choice {
    const { switchMs = SWITCH_MS, prepareMs = () => 0 } = this.#options;
    const costMs = switchMs + prepareMs(draft) + this.#holdings.fetchMs(draft, fleet);
    return { draft, toMs: this.#frameMs(draft, fleet), costMs };
  }

  #remember(draft: Draft): void {
    const others = this.#ran.filter((other) => !sameDraft(other, draft));
    this.#ran = [...others, draft].slice(-KEPT);
  }

  /** Frames within the horizon, at the rate they come now. */
  get #framesAhead(): number {
    return (this.rate * this.#thresholds.horizonMs) / 1000;
  }

  #gains(fromMs: number, toMs: number): boolean {
    return fromMs - toMs > this.#thresholds.gain * fromMs;
  }

  /** Whether a factor, or who is there, or how much there is to do, differs from when it was last planned for. */
  #isNews(factors: ReturnType<Devices['factors']>): boolean {
    const now = this.#options.now();
    const rests = now < this.#restsUntil;
    const looked = this.#looked ?? (rests ? this.#changedAt : undefined);
    if (looked === undefined || now >= this.#dueAt) return true;
    if (rests) {
      // Who does not answer for a moment, or comes, can wait: the plan does without.
      const known = new Map([...factors].filter(([id]) => looked.has(id)));
      return otherLinks(known, looked) > 0 || otherSpeeds(known, looked);
    }
    if (looked.size !== factors.size || this.rate > 2 * this.#lookedRate) return true;
    const [typical, typicalBefore] = [typicalSpeed(factors), typicalSpeed(looked)];
    if (differs(typical, typicalBefore, TOGETHER)) return true;
    for (const [id, { speed, link }] of factors) {
      const before = looked.get(id);
      if (before === undefined || differs(link, before.link)) return true;
      if (differs(speed / typical, before.speed / typicalBefore)) return true;
    }
    return false;
  }

  #frameMs(draft: Draft, fleet: Fleet): number {
    const { latencyMs, framesPerSecond } = this.#options.predict(draft, fleet);
    return this.#options.objective === 'latency' ? latencyMs : 1000 / framesPerSecond;
  }

  /** Frames lately, the older the less. */
  #recentFrames(now: number): number {
    return this.#frames * 2 ** (-Math.max(0, now - this.#framesAt) / RATE_MS);
  }
}

/** It runs on the hub. */
function isNear({ medium }: Device): boolean {
  return medium === undefined;
}

function typicalSpeed(factors: ReturnType<Devices['factors']>): number {
  return middle([...factors.values()].map(({ speed }) => speed));
}

/** How many devices' links are others. */
function otherLinks(factors: ReturnType<Devices['factors']>, than: ReturnType<Devices['factors']>): number {
  return [...factors].filter(([id, { link }]) => differs(link, than.get(id)?.link ?? 1, OTHER_LINK)).length;
}

function otherSpeeds(factors: ReturnType<Devices['factors']>, than: ReturnType<Devices['factors']>): boolean {
  return [...factors].some(([id, { speed }]) => differs(speed, than.get(id)?.speed ?? 1, OTHER_SPEED));
}

function differs(a: number, b: number, by = SAME): boolean {
  return a > b * by || b > a * by;
}
