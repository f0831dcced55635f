/** Runs DeepThings' plans on the emulated cluster: their times, and what the devices hold meanwhile. */

import { type PreparedPlan, prepareDraft } from '../../../services/controller/prepare.ts';
import type { Fleet } from '../../../services/core/planning/cost/fleet.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import { cacheFolder } from '../../../services/core/runtime/paths.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { bitRate, millicores } from '../../emulate/units.ts';
import { bytes, print } from '../../output.ts';
import { emulatedFleet } from '../emulated/fleet.ts';
import { medianInterval } from '../emulated/interval.ts';
import type { BenchNetwork } from '../emulated/network.ts';
import { planText } from '../emulated/plan-text.ts';
import type { Rig } from '../emulated/rig.ts';
import { median } from '../report.ts';
import { CPU, DEVICES, HUB_CPU, LINK, MEMORY_SHARE } from './conditions.ts';
import { grids, type NamedDraft, ours, untiled } from './plans.ts';
import type { MemoryResult, SpeedResult } from './targets.ts';

export interface RunsDeps {
  readonly rig: Rig;
  readonly network: BenchNetwork;
  readonly profile: Profile;
  readonly repetitions: number;
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

  /** Every plan on new workers: the peak while frames run, beyond what the same worker took before it had a plan. */
  async memory(): Promise<MemoryResult[]> {
    const { space } = this.#deps.network;
    const fleet = this.#fleet(DEVICES.length);
    const first = await this.#held(untiled(space, fleet), 0);
    const results = [first];
    for (const plan of [...grids(space, fleet), ours(space, fleet)])
      results.push(await this.#held(plan, first.peakBytes));
    const bound = MEMORY_SHARE * first.peakBytes;
    try {
      const plan = ours(space, this.#fleet(DEVICES.length, bound), 'ours, bounded');
      results.push(await this.#held(plan, first.peakBytes));
    } catch (error) {
      if (!(error instanceof TilepipeError) || error.code !== 'plan-impossible') throw error;
      print(`within ${bytes(bound)} on each device: ${error.message}`);
    }
    return results.map((result) => ({ ...result, untiledBytes: first.peakBytes }));
  }

  async #held(plan: NamedDraft, untiledBytes: number): Promise<MemoryResult> {
    const { rig } = this.#deps;
    const { cluster } = rig;
    cluster.unlimit();
    await rig.stopWorkers();
    await rig.startWorkers();
    const resident = (device: string): number => cluster.peakMemory(device).resident;
    for (const device of DEVICES) cluster.resetPeak(device);
    const empty = new Map(DEVICES.map((device) => [device, resident(device)]));
    const above = (): number[] => DEVICES.map((device) => resident(device) - (empty.get(device) ?? 0));
    const pipeline = await this.#deploy(plan, DEVICES.length);
    const loading = Math.max(...above());
    for (const device of DEVICES) cluster.resetPeak(device);
    cluster.limit();
    const [result] = await this.#inTurns([[plan, pipeline]], DEVICES.length);
    const running = above();
    await rig.withdraw(pipeline);
    const expected = Object.values(plan.draft.predicted.memoryBytes).map(
      (total) => total - this.#deps.profile.idleBytes,
    );
    print(
      `${plan.name}: empty ${bytes(Math.max(...empty.values()))}; above it ${running.map(bytes).join(', ')} with frames, ${bytes(loading)} at most while loading; planned ${bytes(Math.max(...expected))}`,
    );
    if (result === undefined) throw new Error('nothing was measured');
    return { ...result, peakBytes: Math.max(...running), untiledBytes };
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

  async #deploy({ name, draft }: NamedDraft, count: number): Promise<string> {
    const { rig, network } = this.#deps;
    const pipeline = `${name}-${count}`.replaceAll(/[^a-z0-9]+/g, '-');
    const prepared: PreparedPlan = await prepareDraft(network.model, pipeline, draft, this.#blobs);
    await rig.deploy(prepared, network.settings, { inFlight: 1, inputs: network.inputs });
    print(`${pipeline}: ${planText(prepared)}`);
    return pipeline;
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
