/** Runs DeepThings' plans on the emulated cluster: their times, and what the devices hold meanwhile. */

import { type PreparedPlan, prepareDraft } from '../../../services/controller/prepare.ts';
import type { Fleet } from '../../../services/core/planning/cost/fleet.ts';
import { LEAN_OVERHEAD, WORKER_OVERHEAD } from '../../../services/core/planning/cost/worker-memory.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { extents } from '../../../services/core/tensor/region.ts';
import { leanEnvironment } from '../../../services/worker/lean-memory.ts';
import { bitRate, millicores } from '../../emulate/units.ts';
import { bytes, print } from '../../output.ts';
import { AskedProcess } from '../emulated/asked-process.ts';
import { emulatedFleet, type FleetOptions } from '../emulated/fleet.ts';
import { medianInterval } from '../emulated/interval.ts';
import { framesFor, loopRate } from '../emulated/loop-rate.ts';
import type { BenchNetwork } from '../emulated/network.ts';
import { planText } from '../emulated/plan-text.ts';
import type { Rig } from '../emulated/rig.ts';
import { CPU, DEVICES, GRIDS, HUB_CPU, LINK, MEMORY_SHARE } from './conditions.ts';
import type { Held, HeldModel, HeldRequest } from './held-process.ts';
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
import { type MemoryResult, type ReuseResult, type SpeedResult, UNTILED, UNTILED_LEAN } from './targets.ts';

export interface RunsDeps {
  readonly rig: Rig;
  readonly network: BenchNetwork;
  readonly profile: Profile;
  readonly repetitions: number;
}

/** Grids that are also run within little memory: one that cuts where maps are small already, and DeepThings' own. */
const BOUND_GRIDS: readonly BoundGrid[] = [
  { cuts: ['pool3'], rows: 6, columns: 6 },
  { cuts: [], rows: 5, columns: 5 },
];
/** Frames under way in a stream of strips, and how long it is looked at. */
const STREAM = 4;
const STREAM_SECONDS = 12;

/** The search counts a sub-model for every pad pattern of two blocks' tiles; bound tiles need about four of them. */
const SPARED_MODELS = 14;

/** Room of a device: what a lean worker takes that runs anything, and the share of what the untiled run holds. */
function boundBytes(plannedBytes: number): number {
  const { runningBytes, subModelBytes } = LEAN_OVERHEAD;
  const held = plannedBytes - WORKER_OVERHEAD.runningBytes;
  return runningBytes + SPARED_MODELS * subModelBytes + MEMORY_SHARE * held;
}

export class Runs {
  readonly #deps: RunsDeps;
  readonly #blobs = new BlobCache({ folder: cacheFolder('blobs') });

  constructor(deps: RunsDeps) {
    this.#deps = deps;
  }

  /** Where no target asks for the time. */
  get #fewer(): number {
    return Math.ceil(this.#deps.repetitions / 2);
  }

  /** All plans on so many devices, in turns; on fewer than all half as often. */
  async speed(count: number): Promise<SpeedResult[]> {
    const { rig, network } = this.#deps;
    const fleet = this.#fleet(count);
    const plans: [NamedDraft, string][] = [];
    rig.cluster.unlimit();
    // On fewer devices than a grid has tiles in a row it only computes overlaps for nothing.
    const own = grids(network.space, fleet).filter((_, at) => count >= (GRIDS[at]?.[0] ?? 0) || count === 2);
    for (const plan of [ours(network.space, fleet), ...own])
      plans.push([plan, await this.#deploy(plan, count)]);
    rig.cluster.limit();
    const results = await this.#inTurns(plans, count, count === DEVICES.length ? undefined : this.#fewer);
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
   * Every plan on new workers, lean ones for those that are to stay within little: the peak while frames run, beyond
   * what the same worker took before it had a plan; and what the executor alone takes for the sub-models of the device
   * that has most of them.
   */
  async memory(): Promise<MemoryResult[]> {
    const { space } = this.#deps.network;
    const fleet = this.#fleet(DEVICES.length);
    const whole = untiled(space, fleet);
    const first = await this.#held(whole);
    const results = [first];
    const lean = this.#fleet(DEVICES.length, { lean: true });
    const plans: [() => NamedDraft, boolean][] = [
      [() => ({ ...whole, name: UNTILED_LEAN }), true],
      ...BOUND_GRIDS.map((grid): [() => NamedDraft, boolean] => [() => packedGrid(space, lean, grid), true]),
      [
        () => {
          const roomBytes = boundBytes(first.plannedBytes);
          print(`within ${bytes(roomBytes)} on a device, the worker's own memory at work among them`);
          return oursBounded(space, this.#fleet(DEVICES.length, { lean: true, roomBytes }), 'ours, bounded');
        },
        true,
      ],
      [() => ours(space, fleet), false],
    ];
    for (const [plan, isLean] of plans) {
      try {
        results.push(await this.#held(plan(), isLean));
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

  async #held(plan: NamedDraft, lean = false): Promise<MemoryResult> {
    const { rig } = this.#deps;
    const { cluster } = rig;
    cluster.unlimit();
    const { pipeline, prepared } = await this.#prepared(plan, DEVICES.length);
    // Once for all devices: who makes the optimised forms holds more until its process ends.
    await rig.seed(prepared, this.#blobs);
    const empty = await this.#restart(lean ? ['--lean'] : []);
    const above = (): number[] =>
      DEVICES.map((device) => {
        const again = mappedAgain(cluster.pids(device));
        return cluster.peakMemory(device).resident - again - (empty.get(device) ?? 0);
      });
    await this.#rollOut(prepared, 1);
    const loading = Math.max(...above());
    for (const device of DEVICES) cluster.resetPeak(device);
    cluster.limit();
    const often = plan.name.startsWith(UNTILED) ? this.#fewer : undefined;
    const [result] = await this.#inTurns([[plan, pipeline]], DEVICES.length, often);
    const running = above();
    await rig.withdraw(pipeline);
    const executor = await this.#executorAlone(prepared, lean);
    const expected = Object.values(plan.draft.predicted.memoryBytes).map(
      (total) => total - this.#deps.profile.idleBytes,
    );
    const plannedBytes = Math.max(...expected);
    print(
      `${plan.name}: ${mostModels(plan.draft)} sub-models at most on a device; empty ${bytes(Math.max(...empty.values()))}; above it ${running.map(bytes).join(', ')} with frames, ${bytes(loading)} at most while loading; executor alone ${bytes(executor.peak)}, ${bytes(executor.loaded)} of it loaded; planned ${bytes(plannedBytes)}`,
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

  /** New workers, and what each holds before it has a plan. */
  async #restart(flags: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const { rig } = this.#deps;
    await rig.stopWorkers();
    await rig.startWorkers(flags);
    for (const device of DEVICES) rig.cluster.resetPeak(device);
    return new Map(DEVICES.map((device) => [device, rig.cluster.peakMemory(device).resident]));
  }

  /** In a process of its own, on the device that has most sub-models. */
  async #executorAlone({ plan }: PreparedPlan, lean: boolean): Promise<Held> {
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
    const environment = lean ? leanEnvironment(process.env) : process.env;
    const request: HeldRequest = { models: [...(most?.values() ?? [])], lean };
    const alone = AskedProcess.on(cluster, DEVICES[0], 'deepthings/held-process', environment);
    return await alone.ask<Held>(request);
  }

  async #inTurns(
    plans: readonly (readonly [NamedDraft, string])[],
    count: number,
    repetitions = this.#deps.repetitions,
  ): Promise<SpeedResult[]> {
    const { rig } = this.#deps;
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
    await this.#deps.rig.seed(prepared, this.#blobs);
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

  #fleet(count: number, memory: Pick<FleetOptions, 'lean' | 'roomBytes'> = {}): Fleet {
    const cpu = millicores(CPU);
    return emulatedFleet({
      profile: this.#deps.profile,
      quota: cpu / 1000,
      devices: DEVICES.slice(0, count),
      millicores: cpu,
      hubMillicores: millicores(HUB_CPU),
      bitsPerSecond: bitRate(LINK),
      ...memory,
    });
  }
}
