/** What was measured of several sources, as rows and for people. */

import { median } from '../../../services/core/runtime/quantile.ts';
import { print, table } from '../../output.ts';
import { LEAST_FOR_INTERVAL, medianInterval } from '../emulated/interval.ts';
import { type BenchReport, rounded } from '../report.ts';
import { sharingBound } from './arrivals.ts';
import { BINDINGS, BUSY_TIMES, gainOf, ratiosOf, SOURCES, type SourcesResult } from './sources.ts';

const LOADS = ['moving', 'steady'] as const;

/** One for each load and binding: frames per second over the stretches. */
export function sourcesCells(result: SourcesResult): BenchReport['cells'][number][] {
  return LOADS.flatMap((load) =>
    BINDINGS.map((binding) => {
      const runs = result.runs.filter((run) => run.load === load && run.binding === binding);
      const rates = runs.map(({ framesPerSecond }) => framesPerSecond);
      return {
        plan: `sources, ${load}: ${binding}`,
        fps: rounded(median(rates)),
        [rates.length < LEAST_FOR_INTERVAL ? 'range' : 'ci95']: medianInterval(rates).map(rounded),
        n: rates.length,
        offered: rounded(median(runs.map(({ offeredPerSecond }) => offeredPerSecond))),
        capacity: rounded(result.capacity),
      };
    }),
  );
}

export function showSources(result: SourcesResult): void {
  const bound = sharingBound({ sources: SOURCES, busyTimes: BUSY_TIMES });
  print(
    table(
      ['sources', 'stealing / static', 'median of stretches', 'between', 'n', 'bound'],
      LOADS.map((load) => {
        const ratios = ratiosOf(result, load);
        const [low, high] = medianInterval(ratios);
        const sure = ratios.length < LEAST_FOR_INTERVAL ? 'range' : '95 %';
        return [
          load === 'moving' ? `one ${BUSY_TIMES} x as busy, moving` : 'steady, equal',
          gainOf(result, load).toFixed(2),
          median(ratios).toFixed(2),
          `${low.toFixed(2)} - ${high.toFixed(2)} (${sure})`,
          ratios.length,
          load === 'moving' ? bound.toFixed(2) : '1.00',
        ];
      }),
    ),
  );
}
