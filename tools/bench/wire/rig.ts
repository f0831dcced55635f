/**
 * The emulated cluster of the comparison: a hub, four devices with workers, and one that runs models bare. All hang on
 * the emulated access point, whose air is free where every device is to have a cable of its own.
 */

import type { PreparedPlan } from '../../../services/controller/prepare.ts';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import type { Settings } from '../../../services/core/vision/settings.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { HUB } from '../../emulate/cluster.ts';
import type { FrameTimes } from '../../emulate/hub-messages.ts';
import { bitRate, millicores } from '../../emulate/units.ts';
import type { BareTask } from '../bare-process.ts';
import { AskedProcess } from '../emulated/asked-process.ts';
import { ALONE, Rig } from '../emulated/rig.ts';
import type { BareDevice } from '../emulated/tuned-bare.ts';
import { CPU, type Wire } from './cells.ts';
import type { WatchAnswer, WatchRequest } from './watch-messages.ts';

export const DEVICES = ['device-1', 'device-2', 'device-3', 'device-4'] as const;
export const QUOTA = millicores(CPU) / 1000;
/** A whole minute and more at the slowest link. */
export const FRAME_MS = 300_000;
export const FRAMES = { maxInFlight: 1, maxWaiting: 4, deadlineMs: FRAME_MS, attempts: 1 } as const;
/** Of quotas: within a longer one a device that has waited computes unthrottled. */
const PERIOD_MS = 5;
/** Of shaped links: two packets, so that hardly anything passes beside the rate. */
const BURST_BYTES = 3200;
/** Frames, after the photos, that warm the services for their first plan, and for each of those that follow. */
const WARMING = 100;
const WARMING_AGAIN = 15;
/** Of the hub where the devices share the air and it does not. */
const CABLE = bitRate('200mbit');

export class WireRig extends Rig {
  readonly #bare = new Map<string, AskedProcess>();
  #watch: AskedProcess | undefined;
  #warm = false;

  constructor() {
    super({
      devices: DEVICES,
      cpu: CPU,
      hubCpu: CPU,
      link: '200mbit',
      medium: 'wifi',
      sharedForms: true,
      hubComputes: true,
      periodMs: PERIOD_MS,
      burstBytes: BURST_BYTES,
    });
  }

  /** From now on the devices are limited, and joined by this. */
  join({ mbit, shared }: Wire): void {
    const { cluster } = this;
    const rate = mbit * 1e6;
    for (const device of DEVICES) cluster.setLink(device, shared === undefined ? rate : undefined);
    // Without a link of its own it is on the air.
    cluster.setLink(HUB, shared === 'everyone' ? undefined : shared === undefined ? rate : CABLE);
    cluster.limit();
    cluster.setAir(shared === undefined ? undefined : rate);
  }

  /** A bare process of its own for each name, all on one device: never two of them run at once. */
  bareOf(name: string): BareDevice {
    return {
      cluster: this.cluster,
      load: async (task: BareTask) => {
        this.#bare.get(name)?.end();
        const own = AskedProcess.on(this.cluster, ALONE, 'bare-process');
        this.#bare.set(name, own);
        await own.ask(task);
        // Its first run allocates.
        await own.ask('run');
      },
      bare: async () => {
        const own = this.#bare.get(name);
        if (own === undefined) throw new Error(`nothing was loaded for ${name}`);
        return await own.ask<number>('run');
      },
    };
  }

  endBare(name: string): void {
    this.#bare.get(name)?.end();
    this.#bare.delete(name);
  }

  async rollOut(prepared: PreparedPlan, settings: Settings): Promise<void> {
    await this.hub.deploy(prepared, { ...settings }, FRAMES, this.workers.length);
  }

  /**
   * Code that has run a few times only takes longer than it does in a service that has been up for a minute: a
   * device's processor time for a frame of VGG-16 fell from 138 ms to 87 in the first 35 and stayed there for 80 more, a
   * hub's with one device and few messages from 30 to 8 in some 80. That is of the process; of a plan that follows it is
   * what its own codecs and sessions take to get going.
   */
  async warm(pipeline: string, inputs?: readonly TensorData[]): Promise<void> {
    const frames = this.#warm ? WARMING_AGAIN : WARMING;
    for (let frame = 0; frame < frames; frame++) await this.frame(pipeline, inputs);
    this.#warm = true;
  }

  async frame(pipeline: string, inputs?: readonly TensorData[]): Promise<FrameTimes> {
    return await this.hub.frame(pipeline, FRAME_MS, inputs);
  }

  /** The outputs of a frame, as a listener gets them. */
  async outputs(pipeline: string, inputs: readonly TensorData[]): Promise<readonly TensorData[]> {
    const { tensors = [] } = await this.#ask({ op: 'outputs', pipeline, inputs, limitMs: FRAME_MS });
    return tensors;
  }

  /** What was announced for a pipeline so far, in order, the digest beside each plan. */
  async announced(pipeline: string): Promise<NonNullable<WatchAnswer['plans']>> {
    const { plans = [] } = await this.#ask({ op: 'plans', pipeline });
    return plans;
  }

  async #ask(request: WatchRequest): Promise<WatchAnswer> {
    this.#watch ??= AskedProcess.on(this.cluster, HUB, 'wire/watch-process');
    const answer = await this.#watch.ask<WatchAnswer>({ ...request, broker: this.cluster.broker });
    if (answer.error !== undefined)
      throw new TilepipeError('task-failed', `watching ${request.pipeline}: ${answer.error}`);
    return answer;
  }
}
