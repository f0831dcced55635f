/**
 * `npm run bench -- hotedge`: VGG-16 on four slow devices and a hub, as in HotEdge'19: all on one device, as a
 * pipeline, in parallel by the paper's own plan, and by the plan that the search finds from a measured profile. Then
 * one of the devices slows down while frames run.
 */

import { writeFileSync } from 'node:fs';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { HUB } from '../../emulate/cluster.ts';
import { print, table } from '../../output.ts';
import { namedInterval } from '../emulated/interval.ts';
import { type BenchNetwork, benchNetwork } from '../emulated/network.ts';
import { plausibleProfile } from '../emulated/plausible-profile.ts';
import { Stopwatch } from '../emulated/stopwatch.ts';
import type { BenchReport } from '../report.ts';
import { type Cell, type ChosenCells, chosenCells, runsBeside } from './cells.ts';
import { Comparison, type Rigs, showCell } from './comparison.ts';
import { formsOf, WrittenPlans } from './plans.ts';
import { plot } from './plot.ts';
import { HotEdgeRig } from './rig.ts';
import { type CellResult, targetsOf, unequalTargets } from './targets.ts';
import { Unequal, type UnequalOutcome, unequalRow } from './unequal.ts';

export interface HotEdgeFlags {
  /** `equal,200mbit,250m`; absent: all. */
  readonly cells?: string | undefined;
  /** Instead of each cell's own number. */
  readonly repetitions?: number | undefined;
  /** Where the picture goes. */
  readonly svg?: string | undefined;
}

const UNEQUAL_REPETITIONS = 7;

export async function benchHotEdge(flags: HotEdgeFlags): Promise<BenchReport> {
  const cells = chosenCells(flags.cells);
  const watch = new Stopwatch();
  const network = await benchNetwork('vgg16');
  const rigs: Rigs = {
    rig: new HotEdgeRig({ hubComputes: true }),
    beside: new Map(cells.equal.filter(runsBeside).map(({ cpu }) => [cpu, new HotEdgeRig({})])),
  };
  try {
    const { equal, unequal } = await runAll(rigs, { network, cells, repetitions: flags.repetitions, watch });
    const svg = flags.svg ?? 'hotedge.svg';
    writeFileSync(
      svg,
      plot(
        equal,
        unequal.map(({ result }) => result),
      ),
    );
    print(`picture: ${svg}`);
    return {
      bench: 'hotedge',
      cells: [...equal, ...unequal.flatMap((outcome) => outcome.cells)].map(({ interval, n, ...cell }) => ({
        ...cell,
        ...namedInterval(interval, n),
        n,
      })),
      targets: [...targetsOf(equal), ...unequalTargets(unequal.map(({ result }) => result)), watch.total],
    };
  } finally {
    for (const each of rigs.beside.values()) await each.stop();
    await rigs.rig.stop();
  }
}

interface Wanted {
  readonly network: BenchNetwork;
  readonly cells: ChosenCells;
  readonly repetitions: number | undefined;
  readonly watch: Stopwatch;
}

interface Results {
  readonly equal: CellResult[];
  readonly unequal: UnequalOutcome[];
}

async function runAll(rigs: Rigs, { network, cells, repetitions, watch }: Wanted): Promise<Results> {
  const { rig, beside } = rigs;
  const profile = await watch.time('started and profiled', () => startRigs(rigs, network));
  const forms = await formsOf(network);
  const written = new WrittenPlans();
  const comparison = new Comparison({ ...rigs, forms, written, profile });
  await watch.time('plans of all cells', () => comparison.prepare(cells.equal));
  const runsOf = (cell: Cell): number => repetitions ?? cell.repetitions;
  const besides = measureBeside(cells.equal.filter(runsBeside), (cell) =>
    watch.time(`${cellName(cell)}, the papers' plans, beside`, () =>
      comparison.measureBeside(cell, runsOf(cell)),
    ),
  );
  const measured = new Map<Cell, CellResult[]>();
  for (const cell of cells.equal) {
    const results = await watch.time(cellName(cell), () => comparison.measure(cell, runsOf(cell)));
    measured.set(cell, results);
    if (!besides.has(cell)) showCell(results);
  }
  const following = new Unequal({ rig, forms, written, profile, file: network.file });
  const unequal = await measureUnequal(cells.unequal, (link) =>
    watch.time(`${link}, unequal`, () => following.measure(link, repetitions ?? UNEQUAL_REPETITIONS)),
  );
  for (const [cell, papers] of besides) {
    const [alone, ...others] = measured.get(cell) ?? [];
    const all = [...(alone === undefined ? [] : [alone]), ...(await papers), ...others];
    measured.set(cell, all);
    showCell(all);
  }
  for (const [cpu, each] of beside) showUse(cpu, each, watch.elapsedMs);
  return { equal: [...measured.values()].flat(), unequal };
}

function cellName({ link, cpu }: Cell): string {
  return `${link}, ${cpu}`;
}

/** One cell of each rig after the other, without anybody waiting: what fails is heard where a result is asked for. */
function measureBeside(
  cells: readonly Cell[],
  measure: (cell: Cell) => Promise<CellResult[]>,
): Map<Cell, Promise<CellResult[]>> {
  const besides = new Map<Cell, Promise<CellResult[]>>();
  const before = new Map<string, Promise<unknown>>();
  for (const cell of cells) {
    const own = (before.get(cell.cpu) ?? Promise.resolve()).then(() => measure(cell));
    before.set(
      cell.cpu,
      own.catch(() => undefined),
    );
    besides.set(cell, own);
  }
  return besides;
}

async function measureUnequal(
  links: readonly string[],
  measure: (link: string) => Promise<UnequalOutcome>,
): Promise<UnequalOutcome[]> {
  const outcomes: UnequalOutcome[] = [];
  for (const link of links) {
    const outcome = await measure(link);
    showCell(outcome.cells);
    outcomes.push(outcome);
  }
  if (outcomes.length > 0) {
    print('\nOne device of four at a quarter of its speed, while frames run:');
    print(
      table(
        ['link', 'ms before', 'ms slowed, same plan', 'new plan after', 'longest gap, ms'],
        outcomes.map(unequalRow),
      ),
    );
  }
  return outcomes;
}

/** Profiles a device while nothing else runs, and starts everything that does, unlimited. */
async function startRigs({ rig, beside }: Rigs, network: BenchNetwork): Promise<Profile> {
  await rig.start();
  const profile = await plausibleProfile(rig, network);
  rig.cluster.unlimit();
  await rig.startServices();
  for (const each of beside.values()) {
    await each.start();
    await each.startServices();
  }
  return profile;
}

/** What ran beside the cells must have left them their processors. */
function showUse(cpu: string, { cluster }: HotEdgeRig, elapsedMs: number): void {
  const used = [HUB, ...cluster.devices].reduce((sum, device) => sum + cluster.cpuStat(device).usageMs, 0);
  print(
    `the papers' plans on slow links at ${cpu} ran beside the other cells on devices of their own: ${((100 * used) / elapsedMs).toFixed(1)} % of a core, start-up included`,
  );
}
