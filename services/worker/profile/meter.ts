/** The clock of a measurement. */

export interface Meter {
  /** Milliseconds since some moment. */
  now(): number;
  /** Factor from the meter's milliseconds to those of the wall under a full load. */
  readonly factor: number;
}

/**
 * On one thread the processor time of the process: what other programs take, and the pauses of a quota, do not belong
 * to an operator, and the quota's share is divided out. With several threads the wall's time.
 */
export function meterOf(threads: number, quota: number | undefined): Meter {
  if (threads > 1) return { now: () => performance.now(), factor: 1 };
  return {
    now: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    factor: 1 / Math.min(1, quota ?? 1),
  };
}
