/** Plans one network for a stream on some of the devices, rolls the plan out, and measures it in a closed loop. */

import { type PreparedPlan, prepareDraft } from '../../../services/controller/prepare.ts';
import type { Fleet } from '../../../services/core/planning/cost/fleet.ts';
import type { Draft } from '../../../services/core/planning/draft.ts';
import { search } from '../../../services/core/planning/search/search.ts';
import { simulate } from '../../../services/core/planning/simulate/simulate.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { bitRate, millicores } from '../../emulate/units.ts';
import { bytes, print } from '../../output.ts';
import { emulatedFleet } from '../emulated/fleet.ts';
import { medianInterval } from '../emulated/interval.ts';
import { framesFor, loopRate } from '../emulated/loop-rate.ts';
import type { BenchNetwork } from '../emulated/network.ts';
import { dropCached, filesOf } from '../emulated/page-cache.ts';
import { planText } from '../emulated/plan-text.ts';
import type { Loop, Rig } from '../emulated/rig.ts';
import { median } from '../report.ts';
import { CPU, HUB_CPU, LINK } from './conditions.ts';
import type { Memory, StreamResult } from './targets.ts';

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
}

export interface StreamsDeps {
  readonly rig: Rig;
  readonly network: BenchNetwork;
  readonly profile: Profile;
  readonly memory: Memory;
}

/** Seconds of a loop that count. */
const LOOP_SECONDS = 8;
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
    const { weightBytes, peakBytes } = deps.network;
    this.#roomBytes = deps.memory === 'ample' ? undefined : Math.round((weightBytes + peakBytes) / 2);
  }

  async start(): Promise<void> {
    const { rig, network } = this.#deps;
    rig.cluster.unlimit();
    await rig.load({ path: network.file, inputs: network.bareInputs });
    await rig.startServices();
    // Before anything of a model was there: caches of files that a device wrote or maps count as its memory.
    for (const device of rig.cluster.devices) {
      rig.cluster.resetPeak(device);
      this.#empty.set(device, rig.cluster.peakMemory(device));
    }
  }

  /** Undefined where no plan fits the devices. */
  async measure(count: number, repetitions: number): Promise<MeasuredStream | undefined> {
    const { rig, network, memory } = this.#deps;
    const fleet = this.#fleet(count);
    const draft = this.#plan(fleet, count);
    if (draft === undefined) return undefined;
    const { inFlight, strategy } = draft;
    const frames = SIMULATED_ROUNDS * inFlight;
    const simulated = simulate(draft.blocks, fleet, { frames, inFlight, binding: 'late' });
    const pipeline = `${network.model.name}-${count}-${memory}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
    const prepared = await prepareDraft(network.model, pipeline, draft, this.#blobs);
    print(
      `${pipeline}: ${strategy}, ${planText(prepared)}; ${inFlight} in flight; bottleneck ${draft.predicted.bottleneck}, simulated ${simulated.bottleneck}`,
    );
    if (!(await this.#deploy(prepared, inFlight, count))) {
      print(`${pipeline}: loaded, the workers hold more than they may`);
      await rig.withdraw(pipeline);
      return undefined;
    }
    const loops: Loop[] = [];
    const alone: number[] = [];
    const wanted = framesFor(simulated.framesPerSecond, LOOP_SECONDS, { inFlight, devices: count });
    // Uncounted: whoever waits for answers learns how long they take here.
    await rig.loop(pipeline, inFlight, inFlight);
    for (let done = 0; done < repetitions; done++) {
      loops.push(await rig.loop(pipeline, wanted, inFlight));
      for (let run = 0; run < BARE_RUNS; run++) alone.push(await rig.bare());
    }
    if (memory === 'limited') this.#showMemory('running', devicesOf(count));
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
    };
  }

  #fleet(count: number): Fleet {
    const cpu = millicores(CPU);
    return emulatedFleet({
      profile: this.#deps.profile,
      quota: cpu / 1000,
      devices: devicesOf(count),
      millicores: cpu,
      hubMillicores: millicores(HUB_CPU),
      bitsPerSecond: bitRate(LINK),
      roomBytes: this.#roomBytes,
    });
  }

  #plan(fleet: Fleet, count: number): Draft | undefined {
    try {
      return search(this.#deps.network.space, fleet, { objective: 'throughput' }).best;
    } catch (error) {
      if (!(error instanceof TilepipeError) || error.code !== 'plan-impossible') throw error;
      print(`${this.#deps.network.model.name} on ${count}, ${this.#deps.memory}: ${error.message}`);
      return undefined;
    }
  }

  /** False where the workers hold more than they may, before any frame. */
  async #deploy(prepared: PreparedPlan, inFlight: number, count: number): Promise<boolean> {
    const { rig, network } = this.#deps;
    const { cluster } = rig;
    const devices = devicesOf(count);
    const rollOut = (): Promise<void> =>
      rig.deploy(prepared, network.settings, { inFlight, inputs: network.inputs });
    cluster.unlimit();
    await rig.seed(prepared, this.#blobs);
    await rollOut();
    if (this.#roomBytes !== undefined) {
      // The first time seeded the optimised forms; processes that made them keep what it took.
      await rig.withdraw(prepared.plan.pipeline);
      await rig.stopWorkers();
      dropCached(filesOf(prepared, this.#blobs));
      await rig.startWorkers();
      await rollOut();
      this.#showMemory('loaded', devices);
      for (const device of devices)
        cluster.setMemory(device, (this.#empty.get(device)?.group ?? 0) + this.#roomBytes);
    }
    try {
      cluster.limit();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
      return false;
    }
    for (const device of devices) cluster.resetPeak(device);
    return true;
  }

  #showMemory(when: string, devices: readonly string[]): void {
    const lines = devices.map((device) => {
      const { group, resident } = this.#deps.rig.cluster.peakMemory(device);
      const empty = this.#empty.get(device) ?? { group: 0, resident: 0 };
      return `${bytes(group - empty.group)} (${bytes(resident - empty.resident)})`;
    });
    print(
      `${when}, beyond an empty worker, charged (resident) at most: ${lines.join(', ')}; allowed: ${bytes(this.#roomBytes ?? 0)}`,
    );
  }
}

function devicesOf(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `device-${at + 1}`);
}
