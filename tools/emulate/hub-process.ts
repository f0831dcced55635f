/** The hub of an emulated cluster in one process: camera, broker, splitter, merger and controller. Asked over its parent's channel. */

import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { LocalChannels } from '../../services/broker/local-bus.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import { cacheFolder } from '../../services/core/runtime/paths.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { Client } from '../client.ts';
import { HubServices } from '../hub-services.ts';
import { PlannedPipeline } from '../planned/planned-pipeline.ts';
import {
  type FrameTimes,
  type HubReply,
  type HubRequest,
  machineMs,
  type TimedChange,
} from './hub-messages.ts';

/** Sessions of a large model are made while every device shares two cores. */
const READY_MS = 300_000;

type Asked<Op extends HubRequest['op']> = HubRequest & { readonly op: Op };

/** A pipeline's camera, and the frame it sends again and again. */
interface Camera {
  readonly channels: LocalChannels;
  readonly client: Client;
  inputs: readonly TensorData[];
}

class Hub {
  readonly #blobs = new BlobCache({ folder: cacheFolder('blobs') });
  #broker: EmbeddedBroker | undefined;
  #services: HubServices | undefined;
  readonly #cameras = new Map<string, Camera>();
  readonly #followed = new Map<string, PlannedPipeline>();
  readonly #changes = new Map<string, TimedChange[]>();

  async answer(request: HubRequest): Promise<HubReply> {
    switch (request.op) {
      case 'start':
        await this.#start(request);
        return { ok: true };
      case 'deploy':
        await this.#deploy(request);
        return { ok: true };
      case 'follow':
        await this.#follow(request);
        return { ok: true };
      case 'withdraw':
        await this.#withdraw(request.pipeline);
        return { ok: true };
      case 'changes':
        return { ok: true, changes: this.#changes.get(request.pipeline) ?? [] };
      case 'frame':
        return { ok: true, frames: [await this.#frame(request)] };
      case 'stream':
        return { ok: true, frames: await this.#stream(request) };
    }
  }

  async stop(): Promise<void> {
    for (const followed of this.#followed.values()) await followed.stop();
    await this.#services?.stop();
    await this.#broker?.stop();
  }

  get #running(): HubServices {
    if (this.#services === undefined) throw new Error('the hub has not started');
    return this.#services;
  }

  async #start({ host, port }: Asked<'start'>): Promise<void> {
    const broker = new EmbeddedBroker({ host, port, log: createLog('broker') });
    await broker.start();
    this.#broker = broker;
    this.#services = new HubServices({ broker }, { blobs: this.#blobs, store: { host } });
    await this.#services.start();
  }

  async #deploy({ prepared, settings, frames, workers }: Asked<'deploy'>): Promise<void> {
    const { controller } = this.#running.part;
    await controller.rollOut({ plan: prepared, settings, frames });
    await controller.whenReady(prepared.digest, workers, READY_MS);
    await this.#openCamera(prepared.plan.pipeline);
  }

  async #follow({ pipeline, folder }: Asked<'follow'>): Promise<void> {
    const changes: TimedChange[] = [];
    this.#changes.set(pipeline.name, changes);
    const planned = new PlannedPipeline({
      pipeline,
      folder,
      part: this.#running.part,
      blobs: this.#blobs,
      log: createLog('controller'),
      workers: 0,
      local: new Set(),
      changed: (change) => changes.push({ ...change, at: machineMs() }),
    });
    this.#followed.set(pipeline.name, planned);
    await planned.start();
    await this.#openCamera(pipeline.name);
  }

  async #withdraw(pipeline: string): Promise<void> {
    await this.#followed.get(pipeline)?.stop();
    this.#followed.delete(pipeline);
    await this.#running.part.withdraw(pipeline);
    const camera = this.#cameras.get(pipeline);
    this.#cameras.delete(pipeline);
    await camera?.client.stop();
    await camera?.channels.stop();
  }

  async #openCamera(pipeline: string): Promise<void> {
    if (this.#broker === undefined || this.#cameras.has(pipeline)) return;
    const channels = new LocalChannels({ broker: this.#broker, root: undefined, log: createLog('camera') });
    await channels.start();
    const client = new Client(channels, pipeline, 'camera');
    await client.start();
    this.#cameras.set(pipeline, { channels, client, inputs: [] });
  }

  async #frame({ pipeline, inputs, limitMs }: Omit<Asked<'frame'>, 'op'>): Promise<FrameTimes> {
    const camera = this.#cameras.get(pipeline);
    if (camera === undefined) throw new Error(`no plan of ${pipeline} was rolled out`);
    camera.inputs = inputs ?? camera.inputs;
    const { result, roundTripMs } = await camera.client.send(camera.inputs, limitMs);
    if (!result.ok) throw new Error(`${result.error?.code}: ${result.error?.message}`);
    return {
      roundTripMs,
      endedAt: machineMs(),
      plan: result.plan ?? '',
      timing: result.timing ?? { totalMs: 0, blocks: [] },
      bytes: result.bytes?.moved ?? 0,
    };
  }

  async #stream({ pipeline, stream }: Asked<'stream'>): Promise<FrameTimes[]> {
    const { settledMs, mostMs, limitMs } = stream;
    const began = machineMs();
    const frames: FrameTimes[] = [];
    let changedAt = Number.POSITIVE_INFINITY;
    while (machineMs() < Math.min(began + mostMs, changedAt + settledMs)) {
      const frame = await this.#frame({ pipeline, limitMs });
      const before = frames.at(-1)?.plan ?? frame.plan;
      if (frame.plan !== before) changedAt = frame.endedAt;
      frames.push(frame);
    }
    return frames;
  }
}

const hub = new Hub();
// One question at a time, one answer to each.
process.on('message', async (request: HubRequest) => {
  const reply = await hub.answer(request).catch(
    (error: unknown): HubReply => ({
      ok: false,
      error: error instanceof Error ? error.message : String(error),
    }),
  );
  // Whoever asked may be gone by now.
  if (process.connected) process.send?.(reply);
});
const end = async (): Promise<void> => {
  await hub.stop();
  process.exit(0);
};
process.once('disconnect', end);
process.once('SIGTERM', end);
