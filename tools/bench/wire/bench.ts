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
import { print, printJson } from '../../output.ts';
import { Stopwatch } from '../emulated/stopwatch.ts';
import type { BenchReport } from '../report.ts';
import { Alone } from './alone.ts';
import { type Cell, type ChosenCells, cellName, chosenCells, type PlanKind, planKind } from './cells.ts';
import { Comparison, type ComparisonDeps } from './comparison.ts';
import { Losses } from './losses.ts';
import { chosenNetworks, MAIN_NETWORK, openWireNetwork, type WireNetwork } from './networks.ts';
import { benchPhotos, type Photos } from './photos.ts';
import { CellPlans } from './plans.ts';
import { wirePlot } from './plot.ts';
import { WireRig } from './rig.ts';
import { cellOf, rowsText, swingCell } from './rows.ts';
import { Swing } from './swing.ts';
import { type Row, type SwingResult, swingTargets, wireTargets } from './targets.ts';
import { beginTracing, traceFrame } from './trace.ts';

export interface WireFlags {
  /** `table,5mbit,exact`; absent: the whole table. */
  readonly cells?: string | undefined;
  /** Frames of each plan; absent: six to sixteen, by how long they take. */
  readonly repetitions?: number | undefined;
  /** Every cell as one line of JSON when it is done. */
  readonly json?: boolean | undefined;
  /** Where the picture goes. */
  readonly svg?: string | undefined;
  readonly models?: string | undefined;
  readonly plan?: string | undefined;
  readonly minutes?: number | undefined;
}

const MINUTES = 20;

interface Wanted extends ChosenCells {
  readonly repetitions: number | undefined;
  readonly json: boolean;
  readonly minutes: number;
  readonly kind: PlanKind | undefined;
}

interface Found {
  readonly rows: Row[];
  readonly swings: SwingResult[];
}

export async function benchWire(flags: WireFlags): Promise<BenchReport> {
  const { repetitions, json = false, minutes = MINUTES, svg = 'wire.svg' } = flags;
  const wanted = { ...chosenCells(flags.cells), repetitions, json, minutes, kind: planKind(flags.plan) };
  const names = chosenNetworks(flags.models);
  const watch = new Stopwatch();
  const photos = await benchPhotos();
  print(`${photos.files.length} ${photos.real ? 'photos' : 'drawn scenes, for there are no photos here'}`);
  const found: Found = { rows: [], swings: [] };
  if (wanted.cases.includes('trace')) beginTracing();
  await withExecutor(async (executor) => {
    for (const name of names)
      await benchNetwork(await openWireNetwork(name, photos), { photos, wanted, executor, found });
  });
  if (found.rows.length > 0) {
    print(`\n${rowsText(found.rows)}`);
    writeFileSync(svg, wirePlot(found.rows));
    print(`picture: ${svg}`);
  }
  print(`the whole bench took ${Math.round(watch.elapsedMs / 1000)} s`);
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
  const began = performance.now();
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
    const cells = network.name === MAIN_NETWORK ? wanted.cells : wanted.few;
    print(`${network.name}: ready after ${secondsSince(began)}`);
    if (wanted.cases.includes('trace')) await traceCells(deps, cells);
    if (wanted.cases.includes('table')) await compare(deps, cells, wanted, found.rows);
    if (wanted.cases.includes('swing')) {
      const accuracy = wanted.cells.some((cell) => cell.accuracy === 'budgeted') ? 'budgeted' : 'exact';
      const swing = new Swing({ ...deps, photos, profile, slowdown, accuracy });
      found.swings.push(await swing.run(wanted.minutes));
    }
  } finally {
    await rig.stop();
  }
}

/** Every row is printed when it is done, so that a bench that is stopped has said what it knew. */
async function compare(
  deps: ComparisonDeps,
  cells: readonly Cell[],
  { repetitions, json }: Wanted,
  rows: Row[],
): Promise<void> {
  const comparison = new Comparison(deps);
  if (cells.some(({ accuracy }) => accuracy === 'budgeted')) await deps.alone.prepareInt8();
  const began = performance.now();
  for (const [at, cell] of cells.entries()) {
    const cellBegan = performance.now();
    const row = await comparison.row(cell, repetitions);
    if (row !== undefined) {
      rows.push(row);
      print(rowsText([row]));
      if (json) printJson({ bench: 'wire', cell: cellOf(row) });
    }
    const [done, left] = [at + 1, cells.length - at - 1];
    const minutes = ((performance.now() - began) * left) / done / 60_000;
    print(
      `${cellName(cell)} took ${secondsSince(cellBegan)}; ${done} of ${cells.length} done, about ${minutes.toFixed(1)} min left`,
    );
  }
}

function secondsSince(began: number): string {
  return `${Math.round((performance.now() - began) / 1000)} s`;
}

async function traceCells(deps: ComparisonDeps, cells: readonly Cell[]): Promise<void> {
  const comparison = new Comparison(deps);
  for (const cell of cells) {
    const plan = await comparison.rollOut(cell);
    if (plan !== undefined) await traceFrame(deps.rig, cell, plan, deps.plans.fleet(cell.wire));
  }
}
