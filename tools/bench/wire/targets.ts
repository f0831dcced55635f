/** What the comparison must show, row by row. */

import { median } from '../../../services/core/runtime/quantile.ts';
import type { AccuracyBudget } from '../../accuracy/budget.ts';
import { atLeast, atMost, type Target } from '../report.ts';
import type { Accuracy, WireName } from './cells.ts';
import { MAIN_NETWORK } from './networks.ts';

/** One row of the table: a network on one kind of link, plans that may or may not change values. */
export interface Row {
  readonly network: string;
  readonly wire: WireName;
  readonly accuracy: Accuracy;
  /** Of plans that may change values. */
  readonly budget?: AccuracyBudget;
  /** `halo`, `merge`, `pipeline`, `one device`. */
  readonly mode: string;
  readonly oursMs: number;
  readonly interval: readonly [number, number];
  readonly n: number;
  /** Bare runs on one device, at its best: of the int8 form beside plans that may change values, where that keeps to the budget too. */
  readonly aloneMs: number;
  readonly aloneInterval: readonly [number, number];
  /** Bare runs of the float model, and of its int8 form. */
  readonly floatMs: number;
  readonly int8Ms?: number;
  readonly int8Rms?: number;
  readonly predictedMs: number;
  /** Of one frame by its plan: what strips take is in no result. */
  readonly movedBytes: number;
  /** Why several devices do not pay here. */
  readonly reason?: string;
  readonly loss?: RowLoss;
}

/** What a row's answers are worth, against the uncut model, on photos. */
export interface RowLoss {
  readonly photos: number;
  readonly relativeRms: number;
  readonly maxRelDiff: number;
  /** Photos on which both name the same things; absent where answers are raw numbers. */
  readonly equalLabels?: number;
  /** Share of the detections, or best classes, that agree in class and place. */
  readonly statements?: number;
}

/** Percent less than one device alone. */
export function reduction({ oursMs, aloneMs }: Pick<Row, 'oursMs' | 'aloneMs'>): number {
  return 100 * (1 - oursMs / aloneMs);
}

export function errorPercent({ oursMs, predictedMs }: Pick<Row, 'oursMs' | 'predictedMs'>): number {
  return (100 * Math.abs(predictedMs - oursMs)) / oursMs;
}

/** Least reduction in percent, or the most of one device's latency. */
const WANTED: readonly {
  readonly wire: WireName;
  readonly accuracy: Accuracy;
  readonly less?: number;
  readonly times?: number;
}[] = [
  { wire: '200mbit', accuracy: 'exact', less: 66 },
  { wire: '5mbit', accuracy: 'budgeted', less: 55 },
  { wire: '5mbit', accuracy: 'exact', less: 20 },
  { wire: 'air', accuracy: 'budgeted', less: 40 },
  { wire: 'air-all', accuracy: 'budgeted', less: 30 },
  { wire: '1mbit', accuracy: 'budgeted', times: 1 },
  { wire: '500kbit', accuracy: 'exact', times: 1.03 },
  { wire: '500kbit', accuracy: 'budgeted', times: 1.03 },
];
const MOST_ERROR = 15;
const MOST_EXACT_LOSS = 1e-4;
const PHOTOS = 20;
const LEAST_EQUAL = 19;

export function wireTargets(rows: readonly Row[]): Target[] {
  const table = WANTED.flatMap(({ wire, accuracy, less, times }) => {
    const row = rows.find(
      (each) => each.network === MAIN_NETWORK && each.wire === wire && each.accuracy === accuracy,
    );
    if (row === undefined) return [];
    const name = `${wire}, ${accuracy}`;
    if (less !== undefined) return [atLeast(`${name}: less than all-in-one, %`, less, reduction(row))];
    return [atMost(`${name}: ours / all-in-one`, times ?? 1, row.oursMs / row.aloneMs)];
  });
  return [...table, ...predictionTarget(rows), ...rows.flatMap(lossTargets)];
}

function predictionTarget(rows: readonly Row[]): Target[] {
  if (rows.length === 0) return [];
  return [atMost('prediction: median error, %', MOST_ERROR, median(rows.map(errorPercent)))];
}

function lossTargets({ network, wire, accuracy, loss, budget }: Row): Target[] {
  if (loss === undefined) return [];
  const name = `${network}, ${wire}, ${accuracy}`;
  if (accuracy === 'exact')
    return [atMost(`${name}: difference from the uncut model`, MOST_EXACT_LOSS, loss.maxRelDiff)];
  const { photos, equalLabels, relativeRms } = loss;
  // Answers that name nothing are numbers, held to what the plan was allowed to lose.
  if (equalLabels === undefined)
    return budget === undefined
      ? []
      : [atMost(`${name}: relative RMS error, %`, 100 * budget.relativeRms, 100 * relativeRms)];
  const least = Math.ceil((photos * LEAST_EQUAL) / PHOTOS);
  return [atLeast(`${name}: photos of ${photos} with equal labels`, least, equalLabels)];
}

/** A link that swings: what became of the frames on it. */
export interface SwingResult {
  readonly minutes: number;
  readonly sent: number;
  readonly results: number;
  readonly lost: number;
  readonly changes: number;
  /** Milliseconds of all frames, and of the same frames had each run on the best plan for its link. */
  readonly spentMs: number;
  readonly oracleMs: number;
}

const MOST_LOST_TIME = 15;

export function timeLost({ spentMs, oracleMs }: Pick<SwingResult, 'spentMs' | 'oracleMs'>): number {
  return 100 * (spentMs / oracleMs - 1);
}

export function swingTargets(result: SwingResult): Target[] {
  return [
    atMost('swinging link: frames lost', 0, result.lost),
    atMost('swinging link: time lost against an oracle, %', MOST_LOST_TIME, timeLost(result)),
  ];
}
