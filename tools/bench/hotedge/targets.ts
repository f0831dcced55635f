/** What the comparison must show, cell by cell. */

import { atLeast, atMost, type PlanTimes, type Target } from '../report.ts';

export interface CellResult extends PlanTimes {
  readonly link: string;
  readonly cpu: string;
}

const FAST = '200mbit';
/** Of all-in-one's latency, at 250 millicores: 60 % lower. */
const MOST_SHARE = 0.4;

export function targetsOf(results: readonly CellResult[]): Target[] {
  const cells = new Map<string, Map<string, number>>();
  for (const { link, cpu, plan, medianMs } of results) {
    const key = `${link} ${cpu}`;
    cells.set(key, (cells.get(key) ?? new Map<string, number>()).set(plan, medianMs));
  }
  return [...cells].flatMap(([cell, plans]) => {
    const of = (plan: string): number => plans.get(plan) ?? Number.NaN;
    const against = (plan: string, limit: number): Target =>
      atMost(`${cell}: ours / ${plan}`, limit, of('ours') / of(plan));
    if (!cell.startsWith(FAST)) return [against('all-in-one', 1.03)];
    const reduction = cell === `${FAST} 250m` ? [against('all-in-one', MOST_SHARE)] : [];
    return [...reduction, against('parallel', 1.02)];
  });
}

/** One device of four became slow while frames ran. */
export interface UnequalResult {
  readonly link: string;
  /** Medians with the slow device: tiles of one size, the plan that followed it, one normal device alone. */
  readonly evenMs: number;
  readonly adaptiveMs: number;
  readonly aloneMs: number;
  /** From the change of quota to the first result on another plan; undefined where none came. */
  readonly foundMs: number | undefined;
  /** Between two results, from the change until the plan had settled. */
  readonly longestGapMs: number;
  /** Median of the plan before the change, and of the same plan after it. */
  readonly beforeMs: number;
  readonly slowedMs: number;
}

/** Least reduction, in percent, on the fast link, and on the slowest that is worth it: what the paper has there. */
const LEAST_REDUCTION = 55;
const PAPER_REDUCTION = 39.45;
const MOST_FOUND_MS = 5_000;
const MOST_PAUSE_MS = 200;

export function reduction({ evenMs, adaptiveMs }: UnequalResult): number {
  return 100 * (1 - adaptiveMs / evenMs);
}

/** `results` from the slowest link to the fastest. */
export function unequalTargets(results: readonly UnequalResult[]): Target[] {
  const worthIt = results.find(({ link, adaptiveMs, aloneMs }) => link !== FAST && adaptiveMs < aloneMs);
  const lowest =
    worthIt === undefined
      ? []
      : [
          atLeast(
            `unequal, ${worthIt.link}: less than even, %, where one device is beaten first`,
            PAPER_REDUCTION,
            reduction(worthIt),
          ),
        ];
  return [
    ...lowest,
    ...results.flatMap((result) => {
      const { link, foundMs = Number.POSITIVE_INFINITY, longestGapMs, slowedMs } = result;
      const fast = atLeast(`unequal, ${link}: less than even, %`, LEAST_REDUCTION, reduction(result));
      return [
        ...(link === FAST ? [fast] : []),
        atMost(`unequal, ${link}: from the change to a new plan, ms`, MOST_FOUND_MS, foundMs),
        atMost(
          `unequal, ${link}: longest gap less the old plan's median, ms`,
          MOST_PAUSE_MS,
          longestGapMs - slowedMs,
        ),
      ];
    }),
  ];
}
