/**
 * `npm run bench -- wire`: networks on four slow devices and a hub over links from 200 to 0.5 Mbit/s, each with a cable
 * of its own or all on one half-duplex medium: what the planner chooses, exact and within an accuracy budget, against
 * one device alone at its best. `swing`: a pipeline that follows a link that swings; `trace`: one frame's timeline.
 */

import { writeFileSync } from 'node:fs';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import type { Executor } from '../../../services/worker/executor/executor.ts';
import { withExecutor } from '../../executor.ts';
import { print, table } from '../../output.ts';
import { intervalText, namedInterval } from '../emulated/interval.ts';
import { type BenchReport, rounded } from '../report.ts';
import { Alone } from './alone.ts';
import { type Cell, type ChosenCells, chosenCells, type PlanKind, planKind } from './cells.ts';
import { Comparison, type ComparisonDeps } from './comparison.ts';
import { Losses } from './losses.ts';
import { chosenNetworks, openWireNetwork, type WireNetwork } from './networks.ts';
import { benchPhotos, type Photos } from './photos.ts';
import { BUDGET, CellPlans } from './plans.ts';
import { wirePlot } from './plot.ts';
import { WireRig } from './rig.ts';
import { Swing } from './swing.ts';
import {
  errorPercent,
  type Row,
  reduction,
  type SwingResult,
  swingTargets,
  timeLost,
  wireTargets,
} from './targets.ts';
import { beginTracing, traceFrame } from './trace.ts';

export interface WireFlags {
  /** `table,5mbit,exact`; absent: the whole table. */
  readonly cells?: string | undefined;
  /** Frames of each plan; absent: ten. */
  readonly repetitions?: number | undefined;
  /** Where the picture goes. */
  readonly svg?: string | undefined;
  readonly models?: string | undefined;
  readonly plan?: string | undefined;
  readonly minutes?: number | undefined;
}

const REPETITIONS = 10;
const MINUTES = 20;

interface Wanted extends ChosenCells {
  readonly repetitions: number;
  readonly minutes: number;
  readonly kind: PlanKind | undefined;
}

interface Found {
  readonly rows: Row[];
  readonly swings: SwingResult[];
}

export async function benchWire(flags: WireFlags): Promise<BenchReport> {
  const { repetitions = REPETITIONS, minutes = MINUTES, svg = 'wire.svg' } = flags;
  const wanted = { ...chosenCells(flags.cells), repetitions, minutes, kind: planKind(flags.plan) };
  const names = chosenNetworks(flags.models);
  const began = performance.now();
  const photos = await benchPhotos();
  print(`${photos.files.length} ${photos.real ? 'photos' : 'drawn scenes, for there are no photos here'}`);
  const found: Found = { rows: [], swings: [] };
  if (wanted.cases.includes('trace')) beginTracing();
  await withExecutor(async (executor) => {
    for (const name of names)
      await benchNetwork(await openWireNetwork(name, photos), { photos, wanted, executor, found });
  });
  if (found.rows.length > 0) {
    writeFileSync(svg, wirePlot(found.rows));
    print(`picture: ${svg}`);
  }
  print(`the whole bench took ${Math.round((performance.now() - began) / 1000)} s`);
  return {
    bench: 'wire',
    cells: [...found.rows.map(cellOf), ...found.swings.map(swingCell)],
    targets: [...wireTargets(found.rows), ...found.swings.flatMap(swingTargets)],
  };
}

interface Bench {
  readonly photos: Photos;
  readonly wanted: Wanted;
  readonly executor: Executor;
  readonly found: Found;
}

/** On machines of its own: what another network left in their memory would count. */
async function benchNetwork(network: WireNetwork, { photos, wanted, executor, found }: Bench): Promise<void> {
  const blobs = new BlobCache({ folder: cacheFolder('blobs') });
  const rig = new WireRig();
  try {
    await rig.start();
    const alone = new Alone({ rig, network, executor, blobs });
    const { profile, slowdown } = await alone.profile();
    rig.cluster.unlimit();
    await rig.startServices(wanted.route === 'direct' ? ['--listen', '0'] : []);
    const plans = new CellPlans({
      network,
      profile,
      slowdown,
      executor,
      blobs,
      hub: wanted.hub,
      route: wanted.route,
    });
    const deps: ComparisonDeps = {
      rig,
      network,
      plans,
      kind: wanted.kind,
      losses: new Losses({ executor, blobs }, network),
      alone,
    };
    if (wanted.cases.includes('trace')) await traceCells(deps, wanted.cells);
    if (wanted.cases.includes('table')) found.rows.push(...(await compare(deps, wanted)));
    if (wanted.cases.includes('swing'))
      found.swings.push(await new Swing({ ...deps, photos, profile, slowdown }).run(wanted.minutes));
  } finally {
    await rig.stop();
  }
}

async function compare(deps: ComparisonDeps, { cells, repetitions }: Wanted): Promise<Row[]> {
  const comparison = new Comparison(deps);
  if (cells.some(({ accuracy }) => accuracy === 'budgeted')) await deps.alone.prepareInt8();
  await comparison.prepare(cells);
  const rows: Row[] = [];
  for (const cell of cells) {
    const row = await comparison.measure(cell, repetitions);
    if (row !== undefined) rows.push(row);
  }
  showRows(rows);
  return rows;
}

async function traceCells(deps: ComparisonDeps, cells: readonly Cell[]): Promise<void> {
  const comparison = new Comparison(deps);
  for (const cell of cells) {
    deps.rig.cluster.unlimit();
    const plan = await comparison.rollOut(cell);
    if (plan !== undefined) await traceFrame(deps.rig, cell, plan, deps.plans.fleet(cell.wire));
  }
}

function showRows(rows: readonly Row[]): void {
  print('');
  print(
    table(
      [
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
      ],
      rows.map((row) => [
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
      ]),
    ),
  );
  for (const { network, wire, accuracy, reason } of rows)
    if (reason !== undefined) print(`${network}, ${wire}, ${accuracy}: one device, for ${reason}`);
}

type ReportCell = BenchReport['cells'][number];

function cellOf(row: Row): ReportCell {
  const { loss, int8Ms, reason, interval, aloneInterval, n } = row;
  return {
    network: row.network,
    link: row.wire,
    accuracy: row.accuracy,
    ...(row.accuracy === 'budgeted'
      ? { budgetRelativeRms: BUDGET.relativeRms, budgetLabels: BUDGET.labels }
      : {}),
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

function swingCell(result: SwingResult): ReportCell {
  const { spentMs, oracleMs, ...counts } = result;
  return {
    plan: 'swing',
    ...counts,
    spentMs: rounded(spentMs),
    oracleMs: rounded(oracleMs),
    timeLostPercent: rounded(timeLost(result)),
  };
}
