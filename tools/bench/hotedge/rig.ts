/** The emulated cluster of the comparison: a hub, four devices with workers, and one that runs the model bare. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { PreparedPlan } from '../../../services/controller/prepare.ts';
import { entryPath } from '../../../services/core/runtime/entry.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import type { Result } from '../../../services/core/schema/generated/result.ts';
import { settle } from '../../../services/core/vision/settings.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { EmulatedCluster, HUB } from '../../emulate/cluster.ts';
import { EmulatedHub } from '../../emulate/hub.ts';
import type { FrameTimes } from '../../emulate/hub-messages.ts';
import type { BareTask } from '../bare-process.ts';
import type { ProfileRequest } from '../emulated/profile-process.ts';

export const DEVICES = ['device-1', 'device-2', 'device-3', 'device-4'] as const;
/** Runs the model bare, its input in memory. */
const ALONE = 'alone';
/** A whole minute and more at the slowest link. */
const FRAME_MS = 600_000;
const FRAMES = { maxInFlight: 1, maxWaiting: 4, deadlineMs: FRAME_MS, attempts: 1 } as const;

export const SETTINGS = settle({ answer: { task: 'tensors' } });

/** One run of a plan and what it took of the hub. */
export interface PlanRun extends FrameTimes {
  /** Milliseconds of processor time. */
  readonly hubMs: number;
}

export class Rig {
  readonly cluster = new EmulatedCluster({
    devices: [...DEVICES, ALONE].map((name) => ({ name })),
    sharedForms: true,
  });
  readonly #hub = new EmulatedHub(this.cluster);
  #bare: ChildProcess | undefined;

  /** Measures a device, and starts everything that runs, unlimited. The figures are those of a share of a processor. */
  async start(task: BareTask, request: ProfileRequest): Promise<Profile> {
    await this.cluster.start();
    // While nothing else runs.
    const profile = await this.#profile(request);
    await this.#hub.start();
    for (const device of [...DEVICES, HUB]) this.cluster.startWorker(device);
    this.#bare = this.cluster.run(ALONE, [process.execPath, entryPath('tools/bench/bare-process')], {
      serialization: 'advanced',
    });
    await this.#ask(task);
    return profile;
  }

  async deploy(plan: PreparedPlan): Promise<void> {
    await this.#hub.deploy(plan, { ...SETTINGS }, FRAMES, DEVICES.length + 1);
  }

  /** From now on every device, the hub among them, has this share of a processor and this link. */
  limit(millicores: number, bitsPerSecond: number): void {
    for (const device of [HUB, ...this.cluster.devices]) {
      this.cluster.setCpu(device, millicores);
      if (device !== ALONE) this.cluster.setLink(device, bitsPerSecond);
    }
    this.cluster.limit();
  }

  /** Milliseconds of one bare run. */
  bare(): Promise<number> {
    return this.#ask('run');
  }

  async frame(pipeline: string, inputs?: readonly TensorData[]): Promise<PlanRun> {
    const before = this.cluster.cpuStat(HUB).usageMs;
    const times = await this.#hub.frame(pipeline, FRAME_MS, inputs);
    return { ...times, hubMs: this.cluster.cpuStat(HUB).usageMs - before };
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
  }

  async #profile(request: ProfileRequest): Promise<Profile> {
    const child = this.cluster.run(ALONE, [
      process.execPath,
      entryPath('tools/bench/emulated/profile-process'),
    ]);
    child.send(request);
    const ended = once(child, 'exit').then(() => [undefined]);
    const [profile] = (await Promise.race([once(child, 'message'), ended])) as [Profile | undefined];
    if (profile === undefined) throw new Error('the profile could not be measured: the log says why');
    return profile;
  }

  async #ask(message: BareTask | 'run'): Promise<number> {
    const child = this.#bare;
    if (child === undefined) throw new Error('the rig has not started');
    const answered = once(child, 'message');
    child.send(message);
    const [milliseconds] = (await answered) as [number];
    return milliseconds;
  }
}

/** Blocks of a run for people: `4 tiles 193 (167)`, the slowest task in parentheses. */
export function blocksText(blocks: NonNullable<Result['timing']>['blocks']): string {
  return blocks
    .map(({ kind, tiles, ms, slowestTileMs = 0 }) => {
      const what = kind === 'whole' ? 'whole' : `${tiles} ${kind}s`;
      return `${what} ${Math.round(ms)} (${Math.round(slowestTileMs)})`;
    })
    .join(', ');
}
