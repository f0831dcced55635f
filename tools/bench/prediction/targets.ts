/** How far predictions were off. */

import { median, quantile } from '../../../services/core/runtime/quantile.ts';
import { atLeast, atMost, type Target } from '../report.ts';

/** Milliseconds on whole processors. */
export interface Processors {
  readonly hubMs: number;
  readonly devicesMs: number;
}

export interface PredictionResult {
  readonly network: string;
  readonly plan: string;
  /** That have a part in the plan. */
  readonly devices: number;
  readonly link: string;
  readonly inFlight: number;
  /** From a frame's start at the splitter to its result: what is predicted. Median. */
  readonly measuredMs: number;
  /** The same with the camera's sending and receiving. */
  readonly roundTripMs: number;
  /** Of the slowest task of each block, summed: what workers took. Median. */
  readonly taskMs: number;
  /** The same as the plan expects it. */
  readonly expectedTaskMs: number;
  /** Processor milliseconds by frame: of the hub, its camera among them, and of all devices together. */
  readonly used: Processors;
  readonly expected: Processors;
  /** 95 % interval of the median; below six frames the range. */
  readonly interval: readonly [number, number];
  readonly n: number;
  /** By the simulator. */
  readonly simulatedMs: number;
  /** By the search, of one frame alone. */
  readonly searchedMs: number;
}

const MOST_ERROR = 15;
const FEWEST_PLANS = 20;
const TAIL = 0.9;

/** Percent by which a prediction is above what was measured. */
export function errorPercent(predictedMs: number, { measuredMs }: PredictionResult): number {
  return 100 * (predictedMs / measuredMs - 1);
}

/** Absolute errors: of the simulator over all plans, of the search over those of one frame at a time. */
export function errorsOf(results: readonly PredictionResult[]): {
  readonly simulator: number[];
  readonly search: number[];
} {
  const alone = results.filter(({ inFlight }) => inFlight === 1);
  return {
    simulator: results.map((result) => Math.abs(errorPercent(result.simulatedMs, result))),
    search: alone.map((result) => Math.abs(errorPercent(result.searchedMs, result))),
  };
}

/** Median and ninth decile of some errors, in words. */
export function errorText(errors: readonly number[]): string {
  return `median ${median(errors).toFixed(1)} %, p90 ${quantile(errors, TAIL).toFixed(1)} %, worst ${Math.max(...errors).toFixed(1)} % (n ${errors.length})`;
}

/** Plans on one device do not count. */
export function predictionTargets(all: readonly PredictionResult[]): Target[] {
  const results = all.filter(({ devices }) => devices > 1);
  const { simulator, search } = errorsOf(results);
  return [
    atLeast('plans on several devices', FEWEST_PLANS, results.length),
    atMost('simulator: median error, %', MOST_ERROR, median(simulator)),
    ...(search.length === 0 ? [] : [atMost('search: median error, %', MOST_ERROR, median(search))]),
  ];
}
