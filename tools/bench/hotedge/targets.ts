/** What the comparison must show, cell by cell. */

import { atMost, type Target } from '../report.ts';

export interface CellResult {
  readonly link: string;
  readonly cpu: string;
  readonly plan: string;
  readonly medianMs: number;
  /** 95 % interval of the median. */
  readonly ci95: readonly [number, number];
  readonly n: number;
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
