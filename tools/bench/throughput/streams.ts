/** Plans one network for a stream on some of the devices, rolls the plan out, and measures it in a closed loop. */

import { type PreparedPlan, prepareDraft } from '../../../services/controller/prepare.ts';
import type { Fleet } from '../../../services/core/planning/cost/fleet.ts';
import type { Draft } from '../../../services/core/planning/draft.ts';
import { search } from '../../../services/core/planning/search/search.ts';
import { simulate } from '../../../services/core/planning/simulate/simulate.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { bitRate, millicores } from '../../emulate/units.ts';
import { bytes, print } from '../../output.ts';
import { emulatedFleet } from '../emulated/fleet.ts';
import { medianInterval } from '../emulated/interval.ts';
import { framesFor, loopRate } from '../emulated/loop-rate.ts';
import type { BenchNetwork } from '../emulated/network.ts';
import { dropCached, filesBelow, filesOf } from '../emulated/page-cache.ts';
import { planText } from '../emulated/plan-text.ts';
import { type Loop, type Rig, WorkerKilled } from '../emulated/rig.ts';
import { loadTuned } from '../emulated/tuned-bare.ts';
import { CPU, HUB_CPU, LINK } from './conditions.ts';
import type { FailedStream, Memory, StreamResult } from './targets.ts';

/** A stream that was measured. */
export interface MeasuredStream extends StreamResult {
  readonly strategy: string;
  readonly inFlight: number;
  /** Of the frames per second: 95 % interval of the median; below six loops the range. */
  readonly interval: readonly [number, number];
  readonly n: number;
  readonly latencyMs: number;
  /** Share of its quota. */
  readonly hubUse: number;
  /** Processor milliseconds of all devices together, by frame. */
  readonly deviceMs: number;
  /** Bytes beyond an empty worker's, of the device with most; undefined where memory is ample. */
  readonly held: Held | undefined;
}

/** What devices with a limit held. */
export interface Held {
  /** As the kernel charged them, at most; what it may take back at any time is among it. */
  readonly charged: number;
  readonly resident: number;
  readonly allowed: number;
  /** Processes that were killed for it. */
  readonly killed: number;
}

export interface StreamsDeps {
  readonly rig: Rig;
  readonly network: BenchNetwork;
  readonly profile: Profile;
  readonly memory: Memory;
}

/** Bytes each device has beyond an empty worker's: half of the weights, and the activations at their peak. */
export function roomOf(memory: Memory, { weightBytes, peakBytes }: BenchNetwork): number | undefined {
  return memory === 'ample' ? undefined : Math.round(weightBytes / 2 + peakBytes);
}

/** The machines a plan is made for. */
export function streamFleet({ network, profile, memory }: Omit<StreamsDeps, 'rig'>, count: number): Fleet {
  const cpu = millicores(CPU);
  return emulatedFleet({
    profile,
    quota: cpu / 1000,
    devices: devicesOf(count),
    millicores: cpu,
    hubMillicores: millicores(HUB_CPU),
    bitsPerSecond: bitRate(LINK),
    roomBytes: roomOf(memory, network),
    lean: memory === 'limited',
  });
}

/** The best plan for a stream; a message where none fits. */
export function planStream({ space }: BenchNetwork, fleet: Fleet): Draft | string {
  try {
    return search(space, fleet, { objective: 'throughput' }).best;
  } catch (error) {
    if (!(error instanceof TilepipeError) || error.code !== 'plan-impossible') throw error;
    return error.message;
  }
}

/** Seconds of a loop that count. */
const LOOP_SECONDS = 6;
/** Bare runs after each loop. */
const BARE_RUNS = 2;
/** Frames of a simulation for each that is under way. */
const SIMULATED_ROUNDS = 10;

export class Streams {
  readonly #deps: StreamsDeps;
  readonly #blobs = new BlobCache({ folder: cacheFolder('blobs') });
  readonly #roomBytes: number | undefined;
  /** Memory of workers without a plan. */
  readonly #empty = new Map<string, { readonly group: number; readonly resident: number }>();

  constructor(deps: StreamsDeps) {
    this.#deps = deps;
    this.#roomBytes = roomOf(deps.memory, deps.network);
  }

  /** Of its workers: lean where their memory is limited, before they have a plan as with one. */
  get #flags(): readonly string[] {
    return this.#deps.memory === 'limited' ? ['--lean'] : [];
  }

  async start(): Promise<void> {
    const { rig, network } = this.#deps;
    await loadTuned(rig, { path: network.file, inputs: network.bareInputs });
    rig.cluster.unlimit();
    await rig.startServices(this.#flags);
    await rig.cluster.whenQuiet();
    // Before anything of a model was there: caches of files that a device wrote or maps count as its memory.
    for (const device of rig.cluster.devices) {
      rig.cluster.resetPeak(device);
      this.#empty.set(device, rig.cluster.peakMemory(device));
    }
  }

  /** A stream by a plan, in a closed loop; why there is none where its workers need more memory than they have. */
  async measure(draft: Draft, count: number, repetitions: number): Promise<MeasuredStream | FailedStream> {
    try {
      return await this.#measure(draft, count, repetitions);
    } catch (error) {
      const lacking = error instanceof TilepipeError && error.code === 'memory-exceeded';
      if (!lacking && !(error instanceof WorkerKilled)) throw error;
      const { network, memory } = this.#deps;
      this.#showMemory('until then', devicesOf(count));
      return { network: network.model.name, devices: count, memory, reason: error.message };
    }
  }

  async #measure(draft: Draft, count: number, repetitions: number): Promise<MeasuredStream> {
    const { rig, network, memory } = this.#deps;
    const { inFlight, strategy } = draft;
    const frames = SIMULATED_ROUNDS * inFlight;
    const fleet = streamFleet(this.#deps, count);
    const simulated = simulate(draft.blocks, fleet, { frames, inFlight, binding: 'late' });
    const pipeline = `${network.model.name}-${count}-${memory}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
    const prepared = await prepareDraft(network.model, pipeline, draft, this.#blobs);
    print(
      `${pipeline}: ${strategy}, ${planText(prepared)}; ${inFlight} in flight; bottleneck ${draft.predicted.bottleneck}, simulated ${simulated.bottleneck}`,
    );
    await this.#deploy(prepared, inFlight, count);
    const loops: Loop[] = [];
    const alone: number[] = [];
    const wanted = framesFor(simulated.framesPerSecond, LOOP_SECONDS, { inFlight, devices: count });
    // Uncounted: every device has allocated, and whoever waits for answers knows how long they take here.
    const first = Math.min(inFlight, 2 * count);
    await rig.loop(pipeline, first, first);
    for (let done = 0; done < repetitions; done++) {
      loops.push(await rig.loop(pipeline, wanted, inFlight));
      for (let run = 0; run < BARE_RUNS; run++) alone.push(await rig.bare());
    }
    const held = memory === 'limited' ? this.#showMemory('running', devicesOf(count)) : undefined;
    await rig.withdraw(pipeline);
    const rates = loops.map(({ ended }) => loopRate(ended, inFlight));
    return {
      network: network.model.name,
      devices: count,
      memory,
      strategy,
      inFlight,
      framesPerSecond: median(rates),
      interval: medianInterval(rates),
      n: rates.length,
      aloneFramesPerSecond: 1000 / median(alone),
      simulatedFramesPerSecond: simulated.framesPerSecond,
      latencyMs: median(loops.flatMap(({ ended }) => ended.map(({ roundTripMs }) => roundTripMs))),
      hubUse: median(loops.map(({ hubUse }) => hubUse)),
      deviceMs: median(loops.map(({ devicesMs, ended }) => devicesMs / ended.length)),
      held,
    };
  }

  /** Rolls out and limits. Throws `memory-exceeded` where the workers hold more than they may, before any frame. */
  async #deploy(prepared: PreparedPlan, inFlight: number, count: number): Promise<void> {
    const { rig, network } = this.#deps;
    const { cluster } = rig;
    const devices = devicesOf(count);
    const rollOut = (): Promise<void> =>
      rig.deploy(prepared, network.settings, { inFlight, inputs: network.inputs });
    cluster.unlimit();
    await rig.seed(prepared, this.#blobs);
    await rollOut();
    if (this.#roomBytes !== undefined) {
      // The first time brought the weights and made the optimised forms; processes that did so keep what it took.
      await rig.withdraw(prepared.plan.pipeline);
      await rig.stopWorkers();
      const own = devices.flatMap((device) => filesBelow(cluster.cacheOf(device)));
      dropCached([...filesOf(prepared, this.#blobs), ...own]);
      await rig.startWorkers(this.#flags);
      await rollOut();
      this.#showMemory('loaded', devices);
      for (const device of devices)
        cluster.setMemory(device, (this.#empty.get(device)?.group ?? 0) + this.#roomBytes);
    }
    cluster.limit();
    for (const device of devices) cluster.resetPeak(device);
  }

  #showMemory(when: string, devices: readonly string[]): Held {
    const { cluster } = this.#deps.rig;
    const allowed = this.#roomBytes ?? 0;
    const held = devices.map((device) => {
      const { group, resident } = cluster.peakMemory(device);
      const empty = this.#empty.get(device) ?? { group: 0, resident: 0 };
      return { charged: group - empty.group, resident: resident - empty.resident };
    });
    const killed = devices.reduce((sum, device) => sum + cluster.outOfMemory(device), 0);
    const lines = held.map(({ charged, resident }) => `${bytes(charged)} (${bytes(resident)})`);
    print(
      `${when}, beyond an empty worker, charged (resident) at most: ${lines.join(', ')}; allowed: ${bytes(allowed)}; killed for memory: ${killed}`,
    );
    return {
      charged: Math.max(...held.map(({ charged }) => charged)),
      resident: Math.max(...held.map(({ resident }) => resident)),
      allowed,
      killed,
    };
  }
}

function devicesOf(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `device-${at + 1}`);
}
