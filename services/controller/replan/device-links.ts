/** The links of one pipeline's devices: which are looked at, when, and what the answers say beside the profiles. */

import type { Fleet } from '../../core/planning/cost/fleet.ts';
import type { Replanner } from '../../core/planning/replan/replanner.ts';
import type { LinkGlances } from './link-glances.ts';

/** Links are looked at as long as a dispatcher told of tasks within this time: a frame may take longer than a moment. */
const FLOWING_MS = 10_000;
/** Answers may wait to be read where it was not looked for so long: the hub was busy, and they are not late. */
const BUSY_MS = 1_000;
/** And where no task has told of their medium for so long. */
const UNTOLD_MS = 2_000;

export interface DeviceLinksDeps {
  /** Started. */
  readonly glances: Pick<
    LinkGlances,
    'want' | 'inDoubt' | 'together' | 'unsettled' | 'onGlance' | 'onTogether'
  >;
  readonly replanner: Pick<Replanner, 'factors' | 'hubUnknown' | 'linkSeen' | 'hubSeen' | 'suspects'>;
  /** As profiled. */
  readonly fleet: () => Fleet;
  /** Ids of the workers that are online. */
  readonly online: () => readonly string[];
  /** Something was seen. */
  readonly seen: () => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export class DeviceLinks {
  readonly #deps: DeviceLinksDeps;
  /** When tasks were last told of; and by medium, when the ways of any were. */
  #flowedAt = Number.NEGATIVE_INFINITY;
  readonly #toldAt = new Map<string, number>();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #unhear: readonly (() => void)[] = [];

  constructor(deps: DeviceLinksDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { glances, replanner, seen } = this.#deps;
    this.#unhear = [
      glances.onGlance((device, bytesPerMs) => this.#seen(device, bytesPerMs)),
      glances.onTogether((bytesPerMs) => {
        replanner.hubSeen(bytesPerMs);
        seen();
      }),
    ];
  }

  stop(): void {
    for (const end of this.#unhear) end();
  }

  /** Tasks are out or were answered. */
  flowing(): void {
    this.#flowedAt = this.#deps.now();
  }

  /** The ways to a device and back were told of. */
  told(device: string): void {
    const medium = this.#deps.fleet().devices.find(({ id }) => id === device)?.medium;
    this.#toldAt.set(medium ?? '', this.#deps.now());
  }

  /** Has links looked at that no task tells of, or that may have changed; to be called now and then. */
  look(): void {
    const now = this.#deps.now();
    const busy = now - this.#lookedAt > BUSY_MS;
    this.#lookedAt = now;
    if (busy || now - this.#flowedAt > FLOWING_MS) return;
    const { glances, replanner } = this.#deps;
    const online = new Set(this.#deps.online());
    for (const { id, medium = '' } of this.#deps.fleet().devices) {
      const toldAt = this.#toldAt.get(medium) ?? Number.NEGATIVE_INFINITY;
      const bytesPerMs = this.#carries(id);
      if (bytesPerMs === undefined || !online.has(id)) continue;
      if (glances.unsettled([id]) || replanner.suspects(id) || now - toldAt >= UNTOLD_MS)
        glances.want(id, bytesPerMs);
    }
  }

  isInDoubt(device: string): boolean {
    const bytesPerMs = this.#carries(device);
    return bytesPerMs !== undefined && this.#deps.glances.inDoubt(device, bytesPerMs);
  }

  /** Whether it is known what all links carry, the hub's own among them, or was waited for long enough. */
  get settled(): boolean {
    const { glances, replanner, online } = this.#deps;
    const links = new Map(
      online().flatMap((id) => {
        const bytesPerMs = this.#carries(id);
        return bytesPerMs === undefined ? [] : [[id, bytesPerMs] as const];
      }),
    );
    if (glances.unsettled(links.keys())) return false;
    if (!replanner.hubUnknown) return true;
    return links.size < 2 || !glances.together(links);
  }

  #seen(device: string, bytesPerMs: number): void {
    const profiled = this.#profiled(device);
    if (profiled === undefined) return;
    this.#deps.replanner.linkSeen(device, Math.max(1, profiled / bytesPerMs));
    this.#deps.seen();
  }

  /** Bytes per millisecond as profiled; undefined where it has no link. */
  #profiled(device: string): number | undefined {
    const { media, devices } = this.#deps.fleet();
    return media.get(devices.find(({ id }) => id === device)?.medium ?? '')?.bytesPerMs;
  }

  /** The same as it is now. */
  #carries(device: string): number | undefined {
    const profiled = this.#profiled(device);
    return profiled && profiled / (this.#deps.replanner.factors().get(device)?.link ?? 1);
  }
}
