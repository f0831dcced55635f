/** An emulated hub with a camera, devices with workers, and one more that runs a model bare. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { PreparedPlan } from '../../../services/controller/prepare.ts';
import type { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { entryPath } from '../../../services/core/runtime/entry.ts';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import { within } from '../../../services/core/runtime/within.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import type { Settings } from '../../../services/core/vision/settings.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { EmulatedCluster, type EmulationOptions, HUB } from '../../emulate/cluster.ts';
import { EmulatedHub } from '../../emulate/hub.ts';
import { bitRate, millicores } from '../../emulate/units.ts';
import type { BareTask } from '../bare-process.ts';
import { AskedProcess } from './asked-process.ts';
import type { Arrival, CameraAnswer, CameraFrame, CameraRequest } from './camera-messages.ts';
import type { ProfileRequest } from './profile-process.ts';

export interface RigOptions extends Pick<EmulationOptions, 'periodMs' | 'burstBytes' | 'medium'> {
  readonly devices: readonly string[];
  /** Share of a processor of every device: `150m`. */
  readonly cpu: string;
  readonly hubCpu: string;
  /** Of every device, and of the hub: `200mbit`. */
  readonly link: string;
  /** False: each device makes optimised forms of its own, and its memory counts them. */
  readonly sharedForms: boolean;
  /** Each device has files of its own, for which its memory is charged. */
  readonly ownBlobs?: boolean;
  /** A worker on the hub too. */
  readonly hubComputes?: boolean;
}

/** Runs the model bare, its input in memory. */
export const ALONE = 'alone';
const FRAME_MS = 300_000;
/** Longer than a worker may drain. */
const DRAIN_MS = 15_000;

/** How a plan's frames come. */
export interface Stream {
  readonly inFlight: number;
  readonly maxWaiting?: number;
  /** One frame, sent again and again. */
  readonly inputs: readonly TensorData[];
}

/** A closed loop and what it took. */
export interface Loop {
  readonly ended: readonly CameraFrame[];
  /** Milliseconds of the hub's processor. */
  readonly hubMs: number;
  /** Share of the hub's quota that was used. */
  readonly hubUse: number;
  /** Milliseconds of all devices' processors together. */
  readonly devicesMs: number;
}

/** A worker ended by itself; the rig is of no more use. */
export class WorkerKilled extends Error {
  /** `outOfMemory`: how many processes of the device the kernel ended because its memory was not enough. */
  constructor(device: string, signal: string | null, outOfMemory: number) {
    const how = signal === null ? 'ended by itself' : `ended by ${signal}`;
    super(`the worker of ${device} ${how}${outOfMemory > 0 ? ': its memory limit was not enough' : ''}`);
  }
}

export class Rig {
  readonly cluster: EmulatedCluster;
  readonly hub: EmulatedHub;
  readonly #options: RigOptions;
  readonly #workers = new Map<string, ChildProcess>();
  #bare: AskedProcess | undefined;
  #camera: AskedProcess | undefined;

  /** Rejects when a worker ends that nobody asked to: more memory than it has, as a rule. */
  readonly #killed: Promise<never>;
  #killedWith: (error: WorkerKilled) => void = () => {};

  constructor(options: RigOptions) {
    this.#killed = new Promise((_, reject) => {
      this.#killedWith = reject;
    });
    this.#killed.catch(() => {});
    const { devices, cpu, hubCpu, link, sharedForms, ownBlobs = false, ...machine } = options;
    const limits = { millicores: millicores(cpu), link: bitRate(link) };
    this.#options = options;
    this.cluster = new EmulatedCluster({
      ...machine,
      devices: [
        ...devices.map((name) => ({ name, ...limits })),
        { name: ALONE, millicores: limits.millicores },
      ],
      hub: { millicores: millicores(hubCpu), link: limits.link },
      sharedForms,
      ownBlobs,
    });
    this.hub = new EmulatedHub(this.cluster);
  }

  /** Devices with a worker. */
  get workers(): readonly string[] {
    const { devices, hubComputes = false } = this.#options;
    return hubComputes ? [...devices, HUB] : devices;
  }

  async start(): Promise<void> {
    await this.cluster.start();
  }

  /** From now on every device, the hub among them, has this share of a processor, in millicores, and this link. */
  limit(share: number, bitsPerSecond: number): void {
    for (const device of [HUB, ...this.cluster.devices]) {
      this.cluster.setCpu(device, share);
      if (device !== ALONE) this.cluster.setLink(device, bitsPerSecond);
    }
    this.cluster.limit();
  }

  /** What a device of this rig can do, for a model; before anything else runs, unlimited: the quota is divided out. */
  async profile(model: string): Promise<Profile> {
    const { cpu } = this.#options;
    const request: ProfileRequest = { device: ALONE, quota: millicores(cpu) / 1000, model };
    const profiler = AskedProcess.on(this.cluster, ALONE, 'emulated/profile-process');
    return await profiler.ask<Profile>(request);
  }

  /** From now on bare runs are of this model. */
  async load(task: BareTask): Promise<void> {
    this.#bare?.end();
    this.#bare = AskedProcess.on(this.cluster, ALONE, 'bare-process');
    await this.#bare.ask(task);
    // Its first run allocates.
    await this.#bare.ask('run');
  }

  /** Milliseconds of one bare run. */
  async bare(): Promise<number> {
    if (this.#bare === undefined) throw new Error('nothing was loaded');
    return await this.#bare.ask<number>('run');
  }

  /** Starts the hub, and workers that hold nothing. */
  async startServices(flags: readonly string[] = []): Promise<void> {
    await this.hub.start();
    await this.startWorkers(flags);
  }

  /** `flags`: of `tilepipe worker`, beside its name and its broker. */
  async startWorkers(flags: readonly string[] = []): Promise<void> {
    for (const device of this.workers) this.#startWorker(device, flags);
    await this.#online();
  }

  /** Nothing of what the processes held is left in the devices' memory. */
  async stopWorkers(): Promise<void> {
    const workers = [...this.#workers.values()];
    this.#workers.clear();
    await Promise.all(
      workers.map((child) => {
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        return ended;
      }),
    );
  }

  /** Makes the optimised forms of a plan's sub-models where devices share them: all at once would make each their own. */
  async seed({ plan }: PreparedPlan, blobs: BlobCache): Promise<void> {
    if (!this.#options.sharedForms) return;
    const digests = new Set(plan.tasks.flatMap(({ model }) => model ?? []));
    const seeder = AskedProcess.on(this.cluster, HUB, 'emulated/seed-process');
    await seeder.ask([...digests].map((digest) => blobs.path(digest)));
  }

  /** Rolls a plan out, and opens a camera for it. `maxWaiting`: frames that wait; absent: twice those under way. */
  async deploy(
    prepared: PreparedPlan,
    settings: Settings,
    { inFlight, maxWaiting = 2 * inFlight, inputs }: Stream,
  ): Promise<void> {
    const frames = { maxInFlight: inFlight, maxWaiting, deadlineMs: FRAME_MS, attempts: 1 };
    const { pipeline } = prepared.plan;
    const ready = this.hub.deploy(prepared, { ...settings }, frames, this.workers.length);
    await Promise.race([ready, this.#killed]);
    this.#camera ??= AskedProcess.on(this.cluster, HUB, 'emulated/camera-process');
    await this.#film({ op: 'open', broker: this.cluster.broker, pipeline, inputs });
  }

  async withdraw(pipeline: string): Promise<void> {
    await this.#film({ op: 'close', pipeline });
    await this.hub.withdraw(pipeline);
  }

  /** So many frames, so many at once. */
  async loop(pipeline: string, frames: number, inFlight: number): Promise<Loop> {
    const before = this.#used();
    const began = performance.now();
    const ended = await this.#film({ op: 'loop', pipeline, frames, inFlight, limitMs: FRAME_MS });
    const elapsed = performance.now() - began;
    const after = this.#used();
    const hubMs = after.hub - before.hub;
    return {
      ended,
      hubMs,
      hubUse: (1000 * hubMs) / (elapsed * millicores(this.#options.hubCpu)),
      devicesMs: after.devices - before.devices,
    };
  }

  /** Frames by the clock, whether they are answered or not; only those that ended in time, without an error. */
  async clocked(arrivals: readonly Arrival[], limitMs: number): Promise<readonly CameraFrame[]> {
    return await this.#film({ op: 'clocked', arrivals, limitMs });
  }

  async stop(): Promise<void> {
    const onHub = this.#workers.get(HUB);
    this.#workers.clear();
    if (onHub !== undefined && onHub.exitCode === null && onHub.signalCode === null) {
      // Before the broker beside it, to which it says good-bye.
      this.cluster.unlimit();
      const ended = once(onHub, 'exit');
      onHub.kill('SIGTERM');
      await within(DRAIN_MS, ended);
    }
    await this.cluster.stop();
  }

  async #film(request: CameraRequest): Promise<readonly CameraFrame[]> {
    if (this.#camera === undefined) throw new Error('no plan was rolled out');
    const { ended, error } = await Promise.race([this.#camera.ask<CameraAnswer>(request), this.#killed]);
    if (error !== undefined)
      throw new TilepipeError(
        'task-failed',
        `camera${'pipeline' in request ? ` of ${request.pipeline}` : ''}: ${error}`,
      );
    return ended;
  }

  /** Milliseconds of processor time so far. */
  #used(): { hub: number; devices: number } {
    const { devices } = this.#options;
    const sum = devices.reduce((total, device) => total + this.cluster.cpuStat(device).usageMs, 0);
    return { hub: this.cluster.cpuStat(HUB).usageMs, devices: sum };
  }

  #startWorker(device: string, flags: readonly string[]): void {
    const child = this.cluster.startWorker(device, flags);
    this.#workers.set(device, child);
    child.once('exit', (_, signal) => {
      if (this.#workers.get(device) !== child) return;
      this.#killedWith(new WorkerKilled(device, signal, this.cluster.outOfMemory(device)));
    });
  }

  async #online(): Promise<void> {
    const { cluster } = this;
    const script = entryPath('tools/emulate/await-workers');
    const count = String(this.workers.length);
    const [code] = await once(cluster.run(HUB, [process.execPath, script, cluster.broker, count]), 'exit');
    if (code !== 0) throw new TilepipeError('no-worker', 'not every worker came online: the log says why');
  }
}
