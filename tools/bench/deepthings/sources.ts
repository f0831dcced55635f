/**
 * Several cameras on eight devices: tiles that go to whoever is free, of whatever camera, against two devices for each
 * camera. One pipeline over all devices, bound late, is what stealing comes to; four pipelines on two devices each,
 * every tile bound to its device, are DeepThings' work sharing without it.
 */

import { prepareDraft } from '../../../services/controller/prepare.ts';
import { draftOf } from '../../../services/core/planning/search/fixed.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { gridCover } from '../../../services/core/tiling/cover.ts';
import { bitRate, millicores } from '../../emulate/units.ts';
import { print } from '../../output.ts';
import { yolov2First } from '../../zoo/yolov2.ts';
import { emulatedFleet } from '../emulated/fleet.ts';
import { framesFor, loopRate } from '../emulated/loop-rate.ts';
import { type BenchNetwork, benchNetwork, openNetwork } from '../emulated/network.ts';
import { planText } from '../emulated/plan-text.ts';
import { plausibleProfile } from '../emulated/plausible-profile.ts';
import { Rig } from '../emulated/rig.ts';
import { arrivalsOf, type SourceLoad } from './arrivals.ts';
import { CPU, LINK, NETWORK } from './conditions.ts';

/** Enough that it decides neither side. */
const HUB_CPU = '400m';
export const SOURCES = 4;
export const BUSY_TIMES = 8;
const MOVE_MS = 20_000;
const STEADY_MS = 30_000;
/** Of equal sources, before anything counts: until the devices are busy. */
const LEAD_MS = 5000;
const DEVICES = Array.from({ length: 2 * SOURCES }, (_, at) => `device-${at + 1}`);
const PER_SOURCE = DEVICES.length / SOURCES;
/** Of the picture: twelve frames a second, where the whole network makes three. */
const SIZE = 304;
/** Both sides together have as many frames under way and waiting; by source. */
const IN_FLIGHT = 3;
const WAITING = 2;
const CAPACITY_SECONDS = 15;

export type Binding = 'stealing' | 'static';
export const BINDINGS = ['static', 'stealing'] as const;

/** One stretch between two moves of the busy source, or a run of steady ones. */
export interface SourcesRun {
  readonly load: 'moving' | 'steady';
  readonly binding: Binding;
  /** Frames of all sources that were answered in it. */
  readonly framesPerSecond: number;
  readonly offeredPerSecond: number;
}

export interface SourcesResult {
  /** Frames per second of all devices in a closed loop. */
  readonly capacity: number;
  /** By repetition and stretch, both bindings in the same order. */
  readonly runs: readonly SourcesRun[];
}

/** Pipelines by binding: the one of all sources, or of each. */
type Pipelines = Readonly<Record<Binding, readonly string[]>>;

/**
 * A rig of its own: eight devices. Plans made by hand are predicted by the profile that the other parts have, of the same
 * layers in other sizes. `known`: that profile, where they have measured it already.
 */
export async function measureSources(repetitions: number, known?: Profile): Promise<SourcesResult> {
  const network = await openNetwork({
    name: `yolov2-16-${SIZE}`,
    summary: `16 layers of YOLOv2 of ${SIZE} x ${SIZE}`,
    draw: () => yolov2First(SIZE),
  });
  const rig = new Rig({ devices: DEVICES, cpu: CPU, hubCpu: HUB_CPU, link: LINK, sharedForms: true });
  try {
    await rig.start();
    const profile = known ?? (await plausibleProfile(rig, await benchNetwork(NETWORK)));
    rig.cluster.unlimit();
    await rig.startServices();
    const fleet = emulatedFleet({
      profile,
      quota: millicores(CPU) / 1000,
      devices: DEVICES,
      millicores: millicores(CPU),
      hubMillicores: millicores(HUB_CPU),
      bitsPerSecond: bitRate(LINK),
    });
    const pipelines = await deployed(rig, network, (devices, late) =>
      draftOf(network.space, fleet, { cuts: [], covers: gridCover(PER_SOURCE, 1), devices, late }),
    );
    rig.cluster.limit();
    return await measured(rig, pipelines, repetitions);
  } finally {
    await rig.stop();
  }
}

async function deployed(
  rig: Rig,
  network: BenchNetwork,
  draft: (devices: readonly string[], late: boolean) => ReturnType<typeof draftOf>,
): Promise<Pipelines> {
  const blobs = new BlobCache({ folder: cacheFolder('blobs') });
  const deploy = async (pipeline: string, devices: readonly string[], late: boolean): Promise<string> => {
    const prepared = await prepareDraft(network.model, pipeline, draft(devices, late), blobs);
    await rig.seed(prepared, blobs);
    const times = late ? SOURCES : 1;
    const stream = { inFlight: times * IN_FLIGHT, maxWaiting: times * WAITING, inputs: network.inputs };
    await rig.deploy(prepared, network.settings, stream);
    print(
      `${pipeline}: ${planText(prepared)}${late ? ', each to whoever is free' : ''}, on ${devices.join(', ')}`,
    );
    return pipeline;
  };
  const stealing = [await deploy('stealing', DEVICES, true)];
  const own: string[] = [];
  for (let source = 0; source < SOURCES; source++) {
    const devices = DEVICES.slice(PER_SOURCE * source, PER_SOURCE * (source + 1));
    own.push(await deploy(`static-${source + 1}`, devices, false));
  }
  return { stealing, static: own };
}

async function measured(rig: Rig, pipelines: Pipelines, repetitions: number): Promise<SourcesResult> {
  const [all = ''] = pipelines.stealing;
  const inFlight = SOURCES * IN_FLIGHT;
  // Uncounted: whoever waits for answers learns how long they take here.
  for (const pipeline of pipelines.static) await rig.loop(pipeline, IN_FLIGHT, IN_FLIGHT);
  const { ended: first } = await rig.loop(all, 3 * inFlight, inFlight);
  const frames = framesFor(loopRate(first, inFlight), CAPACITY_SECONDS, {
    inFlight,
    devices: DEVICES.length,
  });
  const { ended, hubUse } = await rig.loop(all, frames, inFlight);
  const capacity = loopRate(ended, inFlight);
  print(
    `${DEVICES.length} devices: ${capacity.toFixed(2)} frames/s, the hub ${Math.round(100 * hubUse)} % busy`,
  );
  const common = { sources: SOURCES, framesPerSecond: capacity };
  const moving = { ...common, busyTimes: BUSY_TIMES, moveMs: MOVE_MS, durationMs: SOURCES * MOVE_MS };
  const steady = { ...common, busyTimes: 1, moveMs: STEADY_MS, durationMs: STEADY_MS };
  const runs: SourcesRun[] = [];
  for (let done = 0; done < repetitions; done++) {
    // Neither side is always the first: what else the machine does changes with time.
    const order = done % 2 === 0 ? BINDINGS : [...BINDINGS].reverse();
    for (const binding of order) runs.push(...(await stretches(rig, pipelines, binding, 'moving', moving)));
    for (const binding of order) runs.push(...(await stretches(rig, pipelines, binding, 'steady', steady)));
  }
  return { capacity, runs };
}

async function stretches(
  rig: Rig,
  pipelines: Pipelines,
  binding: Binding,
  name: SourcesRun['load'],
  load: SourceLoad,
): Promise<SourcesRun[]> {
  const own = pipelines[binding];
  const lead = { ...load, busyTimes: 1, moveMs: LEAD_MS, durationMs: LEAD_MS };
  const all = [
    ...arrivalsOf(lead),
    ...arrivalsOf(load).map(({ source, at }) => ({ source, at: LEAD_MS + at })),
  ];
  const arrivals = all.map(({ source, at }) => ({
    at,
    pipeline: own[source % own.length] ?? '',
  }));
  const ended = await rig.clocked(arrivals, LEAD_MS + load.durationMs);
  const runs: SourcesRun[] = [];
  for (let from = LEAD_MS; from < LEAD_MS + load.durationMs; from += load.moveMs) {
    const until = from + load.moveMs;
    const within = (at: number): boolean => at >= from && at < until;
    runs.push({
      load: name,
      binding,
      framesPerSecond: (1000 * ended.filter(({ endedAt }) => within(endedAt)).length) / load.moveMs,
      offeredPerSecond: (1000 * arrivals.filter(({ at }) => within(at)).length) / load.moveMs,
    });
  }
  const waits = median(ended.map(({ roundTripMs }) => roundTripMs));
  print(
    `${name}, ${binding}: ${runs.map(({ framesPerSecond }) => framesPerSecond.toFixed(2)).join(', ')} frames/s of ${load.framesPerSecond.toFixed(2)} offered; median round trip ${Math.round(waits)} ms`,
  );
  return runs;
}

/** Stealing over static, stretch by stretch. */
export function ratiosOf({ runs }: SourcesResult, load: SourcesRun['load']): number[] {
  const of = (binding: Binding): SourcesRun[] =>
    runs.filter((run) => run.load === load && run.binding === binding);
  const own = of('static');
  return of('stealing').map(
    ({ framesPerSecond }, at) => framesPerSecond / (own[at]?.framesPerSecond ?? Number.NaN),
  );
}

/** Frames of all stretches together: stealing over static. */
export function gainOf({ runs }: SourcesResult, load: SourcesRun['load']): number {
  const sum = (binding: Binding): number =>
    runs
      .filter((run) => run.load === load && run.binding === binding)
      .reduce((total, { framesPerSecond }) => total + framesPerSecond, 0);
  return sum('stealing') / sum('static');
}
