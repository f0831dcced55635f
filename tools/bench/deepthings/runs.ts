/** Runs DeepThings' plans on the emulated cluster: their times, and what the devices hold meanwhile. */

import { type PreparedPlan, prepareDraft } from '../../../services/controller/prepare.ts';
import type { Fleet } from '../../../services/core/planning/cost/fleet.ts';
import { WORKER_OVERHEAD } from '../../../services/core/planning/cost/worker-memory.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { extents } from '../../../services/core/tensor/region.ts';
import { bitRate, millicores } from '../../emulate/units.ts';
import { bytes, print } from '../../output.ts';
import { AskedProcess } from '../emulated/asked-process.ts';
import { emulatedFleet } from '../emulated/fleet.ts';
import { medianInterval } from '../emulated/interval.ts';
import { framesFor, loopRate } from '../emulated/loop-rate.ts';
import type { BenchNetwork } from '../emulated/network.ts';
import { planText } from '../emulated/plan-text.ts';
import type { Rig } from '../emulated/rig.ts';
import { median } from '../report.ts';
import { CPU, DEVICES, HUB_CPU, LINK, MEMORY_SHARE } from './conditions.ts';
import type { Held, HeldModel } from './held-process.ts';
import { mappedAgain } from './mapped.ts';
import { mostModels } from './packed.ts';
import {
  type BoundGrid,
  grids,
  type NamedDraft,
  ours,
  oursBounded,
  packedGrid,
  strips,
  untiled,
} from './plans.ts';
import type { MemoryResult, ReuseResult, SpeedResult } from './targets.ts';

export interface RunsDeps {
  readonly rig: Rig;
  readonly network: BenchNetwork;
  readonly profile: Profile;
  readonly repetitions: number;
}

/** Grids that are also run within little memory: DeepThings' own, and one that cuts where maps are small already. */
const BOUND_GRIDS: readonly BoundGrid[] = [
  { cuts: [], rows: 5, columns: 5 },
  { cuts: ['pool3'], rows: 6, columns: 4 },
];
/** Frames under way in a stream of strips, and how long it is looked at. */
const STREAM = 4;
const STREAM_SECONDS = 12;

/** The search counts a sub-model for every pad pattern of two blocks' tiles; bound tiles need about four of them. */
const SPARED_MODELS = 14;

/** Room of a device: what a worker takes that runs anything, and the share of the rest of the untiled run's. */
function boundBytes(plannedBytes: number): number {
  const { runningBytes, subModelBytes } = WORKER_OVERHEAD;
  return runningBytes + SPARED_MODELS * subModelBytes + MEMORY_SHARE * (plannedBytes - runningBytes);
}

export class Runs {
  readonly #deps: RunsDeps;
  readonly #blobs = new BlobCache({ folder: cacheFolder('blobs') });

  constructor(deps: RunsDeps) {
    this.#deps = deps;
  }

  /** All plans on so many devices, in turns. */
  async speed(count: number): Promise<SpeedResult[]> {
    const { rig, network } = this.#deps;
    const fleet = this.#fleet(count);
    const plans: [NamedDraft, string][] = [];
    rig.cluster.unlimit();
    for (const plan of [ours(network.space, fleet), ...grids(network.space, fleet)])
      plans.push([plan, await this.#deploy(plan, count)]);
    rig.cluster.limit();
    const results = await this.#inTurns(plans, count);
    for (const [, pipeline] of plans) await rig.withdraw(pipeline);
    return results;
  }

  /** Strips of all layers on all devices: overlaps computed twice, and taken from the neighbour. */
  async reuse(): Promise<ReuseResult[]> {
    const { rig, network } = this.#deps;
    const fleet = this.#fleet(DEVICES.length);
    rig.cluster.unlimit();
    const plans: [NamedDraft, string][] = [];
    for (const plan of strips(network.space, fleet))
      plans.push([plan, await this.#deploy(plan, DEVICES.length, STREAM)]);
    rig.cluster.limit();
    const alone = await this.#inTurns(plans, DEVICES.length);
    const results: ReuseResult[] = [];
    for (const [at, [{ draft }, pipeline]] of plans.entries()) {
      const frames = framesFor(1000 / (alone[at]?.medianMs ?? 1000), STREAM_SECONDS, {
        inFlight: STREAM,
        devices: 1,
      });
      const { ended, devicesMs } = await rig.loop(pipeline, frames, STREAM);
      const parts = draft.blocks.flatMap((block) => block.parts);
      results.push({
        ...(alone[at] as SpeedResult),
        macs: parts.reduce((sum, { tile }) => sum + tile.macs, 0),
        framesPerSecond: loopRate(ended, STREAM),
        deviceMs: devicesMs / ended.length,
      });
      await rig.withdraw(pipeline);
    }
    return results;
  }

  /**
   * Every plan on new workers that take one task at a time: the peak while frames run, beyond what the same worker took
   * before it had a plan; and what the executor alone takes for the sub-models of the device that has most of them.
   */
  async memory(): Promise<MemoryResult[]> {
    const { space } = this.#deps.network;
    const fleet = this.#fleet(DEVICES.length);
    const first = await this.#held(untiled(space, fleet));
    const results = [first];
    const plans = [
      () => ours(space, fleet),
      ...BOUND_GRIDS.map((grid) => () => packedGrid(space, fleet, grid)),
      () => {
        const bound = boundBytes(first.plannedBytes);
        print(`within ${bytes(bound)} on a device, the worker's own memory at work among them`);
        return oursBounded(space, this.#fleet(DEVICES.length, bound), 'ours, bounded');
      },
    ];
    for (const plan of plans) {
      try {
        results.push(await this.#held(plan()));
      } catch (error) {
        if (!(error instanceof TilepipeError) || error.code !== 'plan-impossible') throw error;
        print(error.message);
      }
    }
    return results.map((result) => ({
      ...result,
      untiledBytes: first.peakBytes,
      untiledExecutorBytes: first.executorBytes,
    }));
  }

  async #held(plan: NamedDraft): Promise<MemoryResult> {
    const { rig } = this.#deps;
    const { cluster } = rig;
    cluster.unlimit();
    const { pipeline, prepared } = await this.#prepared(plan, DEVICES.length);
    // The first time a device makes its optimised forms, and its process keeps what that took: not so ever after.
    await this.#restart();
    await this.#rollOut(prepared, 1);
    const seeding = Math.max(...DEVICES.map((device) => cluster.peakMemory(device).resident));
    await rig.withdraw(pipeline);
    const empty = await this.#restart();
    const above = (): number[] =>
      DEVICES.map((device) => {
        const again = mappedAgain(cluster.pids(device));
        return cluster.peakMemory(device).resident - again - (empty.get(device) ?? 0);
      });
    await this.#rollOut(prepared, 1);
    const loading = Math.max(...above());
    for (const device of DEVICES) cluster.resetPeak(device);
    cluster.limit();
    const [result] = await this.#inTurns([[plan, pipeline]], DEVICES.length);
    const running = above();
    await rig.withdraw(pipeline);
    const executor = await this.#executorAlone(prepared);
    const expected = Object.values(plan.draft.predicted.memoryBytes).map(
      (total) => total - this.#deps.profile.idleBytes,
    );
    const plannedBytes = Math.max(...expected);
    print(
      `${plan.name}: ${mostModels(plan.draft)} sub-models at most on a device; empty ${bytes(Math.max(...empty.values()))}; above it ${running.map(bytes).join(', ')} with frames, ${bytes(loading)} at most while loading (${bytes(seeding)} with all in the process the first time); executor alone ${bytes(executor.peak)}, ${bytes(executor.loaded)} of it loaded; planned ${bytes(plannedBytes)}`,
    );
    if (result === undefined) throw new Error('nothing was measured');
    const peakBytes = Math.max(...running);
    return {
      ...result,
      plannedBytes,
      peakBytes,
      untiledBytes: peakBytes,
      executorBytes: executor.peak,
      untiledExecutorBytes: executor.peak,
    };
  }

  /** New workers that take one task at a time, and what each holds before it has a plan. */
  async #restart(): Promise<ReadonlyMap<string, number>> {
    const { rig } = this.#deps;
    await rig.stopWorkers();
    await rig.startWorkers(['--slots', '1']);
    for (const device of DEVICES) rig.cluster.resetPeak(device);
    return new Map(DEVICES.map((device) => [device, rig.cluster.peakMemory(device).resident]));
  }

  /** In a process of its own, on the device that has most sub-models. */
  async #executorAlone({ plan }: PreparedPlan): Promise<Held> {
    const { cluster } = this.#deps.rig;
    const byDevice = new Map<string, Map<string, HeldModel>>();
    for (const { model, devices = [], inputs } of plan.tasks) {
      if (model === undefined) continue;
      const fed = inputs.map(({ tensor, region }) => ({
        name: tensor,
        dtype: plan.tensors[tensor]?.dtype ?? 'float32',
        shape: extents(region),
      }));
      for (const device of devices) {
        const models = byDevice.get(device) ?? new Map<string, HeldModel>();
        // Sizes of one sub-model differ by a row or two.
        byDevice.set(device, models.set(model, { path: this.#blobs.path(model), inputs: fed }));
      }
    }
    const [most] = [...byDevice.values()].sort((a, b) => b.size - a.size);
    cluster.unlimit();
    const ask = (): Promise<Held> =>
      AskedProcess.on(cluster, DEVICES[0], 'deepthings/held-process').ask<Held>([...(most?.values() ?? [])]);
    // The first process makes the optimised forms, which takes more.
    await ask();
    return await ask();
  }

  async #inTurns(plans: readonly (readonly [NamedDraft, string])[], count: number): Promise<SpeedResult[]> {
    const { rig, repetitions } = this.#deps;
    // Uncounted: whoever waits for answers learns how long they take here.
    for (const [, pipeline] of plans) await rig.loop(pipeline, 1, 1);
    const alone: number[] = [];
    const times = plans.map((): number[] => []);
    for (let done = 0; done < repetitions; done++) {
      alone.push(await rig.bare());
      for (const [at, [, pipeline]] of plans.entries()) {
        const { ended } = await rig.loop(pipeline, 1, 1);
        times[at]?.push(...ended.map(({ roundTripMs }) => roundTripMs));
      }
    }
    return plans.map(([{ name, draft }, pipeline], at) => {
      const own = times[at] ?? [];
      const medianMs = median(own);
      print(
        `${pipeline}: ${Math.round(draft.predicted.latencyMs)} ms expected, ${Math.round(medianMs)} ms seen`,
      );
      return {
        plan: name,
        devices: count,
        medianMs,
        interval: medianInterval(own),
        n: own.length,
        aloneMs: median(alone),
      };
    });
  }

  async #deploy(plan: NamedDraft, count: number, inFlight = 1): Promise<string> {
    const { pipeline, prepared } = await this.#prepared(plan, count);
    await this.#rollOut(prepared, inFlight);
    return pipeline;
  }

  async #prepared(
    { name, draft }: NamedDraft,
    count: number,
  ): Promise<{ pipeline: string; prepared: PreparedPlan }> {
    const pipeline = `${name}-${count}`.replaceAll(/[^a-z0-9]+/g, '-');
    const prepared = await prepareDraft(this.#deps.network.model, pipeline, draft, this.#blobs);
    print(`${pipeline}: ${planText(prepared)}`);
    return { pipeline, prepared };
  }

  async #rollOut(prepared: PreparedPlan, inFlight: number): Promise<void> {
    const { rig, network } = this.#deps;
    await rig.deploy(prepared, network.settings, { inFlight, inputs: network.inputs });
  }

  #fleet(count: number, roomBytes?: number): Fleet {
    const cpu = millicores(CPU);
    return emulatedFleet({
      profile: this.#deps.profile,
      quota: cpu / 1000,
      devices: DEVICES.slice(0, count),
      millicores: cpu,
      hubMillicores: millicores(HUB_CPU),
      bitsPerSecond: bitRate(LINK),
      roomBytes,
    });
  }
}
