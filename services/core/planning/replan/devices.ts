/** What is known of every device while frames run: there or not, answering or not, and how slow. */

import type { Fleet } from '../cost/fleet.ts';
import { factoredFleet, middle } from './factored-fleet.ts';
import { LinkFactor } from './link-factor.ts';
import { SpeedFactor } from './speed-factor.ts';

/** What one task on one device took. */
export interface Reading {
  readonly device: string;
  /** The same for tasks that move the same bytes. */
  readonly task: string;
  /** Milliseconds of computing: measured, and by the device's profile. */
  readonly computeMs: number;
  readonly profiledMs: number;
  /** Whether its computing says how fast the device is; absent: it does. */
  readonly telling?: boolean;
  /** So short that it may have been over before the device was slowed; absent: it is not. */
  readonly short?: boolean;
  /** Milliseconds of the ways there and back; undefined where they were not seen. */
  readonly restMs?: number | undefined;
}

/** What a task that has not ended took so far. */
export interface RunningReading extends Pick<Reading, 'device' | 'computeMs' | 'profiledMs'> {
  /** Milliseconds it takes as a rule. */
  readonly usualMs: number;
}

/** A device hangs where so many tasks in a row passed their deadline, and nothing came from it for this long. */
const SILENT_TASKS = 2;
const SILENT_MS = 2_000;
/**
 * A device that is not used any more keeps its factor for this long; then what it was slower than the others halves every
 * so often, until it is tried again with a small share. Doubled each time that was wrong.
 */
const TRIAL_MS = 30_000;
const LONGEST_TRIAL_MS = 1_800_000;
/** Where the links have become slower or faster together by this much, the hub's own may have too. */
const OTHER_TIMES = 1.5;
/** So many links that become others, one after the other, may do so in one step of all; one alone does so by itself. */
const STEP = 2;
/** Slower than the others by this much, it was wrong. */
const STILL_SLOW = 1.5;

interface Known {
  readonly speed: SpeedFactor;
  readonly link: LinkFactor;
  /** Tasks that passed their deadline since it last said anything, and when the first of them did. */
  silence: number;
  silentSince: number;
  trialMs: number;
}

export interface DevicesOptions {
  /** As profiled. */
  readonly fleet: Fleet;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  /** Times by which a device is slower because it computes for others too; absent: nobody else does. */
  readonly slowedBy?: ((device: string) => number) | undefined;
}

export class Devices {
  readonly #now: () => number;
  readonly #slowedBy: (device: string) => number;
  #fleet: Fleet;
  #present = new Set<string>();
  readonly #known = new Map<string, Known>();
  /** How much slower than profiled the hub's own link is at most, and how slow all the others were then. */
  #hub: { readonly factor: number; readonly common: number } | undefined;

  constructor({ fleet, now, slowedBy = () => 1 }: DevicesOptions) {
    this.#fleet = fleet;
    this.#now = now;
    this.#slowedBy = slowedBy;
  }

  /** The fleet as profiled. */
  get asProfiled(): Fleet {
    return this.#fleet;
  }

  /** Whether a device reads messages by a codec; one that does not say which reads all. */
  readonly understands = (device: string, codec: string): boolean =>
    this.#fleet.devices.find(({ id }) => id === device)?.codecs?.includes(codec) ?? true;

  /** The profiles have changed. */
  profiled(fleet: Fleet): void {
    this.#fleet = fleet;
  }

  /** These are online; whoever is not is forgotten, for it may come back as another machine. */
  online(ids: Iterable<string>): void {
    this.#present = new Set(ids);
    for (const id of this.#known.keys()) if (!this.#present.has(id)) this.#known.delete(id);
  }

  /** It said something of itself, so it does not hang. */
  heard(id: string): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.silence = 0;
  }

  read({ device, task, computeMs, profiledMs, telling = true, short = false, restMs }: Reading): void {
    const known = this.#of(device);
    const now = this.#now();
    known.silence = 0;
    const typical = this.#typical(now);
    if (profiledMs > 0 && telling) {
      const ratio = computeMs / profiledMs;
      if (short) this.#readShort(known, ratio, typical, now);
      else this.#readLong(known, ratio, typical, now);
    }
    const slower = (known.speed.value ?? typical) / typical;
    if (restMs !== undefined) known.link.add(task, restMs, slower, now);
  }

  /** No task tells of a device's link at the moment, and it was seen to be so many times slower than profiled. */
  linkSeen(device: string, factor: number): void {
    this.#of(device).link.seen(factor, this.#now());
  }

  /** Whether its link seems to have changed, so that it should be looked at. */
  suspects(device: string): boolean {
    return this.#known.get(device)?.link.suspect ?? false;
  }

  /** All links together carried so much at once: no less does the hub's own. */
  hubSeen(bytesPerMs: number): void {
    const medium = this.#fleet.media.get(this.#fleet.hub.medium ?? '');
    if (medium === undefined || !(bytesPerMs > 0)) return;
    this.#hub = { factor: Math.max(1, medium.bytesPerMs / bytesPerMs), common: this.#common(this.factors()) };
  }

  /** Tasks that take longer than they should. Where most devices have such tasks it is not the devices. */
  running(readings: readonly RunningReading[]): void {
    const late = new Set(readings.map(({ device }) => device));
    if (2 * late.size > this.usable().size) return;
    for (const { device, computeMs, profiledMs, usualMs } of readings)
      if (profiledMs > 0) this.#of(device).speed.running(computeMs / profiledMs, computeMs - usualMs);
  }

  /** Tasks passed their deadline and nothing came from it meanwhile. */
  timedOut(device: string, count: number): void {
    const known = this.#of(device);
    if (known.silence === 0) known.silentSince = this.#now();
    known.silence += count;
  }

  /** Devices that take part: online, profiled, and not hanging. */
  usable(): ReadonlySet<string> {
    const profiled = this.#fleet.devices.map(({ id }) => id);
    return new Set(profiled.filter((id) => this.#present.has(id) && !this.#hangs(id)));
  }

  /** The fleet as it is now. */
  fleet(): Fleet {
    const factors = this.factors();
    return factoredFleet(this.#fleet, {
      present: this.usable(),
      speed: (id) => factors.get(id)?.speed ?? 1,
      link: (id) => factors.get(id)?.link ?? 1,
      hub: this.#hubFactor(this.#common(factors)),
    });
  }

  /** Whether all links are slower than profiled, and nobody has looked whether the hub's own is. */
  get hubUnknown(): boolean {
    const { hub, media, devices } = this.#fleet;
    if (!media.has(hub.medium ?? '') || devices.some(({ medium }) => medium === hub.medium)) return false;
    const common = this.#common(this.factors());
    return Number.isFinite(common) && common > OTHER_TIMES && this.#hubFactor(common) === undefined;
  }

  #hubFactor(common: number): number | undefined {
    const hub = this.#hub;
    const same = hub && common < OTHER_TIMES * hub.common && hub.common < OTHER_TIMES * common;
    return same ? hub.factor : undefined;
  }

  /** By which all links are slower than profiled at least. */
  #common(factors: ReturnType<Devices['factors']>): number {
    const linked = this.#fleet.devices.filter(({ id, medium }) => medium !== undefined && factors.has(id));
    return Math.max(1, Math.min(...linked.map(({ id }) => factors.get(id)?.link ?? 1)));
  }

  /** Speed and link factors of the devices that take part, by id. */
  factors(): Map<string, { readonly speed: number; readonly link: number }> {
    const now = this.#now();
    const typical = this.#typical(now);
    return new Map(
      [...this.#links()].map(([id, link]) => [
        id,
        { speed: this.#speed(id, typical, now) * this.#slowedBy(id), link },
      ]),
    );
  }

  /**
   * Link factors of the devices that take part. Where several of those heard of since a link was heard of last, and half of
   * them at least, have become other links, it is taken to have become what they are: it is one step of all, of which it has
   * not said yet.
   */
  #links(): ReadonlyMap<string, number> {
    const usable = this.usable();
    const linked = this.#fleet.devices.filter(({ id, medium }) => medium !== undefined && usable.has(id));
    const links = linked.flatMap(({ id }) => this.#known.get(id)?.link ?? []);
    const latest = Math.max(...links.map(({ otherSince }) => otherSince));
    const values = new Map([...usable].map((id) => [id, this.#known.get(id)?.link.value ?? 1]));
    for (const { id } of linked) {
      const since = this.#known.get(id)?.link.lastAt ?? Number.NEGATIVE_INFINITY;
      if (since >= latest) continue;
      const heard = links.filter(({ lastAt }) => lastAt > since);
      const stepped = heard.filter(({ otherSince }) => otherSince > since).map(({ value }) => value);
      if (stepped.length >= STEP && 2 * stepped.length >= heard.length) values.set(id, middle(stepped));
    }
    return values;
  }

  #hangs(id: string): boolean {
    const { silence = 0, silentSince = 0 } = this.#known.get(id) ?? {};
    return silence >= SILENT_TASKS && this.#now() - silentSince >= SILENT_MS;
  }

  #speed(id: string, typical: number, now: number): number {
    const known = this.#known.get(id);
    const value = known?.speed.value;
    if (known === undefined || value === undefined) return typical;
    const unused = Math.max(0, now - known.speed.lastAt - known.trialMs);
    return typical + (value - typical) * 2 ** (-unused / known.trialMs);
  }

  /** What the others' profiles are wrong by is the best guess for one that was not measured. */
  #typical(now: number): number {
    const recent = [...this.#known.values()].filter(({ speed }) => now - speed.lastAt <= TRIAL_MS);
    return middle(recent.flatMap(({ speed }) => speed.value ?? []));
  }

  #readLong(known: Known, ratio: number, typical: number, now: number): void {
    this.#judge(known, now - known.speed.lastAt, ratio > STILL_SLOW * typical);
    known.speed.add(ratio, now);
  }

  #readShort(known: Known, ratio: number, typical: number, now: number): void {
    const unusedMs = now - known.speed.lastAt;
    const recovered = known.speed.addShort(ratio, now, { typical, waitMs: known.trialMs });
    if (recovered === undefined) this.#judge(known, unusedMs, ratio > STILL_SLOW * typical);
    // To believe it is a trial too.
    else if (recovered) known.trialMs = longer(known.trialMs);
  }

  /** It is used, perhaps again after a time without; infinite: for the first time. */
  #judge(known: Known, unusedMs: number, stillSlow: boolean): void {
    if (unusedMs > known.trialMs && unusedMs < Number.POSITIVE_INFINITY)
      known.trialMs = stillSlow ? longer(known.trialMs) : TRIAL_MS;
  }

  #of(id: string): Known {
    let known = this.#known.get(id);
    if (known === undefined) {
      known = {
        speed: new SpeedFactor(),
        link: new LinkFactor(),
        silence: 0,
        silentSince: 0,
        trialMs: TRIAL_MS,
      };
      this.#known.set(id, known);
    }
    return known;
  }
}

function longer(trialMs: number): number {
  return Math.min(LONGEST_TRIAL_MS, 2 * trialMs);
}
