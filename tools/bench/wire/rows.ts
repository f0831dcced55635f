/** Rows of the comparison for people, and for the report. */

import { table } from '../../output.ts';
import { intervalText, namedInterval } from '../emulated/interval.ts';
import { type BenchReport, rounded } from '../report.ts';
import { errorPercent, type Row, reduction, type SwingResult, timeLost } from './targets.ts';

type ReportCell = BenchReport['cells'][number];

const HEAD = [
  'network',
  'wire',
  'class',
  'plan',
  'ms',
  '95 %',
  'n',
  'one device',
  'less',
  'int8 alone',
  'predicted',
  'error',
  'MB by plan',
  'rel. RMS',
  'equal labels',
];

/** With the reasons for one device below it. */
export function rowsText(rows: readonly Row[]): string {
  const reasons = rows.flatMap(({ network, wire, accuracy, reason }) =>
    reason === undefined ? [] : [`${network}, ${wire}, ${accuracy}: one device, for ${reason}`],
  );
  const budgets = new Set(
    rows.flatMap(({ network, budget }) => (budget ? [budgetText(network, budget)] : [])),
  );
  return [table(HEAD, rows.map(columns)), ...budgets, ...reasons].join('\n');
}

function columns(row: Row): (string | number)[] {
  return [
    row.network,
    row.wire,
    row.accuracy,
    row.mode,
    rounded(row.oursMs),
    intervalText(row.interval, row.n),
    row.n,
    rounded(row.aloneMs),
    `${reduction(row).toFixed(1)} %`,
    row.int8Ms === undefined ? '' : rounded(row.int8Ms),
    rounded(row.predictedMs),
    `${errorPercent(row).toFixed(0)} %`,
    rounded(row.movedBytes / 1e6),
    row.loss === undefined ? '' : row.loss.relativeRms.toExponential(1),
    row.loss?.equalLabels === undefined ? '' : `${row.loss.equalLabels} of ${row.loss.photos}`,
  ];
}

function budgetText(network: string, { relativeRms, labels }: NonNullable<Row['budget']>): string {
  return `${network}, budgeted: at most ${100 * relativeRms} % relative RMS, at least ${100 * labels} % of the labels`;
}

export function cellOf(row: Row): ReportCell {
  const { loss, budget, int8Ms, reason, interval, aloneInterval, n } = row;
  return {
    network: row.network,
    link: row.wire,
    accuracy: row.accuracy,
    ...(budget === undefined ? {} : { budgetRelativeRms: budget.relativeRms, budgetLabels: budget.labels }),
    plan: row.mode,
    medianMs: rounded(row.oursMs),
    ...namedInterval(interval, n),
    n,
    aloneMs: rounded(row.aloneMs),
    aloneInterval: aloneInterval.map(rounded),
    floatAloneMs: rounded(row.floatMs),
    ...(int8Ms === undefined
      ? {}
      : { int8AloneMs: rounded(int8Ms), int8RelativeRms: rounded(row.int8Rms ?? 0) }),
    lessPercent: rounded(reduction(row)),
    predictedMs: rounded(row.predictedMs),
    errorPercent: rounded(errorPercent(row)),
    movedBytes: Math.round(row.movedBytes),
    ...(loss === undefined
      ? {}
      : {
          photos: loss.photos,
          relativeRms: rounded(loss.relativeRms),
          maxRelDiff: rounded(loss.maxRelDiff),
          ...(loss.equalLabels === undefined ? {} : { equalLabels: loss.equalLabels }),
          ...(loss.statements === undefined ? {} : { statementsEqual: rounded(loss.statements) }),
        }),
    ...(reason === undefined ? {} : { reason }),
  };
}

export function swingCell(result: SwingResult): ReportCell {
  const { spentMs, oracleMs, ...counts } = result;
  return {
    plan: 'swing',
    ...counts,
    spentMs: rounded(spentMs),
    oracleMs: rounded(oracleMs),
    timeLostPercent: rounded(timeLost(result)),
  };
}
