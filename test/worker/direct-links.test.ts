/** Strips that go to the own broker of the worker that waits for them: one hop, and the hub when there is none. */

import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Service } from '../../services/core/runtime/service.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { Status } from '../../services/core/schema/generated/status.ts';
import { floatsOf } from '../../services/core/vision/floats.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import type { Door } from '../../services/worker/door.ts';
import { WireMailbox } from '../../tools/conform/mailbox.ts';
import { WorkerDoor } from '../../tools/worker-door.ts';
import { Bench } from './bench.ts';
import { frameRows, haloPlan, taskMeta } from './plans.ts';

/** One that takes another way at first needs a connection that is made meanwhile. */
const MOST_FRAMES = 500;

let bench: Bench;
let left: Service;
let right: Service;
let door: WorkerDoor;
let digest: string;
/** What of strips goes through the hub to the worker on the right. */
let hub: WireMailbox;
let frames = 0;

/** Strips for the right go to its own broker; those for the left, which has none, as ever. */
async function directPlan(): Promise<Plan> {
  const plan = await haloPlan(bench.shelf);
  const transfers = plan.transfers.map((each) =>
    each.from === 'a0' && each.to === 'b1' ? { ...each, endpoint: 'right' } : each,
  );
  return { ...plan, transfers };
}

beforeEach(async () => {
  bench = new Bench();
  await bench.start();
  hub = await WireMailbox.open(bench.bus.data, 'tilepipe/worker/right/in');
  digest = await bench.announce(await directPlan());
  door = new WorkerDoor({ port: 0 });
  left = await bench.worker('left', { brokerHost: '127.0.0.1' });
  right = await bench.worker('right', { door });
  for (const worker of ['left', 'right']) await bench.planState(worker, digest, 'ready');
});

afterEach(() => bench.stop());

const counterOf = (service: Service, name: string): number => service.status().counters?.[name] ?? 0;
const strips = (): number => hub.items.filter(({ meta }) => meta.kind === 'data').length;

/** One frame from end to end; what comes of it is compared with the model itself. */
async function frame(): Promise<void> {
  const id = `f${frames++}`;
  const task = (name: string) => taskMeta(digest, name, id);
  await bench.send('left', { meta: task('a0'), tensors: [frameRows('x', 0, 4)] });
  await bench.send('right', { meta: task('a1'), tensors: [frameRows('x', 4, 8)] });
  const upper = await bench.came(bench.merger, 'data', id, 'b0');
  const lower = await bench.came(bench.merger, 'data', id, 'b1');
  expect(floatsOf(upper.tensors[0] as TensorData)).toEqual(floatsOf(frameRows('z', 0, 5)));
  expect(floatsOf(lower.tensors[0] as TensorData)).toEqual(floatsOf(frameRows('z', 3, 8)));
}

/** Frames until one of them has gone that way. */
async function framesUntil(counted: () => boolean): Promise<void> {
  for (let i = 0; i < MOST_FRAMES && !counted(); i++) await frame();
  expect(counted()).toBe(true);
}

async function restartRight(own: Door): Promise<void> {
  const before = bench.statuses.items.length;
  const said = (wanted: (status: Status) => boolean): Promise<Status> =>
    bench.statuses.first('a status', (status) => status.id === 'right' && wanted(status), 20_000, before);
  await right.stop();
  await said(({ state }) => state === 'offline');
  right = await bench.worker('right', { door: own });
  await said(({ state, plans }) => state === 'online' && plans?.[digest]?.state === 'ready');
}

it('sends strips to the broker of the worker that waits for them, none through the hub', async () => {
  await framesUntil(() => counterOf(left, 'direct.sent') > 0);
  const before = { hub: strips(), door: counterOf(right, 'endpoint.messages') };
  for (let i = 0; i < 5; i++) await frame();
  expect(strips()).toBe(before.hub);
  expect(counterOf(right, 'endpoint.messages') - before.door).toBe(5);
  expect(left.status().counters).toMatchObject({ 'direct.connections': 1, 'direct.opened': 1 });
});

it('goes on through the hub when that broker is gone, and back to it when there is one again', async () => {
  await framesUntil(() => counterOf(left, 'direct.sent') > 0);
  await door.close();
  const byHub = counterOf(left, 'direct.by-hub');
  await framesUntil(() => counterOf(left, 'direct.by-hub') > byHub);
  await restartRight(new WorkerDoor({ port: 0 }));
  const sent = counterOf(left, 'direct.sent');
  await framesUntil(() => counterOf(left, 'direct.sent') > sent);
  expect(counterOf(right, 'endpoint.messages')).toBeGreaterThan(0);
});

it('leaves a link that loses what is sent on it, and loses nothing itself', async () => {
  const [real, hole] = [new WorkerDoor({ port: 0 }), new WorkerDoor({ port: 0 })];
  await restartRight({
    open: async (step) => {
      const { endpoint } = await hole.open(step);
      return { bus: (await real.open(step)).bus, endpoint };
    },
    close: async () => {
      await real.close();
      await hole.close();
    },
    counters: () => real.counters(),
  });
  await framesUntil(() => counterOf(left, 'direct.doubted') > 0);
  expect(counterOf(left, 'strips.again')).toBeGreaterThan(0);
  expect(counterOf(right, 'endpoint.messages')).toBe(0);
});

it('does not wait for a broker that takes no connection', async () => {
  const real = new WorkerDoor({ port: 0 });
  await restartRight({
    open: async (step) => {
      const { bus } = await real.open(step);
      return { bus, endpoint: { url: 'mqtt://127.0.0.1:1', key: 'none' } };
    },
    close: () => real.close(),
    counters: () => ({}),
  });
  for (let i = 0; i < 3; i++) await frame();
  expect(counterOf(left, 'direct.sent')).toBe(0);
  expect(counterOf(left, 'direct.by-hub')).toBe(3);
});
