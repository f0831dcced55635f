/**
 * What part of its time each device computes for whom, from telemetry of the last seconds: pipelines on the same devices
 * are planned with what the others leave.
 */

import type { Telemetry } from '../../schema/generated/telemetry.ts';

/** Age at which computing counts half. */
const HALF_LIFE_MS = 8_000;
/** A load seen for less than this is taken to have been there for as long. */
const LEAST_AGE_MS = 1_000;
/** Waiting seen longer ago says nothing. */
const STALE_MS = 30_000;
/** Pairs of device and plan remembered; the one unused for longest is forgotten. */
const MOST = 4_096;

interface Load {
  readonly device: string;
  readonly plan: string;
  readonly since: number;
  /** Milliseconds of computing, and of waiting at the device for its turn; the older the less, as of `at`. */
  readonly ms: number;
  readonly waitMs: number;
  readonly at: number;
}

/** What one pipeline meets on a device. */
export interface Contention {
  /** Share of the device's time, 0 to 1, that others take. */
  readonly busy: number;
  /** Times by which its own tasks took longer for waiting there; Infinity where it had none lately. */
  readonly waits: number;
}

export class DeviceLoads {
  readonly #loads = new Map<string, Load>();

  /** What a dispatcher saw, by the plans its tasks are of; `now` in monotonic milliseconds. */
  add({ tasks, windowMs }: Pick<Telemetry, 'tasks' | 'windowMs'>, now: number): void {
    for (const { worker: device, plan, computeSumMs, queueSumMs } of tasks) {
      const key = `${device} ${plan}`;
      const before = this.#loads.get(key) ?? {
        device,
        plan,
        since: now - windowMs,
        ms: 0,
        waitMs: 0,
        at: now,
      };
      const left = leftOf(before, now);
      this.#loads.delete(key);
      const [ms, waitMs] = [before.ms * left + computeSumMs, before.waitMs * left + queueSumMs];
      this.#loads.set(key, { ...before, ms, waitMs, at: now });
      if (this.#loads.size > MOST) this.#loads.delete(this.#loads.keys().next().value as string);
    }
  }

  /** Of a device, for the pipeline that the plans are of for which `own` is true. */
  contention(device: string, now: number, own: (plan: string) => boolean): Contention {
    let [busy, ms, waitMs] = [0, 0, 0];
    for (const load of this.#loads.values()) {
      if (load.device !== device) continue;
      const left = leftOf(load, now);
      if (!own(load.plan)) {
        const age = Math.max(LEAST_AGE_MS, now - load.since);
        busy += (load.ms * left * Math.LN2) / HALF_LIFE_MS / (1 - 2 ** (-age / HALF_LIFE_MS));
      } else if (now - load.at < STALE_MS) {
        ms += load.ms * left;
        waitMs += load.waitMs * left;
      }
    }
    return { busy: Math.min(1, busy), waits: ms === 0 ? Number.POSITIVE_INFINITY : 1 + waitMs / ms };
  }
}

/** Of what was counted up to the last time. */
function leftOf({ at }: Load, now: number): number {
  return 2 ** (-Math.max(0, now - at) / HALF_LIFE_MS);
}

/**
 * Times by which a device is slower for one of several pipelines: it has what the others leave of the device's time, and
 * at least its fair share, which is what the others leave it once it asks for more. No slower than its own tasks' waiting
 * there shows: those whose frames take turns do not hinder each other.
 */
export function slowedBy({ busy, waits }: Contention, pipelines: number): number {
  return Math.min(waits, 1 / Math.max(1 / Math.max(1, pipelines), 1 - busy));
}
