/** When a running plan gives way to a better one: one knob, and what follows from it. */

/** How readily plans are changed; the only knob there is. */
export interface ReplanPolicy {
  /**
   * 1 by default. Twice as much asks for half the gain, looks twice as far ahead for it to be repaid, and waits half
   * as long after a change that came soon after another; half as much does the reverse. From 0.1 to 10.
   */
  readonly sensitivity?: number;
}

/** What a policy means in figures. */
export interface Thresholds {
  /** Least share of the running plan's time per frame that a new one must save. */
  readonly gain: number;
  /** Milliseconds within which the saving must repay the switch. */
  readonly horizonMs: number;
  /** Milliseconds between the first change and the second; doubled with every further one. */
  readonly waitMs: number;
}

/** 15 %: what a plan loses by four factors that are each some 10 % wrong. */
const GAIN = 0.15;
const HORIZON_MS = 30_000;
const WAIT_MS = 4_000;
const LEAST = 0.1;
const MOST = 10;

export function thresholds({ sensitivity = 1 }: ReplanPolicy): Thresholds {
  const by = Math.min(MOST, Math.max(LEAST, sensitivity));
  return { gain: GAIN / by, horizonMs: HORIZON_MS * by, waitMs: WAIT_MS / by };
}
