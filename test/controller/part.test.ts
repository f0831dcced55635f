import { afterEach, expect, test } from 'vitest';
import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { LocalChannels } from '../../services/broker/local-bus.ts';
import { type ControllerOptions, ControllerPart } from '../../services/controller/part.ts';
import { type Channels, Connections } from '../../services/core/bus/connections.ts';
import { planDigest } from '../../services/core/flow/plan-index.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import { Service } from '../../services/core/runtime/service.ts';
import type { Announcement } from '../../services/core/schema/generated/announcement.ts';
import { gridPlan } from '../core/flow/plans.ts';
import { FRAMES, temporaryFolder } from '../support/cluster.ts';
import { Inbox } from '../support/inbox.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** The store's address as a controller with these channels announces it. */
async function announced(
  store: NonNullable<ControllerOptions['store']>,
  connect: (broker: EmbeddedBroker) => Channels,
): Promise<URL> {
  const folder = temporaryFolder();
  undo.push(() => folder.remove());
  const broker = new EmbeddedBroker({ port: 0 });
  await broker.start();
  undo.push(() => broker.stop());
  const part = new ControllerPart({ blobs: new BlobCache({ folder: folder.path }), store });
  const service = new Service({
    role: 'controller',
    id: 'c',
    part,
    log: createLog('test'),
    connect: () => connect(broker),
  });
  await service.start();
  undo.push(() => service.stop());
  const inbox = await Inbox.on(service.channels.control, 'tilepipe/plan/+');
  const plan = gridPlan({ grids: [[2, 2]] });
  await part.controller.rollOut({ plan: { plan, digest: planDigest(plan) }, settings: {}, frames: FRAMES });
  const [message] = await inbox.have(1);
  return new URL((JSON.parse(String(message?.payload)) as Announcement).store);
}

const over = (broker: EmbeddedBroker) => new Connections({ url: broker.url, service: 'c' });
const inside = (broker: EmbeddedBroker) => new LocalChannels({ broker });

/** A broker of another machine, as far as its channels tell. */
class Facing extends LocalChannels {
  override get facing(): string {
    return '192.0.2.7';
  }
}

test.each([
  ['on loopback, beside a broker on loopback', {}, over, '127.0.0.1'],
  ['everywhere, beside an embedded broker', { host: '0.0.0.0' }, inside, 'broker'],
  ['everywhere, beside any other broker of this machine', { host: '0.0.0.0' }, over, 'broker'],
  ['on an address of its own', { host: '127.0.0.2' }, inside, '127.0.0.2'],
])('a store that listens %s is announced at an address workers reach', async (_, store, connect, host) => {
  const url = await announced(store, connect);
  expect(url.hostname).toBe(host);
  expect(Number(url.port)).toBeGreaterThan(0);
});

test('a store is announced at the address that faces a broker on another machine', async () => {
  const url = await announced({ host: '0.0.0.0' }, (broker) => new Facing({ broker }));
  expect(url.hostname).toBe('192.0.2.7');
});

test('a store is announced at the address it was given', async () => {
  const url = await announced({ host: '0.0.0.0', url: 'https://models.example/tilepipe' }, inside);
  expect(url.href).toBe('https://models.example/tilepipe');
});
