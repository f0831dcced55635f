/**
 * `npm run bench -- hotedge`: VGG-16 on four slow devices and a hub, as in HotEdge'19: all on one device, as a
 * pipeline, in parallel by the paper's own plan, and by the plan that the search finds from a measured profile.
 */

import { writeFileSync } from 'node:fs';
import { openAnalysed } from '../../../services/controller/prepare.ts';
import { openSpace } from '../../../services/core/planning/search/search.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { bitRate, millicores } from '../../emulate/units.ts';
import { naturalRange, randomInput } from '../../input.ts';
import { print, table } from '../../output.ts';
import { NETWORKS } from '../../zoo/networks.ts';
import { writeNetwork } from '../../zoo/write-network.ts';
import { emulatedFleet } from '../emulated/fleet.ts';
import { medianInterval } from '../emulated/interval.ts';
import { planText } from '../emulated/plan-text.ts';
import { type BenchReport, median, rounded } from '../report.ts';
import { type Cell, chosenCells } from './cells.ts';
import { type CellPlan, plansFor } from './plans.ts';
import { plot } from './plot.ts';
import { blocksText, DEVICES, type PlanRun, Rig, SETTINGS } from './rig.ts';
import { type CellResult, targetsOf } from './targets.ts';

export interface HotEdgeFlags {
  /** `200mbit,250m`; absent: all. */
  readonly cells?: string | undefined;
  /** Instead of each cell's own number. */
  readonly repetitions?: number | undefined;
  /** Where the picture goes. */
  readonly svg?: string | undefined;
}

const SEED = 1;
/** Share of a processor that the profile is given for. */
const QUOTA = 0.25;

export async function benchHotEdge(flags: HotEdgeFlags): Promise<BenchReport> {
  const cells = chosenCells(flags.cells);
  const vgg16 = NETWORKS.find(({ name }) => name === 'vgg16');
  if (vgg16 === undefined) throw new Error('the zoo has no vgg16');
  const { file } = await writeNetwork(vgg16, cacheFolder('models'), { seed: SEED });
  const model = await openAnalysed(file, {});
  const inputs = randomInput(model.graph.inputs, naturalRange(SETTINGS), SEED);
  const deps = {
    model,
    space: openSpace(model.graph, model.analysis),
    blobs: new BlobCache({ folder: cacheFolder('blobs') }),
  };
  const rig = new Rig();
  const started = performance.now();
  try {
    const profile = await rig.start({ path: file, inputs }, { device: 'alone', quota: QUOTA, model: file });
    const prepared = new Map<Cell, CellPlan[]>();
    for (const cell of cells) {
      const share = millicores(cell.cpu);
      const fleet = emulatedFleet({
        profile,
        quota: QUOTA,
        devices: DEVICES,
        millicores: share,
        hubMillicores: share,
        bitsPerSecond: bitRate(cell.link),
        hubComputes: true,
      });
      const plans = await plansFor(deps, fleet, `${cell.link}-${cell.cpu}`);
      for (const { prepared: plan } of plans) await rig.deploy(plan);
      prepared.set(cell, plans);
    }
    print(`seeded in ${Math.round((performance.now() - started) / 1000)} s`);
    const results: CellResult[] = [];
    for (const [cell, plans] of prepared)
      results.push(...(await measure(rig, cell, plans, inputs, flags.repetitions)));
    const svg = flags.svg ?? 'hotedge.svg';
    writeFileSync(svg, plot(results));
    print(`picture: ${svg}; the whole bench took ${Math.round((performance.now() - started) / 1000)} s`);
    return {
      bench: 'hotedge',
      cells: results.map(({ link, cpu, plan, medianMs, ci95, n }) => ({
        link,
        cpu,
        plan,
        medianMs,
        ci95,
        n,
      })),
      targets: targetsOf(results),
    };
  } finally {
    await rig.stop();
  }
}

/** Runs all plans of a cell in turns. */
async function measure(
  rig: Rig,
  cell: Cell,
  plans: readonly CellPlan[],
  inputs: readonly TensorData[],
  repetitions = cell.repetitions,
): Promise<CellResult[]> {
  const { link, cpu } = cell;
  rig.limit(millicores(cpu), bitRate(link));
  // Uncounted: whoever waits for answers learns how long they take here.
  for (const { prepared } of plans) await rig.frame(prepared.plan.pipeline, inputs);
  const bare: number[] = [];
  const runs = new Map<CellPlan, PlanRun[]>(plans.map((plan) => [plan, []]));
  for (let done = 0; done < repetitions; done++) {
    bare.push(await rig.bare());
    for (const plan of plans) runs.get(plan)?.push(await rig.frame(plan.prepared.plan.pipeline));
  }
  const result = (plan: string, times: readonly number[]): CellResult => {
    const [low, high] = medianInterval(times);
    const ci95 = [rounded(low), rounded(high)] as const;
    return { link, cpu, plan, medianMs: rounded(median(times)), ci95, n: times.length };
  };
  const results = [result('all-in-one', bare)];
  const rows: (string | number)[][] = [];
  for (const [plan, all] of runs) {
    const one = result(
      plan.plan,
      all.map(({ roundTripMs }) => roundTripMs),
    );
    const typical = [...all].sort((a, b) => a.roundTripMs - b.roundTripMs)[all.length >> 1] as PlanRun;
    const hubMs = rounded(median(all.map((run) => run.hubMs)));
    rows.push([
      plan.plan,
      plan.strategy,
      rounded(plan.predictedMs),
      hubMs,
      blocksText(typical.timing.blocks),
    ]);
    print(`${plan.plan}: ${planText(plan.prepared)}`);
    results.push(one);
  }
  const alone = results[0]?.medianMs ?? Number.NaN;
  print(`\n${link}, ${cpu}`);
  const share = (ms: number): string =>
    `${ms <= alone ? '-' : '+'}${Math.abs(100 - (100 * ms) / alone).toFixed(1)} %`;
  print(
    table(
      ['plan', 'median ms', '95 %', 'n', 'against all-in-one'],
      results.map(({ plan, medianMs, ci95, n }) => [plan, medianMs, ci95.join(' - '), n, share(medianMs)]),
    ),
  );
  print(table(['plan', 'strategy', 'predicted ms', 'hub processor ms', 'blocks, ms (slowest task)'], rows));
  return results;
}
