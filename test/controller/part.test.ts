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
import { toyDevice, toyFleet, toyPlan, toyPredict } from '../core/planning/replan/world.ts';
import { FRAMES, temporaryFolder } from '../support/cluster.ts';
import { Inbox } from '../support/inbox.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function start(
  store: NonNullable<ControllerOptions['store']>,
  connect: (broker: EmbeddedBroker) => Channels,
): Promise<{ part: ControllerPart; channels: Channels; inbox: Inbox }> {
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
  const { channels } = service;
  return { part, channels, inbox: await Inbox.on(channels.control, 'tilepipe/plan/+') };
}

/** The store's address as a controller with these channels announces it. */
async function announced(...how: Parameters<typeof start>): Promise<URL> {
  const { part, inbox } = await start(...how);
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

test('of two re-plannings begun at once the last one counts, and withdrawing ends it', async () => {
  const { part, channels, inbox } = await start({}, inside);
  const fleet = toyFleet(['w0', 'w1'].map((id) => toyDevice(id)));
  const plan = gridPlan({ grids: [[2, 1]] });
  const running = {
    draft: toyPlan(fleet),
    plan: { plan, digest: planDigest(plan) },
    settings: {},
    frames: FRAMES,
  };
  await part.controller.rollOut(running);
  const asked: string[] = [];
  const replan = (name: string) =>
    part.replan({
      fleet,
      objective: 'latency',
      predict: toyPredict,
      plan: toyPlan,
      prepare: async () => {
        asked.push(name);
        return running.plan;
      },
      running,
    });
  await Promise.all([replan('first'), replan('second')]);
  // A device that the plan needs is away: whoever listens plans anew.
  const { control, topics } = channels;
  const status = { role: 'worker', id: 'w0', state: 'online', wire: [1], version: '0' };
  await control.publish(
    topics.build('status', { role: 'worker', id: 'w0' }),
    Buffer.from(JSON.stringify(status)),
  );
  await inbox.have(2);
  await part.withdraw(plan.pipeline);
  expect(asked).toEqual(['second']);
  expect(String((await inbox.have(3)).at(-1)?.payload)).toBe('');
});
