/** The hub of an emulated cluster in one process: camera, broker, splitter, merger and controller. Asked over its parent's channel. */

import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { LocalChannels } from '../../services/broker/local-bus.ts';
import type { ControllerPart } from '../../services/controller/part.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import { cacheFolder } from '../../services/core/runtime/paths.ts';
import type { Service } from '../../services/core/runtime/service.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { Client } from '../client.ts';
import { controllerService, mergerService, splitterService } from '../services.ts';
import type { FrameTimes, HubReply, HubRequest } from './hub-messages.ts';

/** Sessions of a large model are made while every device shares two cores. */
const READY_MS = 300_000;

class Hub {
  #broker: EmbeddedBroker | undefined;
  #controller: ControllerPart | undefined;
  readonly #services: Service[] = [];
  readonly #clients = new Map<string, Client>();
  #inputs: readonly TensorData[] = [];

  async answer(request: HubRequest): Promise<HubReply> {
    switch (request.op) {
      case 'start':
        await this.#start(request.host, request.port);
        return { ok: true };
      case 'deploy':
        await this.#deploy(request);
        return { ok: true };
      case 'withdraw':
        await this.#controller?.controller.withdraw(request.pipeline);
        return { ok: true };
      case 'frame':
        return { ok: true, frame: await this.#frame(request) };
    }
  }

  async stop(): Promise<void> {
    for (const service of this.#services.reverse()) await service.stop();
    await this.#broker?.stop();
  }

  async #start(host: string, port: number): Promise<void> {
    const broker = new EmbeddedBroker({ host, port, log: createLog('broker') });
    await broker.start();
    this.#broker = broker;
    const place = { broker };
    const blobs = new BlobCache({ folder: cacheFolder('blobs') });
    const { service, part } = controllerService({ id: 'controller', place }, { blobs, store: { host } });
    this.#controller = part;
    const services = [
      service,
      mergerService({ id: 'merger', place }),
      splitterService({ id: 'splitter', place }),
    ];
    for (const each of services) {
      await each.start();
      this.#services.push(each);
    }
  }

  async #deploy({ plan, digest, settings, frames, workers }: HubRequest & { op: 'deploy' }): Promise<void> {
    const controller = this.#controller?.controller;
    if (controller === undefined || this.#broker === undefined) throw new Error('the hub has not started');
    await controller.rollOut({ plan: { plan, digest }, settings, frames });
    await controller.whenReady(digest, workers, READY_MS);
    if (this.#clients.has(plan.pipeline)) return;
    const channels = new LocalChannels({ broker: this.#broker, root: undefined, log: createLog('camera') });
    await channels.start();
    const client = new Client(channels, plan.pipeline, 'camera');
    await client.start();
    this.#clients.set(plan.pipeline, client);
  }

  async #frame({ pipeline, inputs, limitMs }: HubRequest & { op: 'frame' }): Promise<FrameTimes> {
    const client = this.#clients.get(pipeline);
    if (client === undefined) throw new Error(`no plan of ${pipeline} was rolled out`);
    this.#inputs = inputs ?? this.#inputs;
    const { result, roundTripMs } = await client.send(this.#inputs, limitMs);
    if (!result.ok) throw new Error(`${result.error?.code}: ${result.error?.message}`);
    return {
      roundTripMs,
      timing: result.timing ?? { totalMs: 0, blocks: [] },
      bytes: result.bytes?.moved ?? 0,
    };
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
  process.send?.(reply);
});
const end = async (): Promise<void> => {
  await hub.stop();
  process.exit(0);
};
process.once('disconnect', end);
process.once('SIGTERM', end);
