/** Packets of every size over a real socket: whole, in order, and their memory used again only where nobody reads it. */

import { afterEach, expect, test } from 'vitest';
import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { LocalBus } from '../../services/broker/local-bus.ts';
import { PayloadMemory } from '../../services/broker/payload-memory.ts';
import { MqttBus } from '../../services/core/bus/mqtt.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** Around the sizes of a socket's chunk, of what is used again, and of many in one chunk. */
const SIZES = [100_000, 5, 70_000, 40_000, 1, 65_530, 300_000, 3, 2, 33_000, 900_000, 8];
const COUNT = 48;

async function started<T extends { start(): Promise<void>; stop(): Promise<void> }>(each: T): Promise<T> {
  await each.start();
  undo.push(() => each.stop());
  return each;
}

const filled = (i: number): Buffer => Buffer.alloc(SIZES[i % SIZES.length] as number, i);

test('messages of all sizes arrive whole and in order, and those that are kept stay as they were', async () => {
  const broker = await started(new EmbeddedBroker({ port: 0 }));
  const local = await started(new LocalBus({ broker }));
  const remote = await started(new MqttBus({ url: broker.url }));
  const camera = await started(new MqttBus({ url: broker.url }));
  const copied: boolean[] = [];
  const kept: Buffer[] = [];
  const far: Buffer[] = [];
  let over: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    over = resolve;
  });
  const count = (): void => {
    if (copied.length === COUNT && kept.length === COUNT / 2 && far.length === COUNT / 2) over();
  };
  await local.subscribe(
    'data/+',
    ({ payload }) => {
      copied.push(payload.equals(filled(copied.length)));
      count();
    },
    { copies: true },
  );
  await local.subscribe('data/kept', ({ payload }) => {
    kept.push(payload);
    count();
  });
  await remote.subscribe('data/far', ({ payload }) => {
    far.push(payload);
    count();
  });
  for (let i = 0; i < COUNT; i++) {
    await camera.publish('nobody/listens', Buffer.alloc(10_000));
    await camera.publish(i % 2 === 0 ? 'data/kept' : 'data/far', filled(i));
  }
  await all;
  expect(copied.every((same) => same)).toBe(true);
  expect(kept.every((payload, i) => payload.equals(filled(2 * i)))).toBe(true);
  expect(far.every((payload, i) => payload.equals(filled(2 * i + 1)))).toBe(true);
});

test('memory comes back once, and not at all where somebody keeps it', () => {
  const memory = new PayloadMemory();
  const first = memory.take(100_000);
  memory.done(first);
  memory.done(first);
  const [second, third] = [memory.take(100_000), memory.take(100_000)];
  expect(second.buffer).toBe(first.buffer);
  expect(third.buffer).not.toBe(first.buffer);
  memory.keep(second);
  memory.done(second);
  expect(memory.take(100_000).buffer).not.toBe(second.buffer);
});
