/**
 * `npm run bench -- prediction`: plans that nothing was fitted to, by hand and searched, on two to six devices, equal
 * and not, on links of 5 to 200 Mbit/s: what the profile of a device says they take, and what they take.
 */

import { writeFileSync } from 'node:fs';
import { prepareDraft } from '../../../services/controller/prepare.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { HUB } from '../../emulate/cluster.ts';
import { bitRate, millicores } from '../../emulate/units.ts';
import { print, table } from '../../output.ts';
import { chosenValues } from '../emulated/cell-names.ts';
import { emulatedFleet } from '../emulated/fleet.ts';
import { LEAST_FOR_INTERVAL, medianInterval } from '../emulated/interval.ts';
import { type BenchNetwork, openNetwork } from '../emulated/network.ts';
import { planText } from '../emulated/plan-text.ts';
import { plausibleProfile } from '../emulated/plausible-profile.ts';
import { Rig } from '../emulated/rig.ts';
import { Stopwatch } from '../emulated/stopwatch.ts';
import { type BenchReport, rounded } from '../report.ts';
import { casesOf, type PredictedCase } from './cases.ts';
import { devicesUsed, expectedPlan } from './drafts.ts';
import { PREDICTED_NETWORKS } from './networks.ts';
import { plot } from './plot.ts';
import { errorPercent, errorsOf, errorText, type PredictionResult, predictionTargets } from './targets.ts';

export interface PredictionFlags {
  /** `vgg16-96,mixed-256`; absent: all networks. */
  readonly cells?: string | undefined;
  /** Frames of each plan for each that is under way; absent: eight. */
  readonly repetitions?: number | undefined;
  /** Where the picture goes. */
  readonly svg?: string | undefined;
}

const DEVICES = ['device-1', 'device-2', 'device-3', 'device-4', 'device-5', 'device-6'] as const;
/** Of the device that is profiled; the others' figures are its, by their shares. */
const CPU = '200m';
const HUB_CPU = '300m';
const LINK = '200mbit';
const REPETITIONS = 8;
export const PREDICTION_CELLS = { network: PREDICTED_NETWORKS.map(({ name }) => name) };
/** The first answers teach the dispatchers how long they take. */
const UNCOUNTED = 3;

interface Subject {
  readonly network: BenchNetwork;
  readonly profile: Profile;
}

export async function benchPrediction(flags: PredictionFlags): Promise<BenchReport> {
  const { network: chosen } = chosenValues(flags.cells, PREDICTION_CELLS);
  const watch = new Stopwatch();
  const rig = new Rig({ devices: DEVICES, cpu: CPU, hubCpu: HUB_CPU, link: LINK, sharedForms: true });
  const results: PredictionResult[] = [];
  try {
    await rig.start();
    const subjects = new Map<string, Subject>();
    for (const name of chosen) {
      const drawn = PREDICTED_NETWORKS.find((each) => each.name === name);
      if (drawn === undefined) continue;
      const network = await openNetwork(drawn);
      subjects.set(name, { network, profile: await plausibleProfile(rig, network) });
    }
    rig.cluster.unlimit();
    await rig.startServices();
    const blobs = new BlobCache({ folder: cacheFolder('blobs') });
    for (const [at, each] of casesOf(chosen).entries()) {
      const subject = subjects.get(each.network);
      if (subject === undefined) continue;
      const deps = { rig, blobs, pipeline: `plan-${at + 1}`, repetitions: flags.repetitions ?? REPETITIONS };
      results.push(await measured(deps, subject, each));
    }
  } finally {
    await rig.stop();
  }
  show(results);
  const svg = flags.svg ?? 'prediction.svg';
  writeFileSync(svg, plot(results));
  print(`picture: ${svg}`);
  return {
    bench: 'prediction',
    cells: results.map(cellOf),
    targets: [...predictionTargets(results), watch.total],
  };
}

interface Deps {
  readonly rig: Rig;
  readonly blobs: BlobCache;
  readonly pipeline: string;
  readonly repetitions: number;
}

async function measured(
  deps: Deps,
  { network, profile }: Subject,
  each: PredictedCase,
): Promise<PredictionResult> {
  const { rig, blobs, pipeline, repetitions } = deps;
  const ids = DEVICES.slice(0, each.devices.length);
  const unequal = Object.fromEntries(ids.map((id, at) => [id, each.devices[at] ?? millicores(CPU)]));
  const fleet = emulatedFleet({
    profile,
    quota: millicores(CPU) / 1000,
    devices: ids,
    millicores: millicores(CPU),
    unequal,
    hubMillicores: millicores(HUB_CPU),
    bitsPerSecond: bitRate(each.link),
  });
  const shares = {
    hub: millicores(HUB_CPU) / 1000,
    devices: Object.fromEntries(ids.map((id) => [id, (unequal[id] ?? 0) / 1000])),
  };
  const expected = expectedPlan(network.space, fleet, each, shares);
  const { draft, inFlight, simulatedMs, searchedMs } = expected;
  const prepared = await prepareDraft(network.model, pipeline, draft, blobs);
  rig.cluster.unlimit();
  await rig.seed(prepared, blobs);
  await rig.deploy(prepared, network.settings, { inFlight, inputs: network.inputs });
  for (const id of ids) rig.cluster.setCpu(id, unequal[id]);
  for (const id of [HUB, ...ids]) rig.cluster.setLink(id, bitRate(each.link));
  rig.cluster.limit();
  await rig.loop(pipeline, UNCOUNTED * inFlight, inFlight);
  // The frames that begin together and those that end alone are not those of a steady stream.
  const edge = inFlight === 1 ? 0 : inFlight;
  const { ended, hubMs, devicesMs } = await rig.loop(pipeline, repetitions * inFlight + 2 * edge, inFlight);
  const steady = ended.slice(edge, ended.length - edge);
  const times = steady.map(({ totalMs }) => totalMs);
  await rig.withdraw(pipeline);
  const result = {
    network: each.network,
    plan: each.plan,
    devices: devicesUsed(draft),
    link: each.link,
    inFlight,
    measuredMs: median(times),
    roundTripMs: median(steady.map(({ roundTripMs }) => roundTripMs)),
    taskMs: median(steady.map(({ slowestMs }) => slowestMs)),
    expectedTaskMs: expected.taskMs,
    used: { hubMs: hubMs / ended.length, devicesMs: devicesMs / ended.length },
    expected: expected.processors,
    interval: medianInterval(times),
    n: times.length,
    simulatedMs,
    searchedMs,
  };
  print(
    `${each.network}, ${each.plan} (${planText(prepared)}): ${Math.round(simulatedMs)} ms simulated, ${Math.round(result.measuredMs)} seen`,
  );
  return result;
}

function cellOf(result: PredictionResult): BenchReport['cells'][number] {
  const { network, plan, devices, link, inFlight, n, interval } = result;
  return {
    network,
    plan,
    devices,
    link,
    inFlight,
    medianMs: rounded(result.measuredMs),
    [n < LEAST_FOR_INTERVAL ? 'range' : 'ci95']: interval.map(rounded),
    n,
    simulatedMs: rounded(result.simulatedMs),
    errorPercent: rounded(errorPercent(result.simulatedMs, result)),
    searchedMs: rounded(result.searchedMs),
    roundTripMs: rounded(result.roundTripMs),
    taskMs: rounded(result.taskMs),
    expectedTaskMs: rounded(result.expectedTaskMs),
    hubMs: rounded(result.used.hubMs),
    expectedHubMs: rounded(result.expected.hubMs),
    devicesMs: rounded(result.used.devicesMs),
    expectedDevicesMs: rounded(result.expected.devicesMs),
  };
}

const HEADS = ['network', 'plan', 'devices', 'link', 'in flight', 'measured, ms', 'n'] as const;
const ERRORS = ['simulated', 'off by', 'searched', 'slowest tasks', 'hub', 'devices', 'with camera'] as const;

function show(results: readonly PredictionResult[]): void {
  const percent = (predicted: number, result: PredictionResult): string =>
    `${errorPercent(predicted, result).toFixed(1)} %`;
  const against = (seen: number, expected: number): string => `${Math.round(seen)} (${Math.round(expected)})`;
  print('In parentheses what was expected; hub and devices in milliseconds of processors, by frame.');
  print(
    table(
      [...HEADS, ...ERRORS],
      results.map((result) => [
        result.network,
        result.plan,
        result.devices,
        result.link,
        result.inFlight,
        rounded(result.measuredMs),
        result.n,
        rounded(result.simulatedMs),
        percent(result.simulatedMs, result),
        result.inFlight === 1 ? percent(result.searchedMs, result) : '',
        against(result.taskMs, result.expectedTaskMs),
        against(result.used.hubMs, result.expected.hubMs),
        against(result.used.devicesMs, result.expected.devicesMs),
        rounded(result.roundTripMs),
      ]),
    ),
  );
  const { simulator, search } = errorsOf(results);
  print(`simulator: ${errorText(simulator)}`);
  if (search.length > 0) print(`search, one frame at a time: ${errorText(search)}`);
}
