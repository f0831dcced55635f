/** Asks the hub process of an emulated cluster: roll out plans, send frames, say how long they took. */

import type { ChildProcess } from 'node:child_process';
import type { Rollout } from '../../services/controller/controller.ts';
import { entryPath } from '../../services/core/runtime/entry.ts';
import type { Announcement } from '../../services/core/schema/generated/announcement.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import type { PipelineConfig } from '../config.ts';
import { BROKER_PORT, type EmulatedCluster, HUB } from './cluster.ts';
import type { FrameTimes, HubReply, HubRequest, StreamOptions, TimedChange } from './hub-messages.ts';

export class EmulatedHub {
  readonly #cluster: EmulatedCluster;
  #process: ChildProcess | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(cluster: EmulatedCluster) {
    this.#cluster = cluster;
  }

  /** Starts it on the hub of a cluster that has started; workers can come before or after. */
  async start(): Promise<void> {
    this.#process = this.#cluster.run(HUB, [process.execPath, entryPath('tools/emulate/hub-process')], {
      serialization: 'advanced',
      env: { ...process.env, TILEPIPE_LOG: process.env.TILEPIPE_LOG ?? 'warn' },
    });
    await this.#ask({ op: 'start', host: this.#cluster.addressOf(HUB), port: BROKER_PORT });
  }

  /** Rolls a plan out and waits until so many workers have loaded it. */
  async deploy(
    prepared: Rollout['plan'],
    settings: Announcement['settings'],
    frames: Announcement['frames'],
    workers: number,
  ): Promise<void> {
    await this.#ask({ op: 'deploy', prepared, settings, frames, workers });
  }

  async withdraw(pipeline: string): Promise<void> {
    await this.#ask({ op: 'withdraw', pipeline });
  }

  /** Plans a pipeline on the hub, rolls it out, and lets the plan follow its devices. */
  async follow(pipeline: PipelineConfig, folder: string): Promise<void> {
    await this.#ask({ op: 'follow', pipeline, folder });
  }

  /** One frame of tensors that are in the hub's memory; without inputs, those of that pipeline's frame before. */
  async frame(pipeline: string, limitMs: number, inputs?: readonly TensorData[]): Promise<FrameTimes> {
    const request = { op: 'frame', pipeline, limitMs, ...(inputs === undefined ? {} : { inputs }) } as const;
    const { frames } = await this.#ask(request);
    const [frame] = frames ?? [];
    if (frame === undefined) throw new Error('the hub said nothing of the frame');
    return frame;
  }

  /** Frames without a pause until the plan has changed and settled, or the time is over. */
  async stream(pipeline: string, stream: StreamOptions): Promise<readonly FrameTimes[]> {
    const { frames = [] } = await this.#ask({ op: 'stream', pipeline, stream });
    return frames;
  }

  /** Every change of a followed pipeline's plan so far. */
  async changes(pipeline: string): Promise<readonly TimedChange[]> {
    const { changes = [] } = await this.#ask({ op: 'changes', pipeline });
    return changes;
  }

  #ask(request: HubRequest): Promise<HubReply & { ok: true }> {
    const asked = this.#queue.then(() => this.#exchange(request));
    this.#queue = asked.catch(() => undefined);
    return asked;
  }

  async #exchange(request: HubRequest): Promise<HubReply & { ok: true }> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null) throw new Error('the hub is not running');
    const reply = await new Promise<HubReply>((resolve) => {
      const gone = (): void => resolve({ ok: false, error: 'its process ended' });
      child.once('exit', gone);
      child.once('message', (message) => {
        child.off('exit', gone);
        resolve(message as HubReply);
      });
      child.send(request);
    });
    if (!reply.ok) throw new Error(`hub: ${reply.error}`);
    return reply;
  }
}
