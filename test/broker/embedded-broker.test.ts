import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { type BrokerLimits, EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { LocalBus } from '../../services/broker/local-bus.ts';
import { MqttBus } from '../../services/core/bus/mqtt.ts';
import { settle } from '../../services/core/vision/settings.ts';
import { Inbox } from '../support/inbox.ts';
import { CONNECT, PINGREQ, PUBLISH, PUBLISH_1, packet, RawClient, SUBSCRIBE } from '../support/raw-client.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function startBroker(limits: BrokerLimits = {}): Promise<EmbeddedBroker> {
  const broker = new EmbeddedBroker({ port: 0, limits });
  await broker.start();
  undo.push(() => broker.stop());
  return broker;
}

async function mqttBus(broker: EmbeddedBroker): Promise<MqttBus> {
  const bus = new MqttBus({ url: broker.url });
  await bus.start();
  undo.push(() => bus.stop());
  return bus;
}

async function localBus(broker: EmbeddedBroker): Promise<LocalBus> {
  const bus = new LocalBus({ broker });
  await bus.start();
  undo.push(() => bus.stop());
  return bus;
}

async function connected(broker: EmbeddedBroker, id: string): Promise<RawClient> {
  const client = await RawClient.connected(broker.port, id);
  undo.push(() => client.vanish());
  return client;
}

/** Others must not notice: a message still goes through. */
async function stillServes(broker: EmbeddedBroker): Promise<void> {
  const bus = await mqttBus(broker);
  const inbox = await Inbox.on(bus, 'others');
  await bus.publish('others', Buffer.from('served'));
  await inbox.have(1);
}

test('a port in use is named', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  undo.push(() => other.close());
  const { port } = other.address() as { port: number };
  const broker = new EmbeddedBroker({ port });
  await expect(broker.start()).rejects.toMatchObject({
    code: 'port-taken',
    message: expect.stringContaining(String(port)),
  });
  expect(broker.running).toBe(false);
});

test('counts connections, bytes, messages', async () => {
  const broker = await startBroker();
  const [a, b] = [await mqttBus(broker), await mqttBus(broker)];
  const inbox = await Inbox.on(b, 'x');
  await a.publish('x', Buffer.alloc(10_000));
  await inbox.have(1);
  const counters = broker.counters();
  expect(counters).toMatchObject({ connections: 2, messages: 1, rejected: {} });
  expect(counters.bytesIn).toBeGreaterThan(10_000);
  expect(counters.bytesIn).toBeLessThan(10_300);
  expect(counters.bytesOut).toBeGreaterThan(10_000);
});

test.each([
  ['garbage', [Buffer.from('\xff\xfe\xfd garbage, not MQTT at all', 'latin1')], 'not-mqtt'],
  ['another protocol', [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')], 'not-mqtt'],
  ['a CONNECT that is garbage', [packet(0x10, Buffer.alloc(50, 0xff))], 'bad-connect'],
  ['a length that never ends', [Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x7f])], 'message-too-large'],
  [
    'a packet of 256 MB, announced',
    [CONNECT('x'), Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f])],
    'message-too-large',
  ],
  ['a message over the limit', [CONNECT('x'), PUBLISH('a', Buffer.alloc(60_000))], 'message-too-large'],
  ['a publish to $SYS', [CONNECT('x'), PUBLISH_1('$SYS/x', Buffer.alloc(3))], 'reserved-topic'],
  ['a topic with too many levels', [CONNECT('x'), PUBLISH('a/'.repeat(40), Buffer.alloc(3))], undefined],
  ['a publish to a wildcard', [CONNECT('x'), PUBLISH('a/#', Buffer.alloc(3))], undefined],
])('cuts off %s, and others do not notice', async (_, packets, reason) => {
  const broker = await startBroker({ maxMessageBytes: 50_000 });
  const client = await RawClient.open(broker.port);
  client.send(...packets);
  await client.closed();
  if (reason) expect(broker.counters().rejected).toEqual({ [reason]: 1 });
  await stillServes(broker);
});

test('cuts off a client that never says CONNECT, or never finishes a packet', async () => {
  const broker = await startBroker({ connectTimeoutMs: 100, packetTimeoutMs: 100 });
  const silent = await RawClient.open(broker.port);
  const half = await RawClient.open(broker.port);
  half.send(CONNECT('half').subarray(0, 5));
  const dribble = await connected(broker, 'dribble');
  dribble.send(PUBLISH('x', Buffer.alloc(1000)).subarray(0, 3));
  await Promise.all([silent.closed(), half.closed(), dribble.closed()]);
  expect(broker.counters().rejected).toMatchObject({ 'slow-packet': expect.any(Number) });
  expect(broker.counters().connections).toBe(0);
  await stillServes(broker);
});

test('cuts off a client that is silent for longer than its keep-alive, and tells its Will', async () => {
  const broker = await startBroker();
  const inbox = await Inbox.on(await localBus(broker), 'wills');
  const client = await RawClient.open(broker.port);
  client.send(CONNECT('silent', { topic: 'wills' }, 1));
  await client.closed();
  await inbox.have(1);
  expect(broker.counters().rejected).toEqual({ silent: 1 });
});

test('a broker that was held up takes nobody for silent who has said something meanwhile', async () => {
  const broker = await startBroker();
  const client = await RawClient.open(broker.port);
  undo.push(() => client.vanish());
  client.send(CONNECT('patient', undefined, 1));
  await client.bytes(4);
  client.send(PINGREQ);
  const until = performance.now() + 2000;
  while (performance.now() < until);
  await client.bytes(6);
  expect(broker.counters()).toMatchObject({ connections: 1, rejected: {} });
});

test('refuses connections over its limit', async () => {
  const broker = await startBroker({ maxConnections: 2 });
  await connected(broker, 'a');
  const second = await connected(broker, 'b');
  const third = await RawClient.open(broker.port);
  await third.closed();
  expect(broker.counters()).toMatchObject({ connections: 2, rejected: { 'too-many-connections': 1 } });
  second.vanish();
  await second.closed();
});

test('refuses shared subscriptions by their SUBACK, keeping the connection', async () => {
  const broker = await startBroker();
  const client = await connected(broker, 'shared');
  client.send(SUBSCRIBE('$share/group/x'));
  expect([...(await client.bytes(9)).subarray(4)]).toEqual([0x90, 3, 0, 1, 0x80]);
  client.send(SUBSCRIBE('x'));
  expect([...(await client.bytes(14)).subarray(9)]).toEqual([0x90, 3, 0, 1, 0]);
  expect(broker.counters().rejected).toEqual({ 'shared-subscription': 1 });
});

test('a Will for $SYS or a wildcard is not published', async () => {
  const broker = await startBroker();
  const bus = await localBus(broker);
  const inbox = await Inbox.on(bus, '#');
  const system = await Inbox.on(bus, '$SYS/evil');
  for (const topic of ['$SYS/evil', 'all/#']) {
    (await RawClient.connected(broker.port, topic, { topic, retain: true })).vanish();
  }
  (await RawClient.connected(broker.port, 'good', { topic: 'good', retain: true })).vanish();
  await inbox.have(1);
  expect(inbox.messages.map((message) => message.topic)).toEqual(['good']);
  expect(system.messages).toEqual([]);
  expect(broker.counters().rejected).toEqual({ 'reserved-topic': 1, 'bad-topic': 1 });
});

test('retained messages have a budget, and removing one frees its part', async () => {
  // Every message counts with its topic and what is kept beside it.
  const broker = await startBroker({ maxRetainedBytes: 1513 });
  const client = await connected(broker, 'hoarder');
  const retain = (topic: string, bytes: number) => PUBLISH(topic, Buffer.alloc(bytes), { retain: true });
  client.send(retain('a', 600), retain('a', 800), retain('a', 0), retain('b', 1000), retain('b', 500));
  const greedy = await connected(broker, 'greedy');
  greedy.send(SUBSCRIBE('b'));
  await greedy.bytes(500);
  greedy.send(retain('c', 501));
  await greedy.closed();
  expect(broker.counters().rejected).toEqual({ 'retained-full': 1 });
});

test('long topics count among what is retained', async () => {
  const broker = await startBroker({ maxRetainedBytes: 200_000 });
  const hoarder = await connected(broker, 'hoarder');
  const retain = (name: string) => PUBLISH(name.repeat(60_000), Buffer.from('1'), { retain: true });
  hoarder.send(retain('a'), retain('b'), retain('c'), retain('d'));
  await hoarder.closed();
  expect(broker.counters().rejected).toEqual({ 'retained-full': 1 });
});

test('takes a picture of the size that pipelines take', async () => {
  const broker = await startBroker();
  const local = await localBus(broker);
  const inbox = await Inbox.on(local, 'frame');
  const { maxImageBytes } = settle().limits;
  const camera = new MqttBus({ url: broker.url, maxMessageBytes: maxImageBytes });
  await camera.start();
  undo.push(() => camera.stop());
  await camera.publish('frame', Buffer.alloc(maxImageBytes, 7), { qos: 1 });
  expect((await inbox.have(1))[0]?.payload.length).toBe(maxImageBytes);
  expect(broker.counters().rejected).toEqual({});
});

test('a message published right behind a retained one does not make it look like a duplicate', async () => {
  const broker = await startBroker();
  const bus = await mqttBus(broker);
  const inbox = await Inbox.on(bus, 'x/+', { qos: 1 });
  const client = await connected(broker, 'speaker');
  for (let i = 0; i < 20; i++) {
    client.send(
      PUBLISH('x/retained', Buffer.from([i]), { retain: true }),
      PUBLISH('x/plain', Buffer.from([i])),
    );
  }
  await inbox.have(40);
  for (const topic of ['x/retained', 'x/plain']) {
    const got = inbox.messages.filter((message) => message.topic === topic);
    expect(got.map((message) => message.payload[0])).toEqual([...Array(20).keys()]);
  }
});

test('overlapping filters of one client still deliver a message once', async () => {
  const broker = await startBroker();
  const client = await connected(broker, 'overlap');
  client.send(SUBSCRIBE('a/+'), SUBSCRIBE('a/b'), SUBSCRIBE('end'));
  await client.bytes(4 + 15);
  const bus = await localBus(broker);
  await bus.publish('a/b', Buffer.from('once'));
  await bus.publish('end', Buffer.from('end'));
  const expected = Buffer.concat([PUBLISH('a/b', Buffer.from('once')), PUBLISH('end', Buffer.from('end'))]);
  expect((await client.bytes(19 + expected.length)).subarray(19)).toEqual(expected);
});

test('a frozen subscriber is cut off, and meanwhile holds up only what is published to it', async () => {
  const broker = await startBroker({ stallMs: 400 });
  const frozen = await connected(broker, 'frozen');
  frozen.send(SUBSCRIBE('to/frozen'));
  await frozen.bytes(9);
  frozen.freeze();
  const bus = await localBus(broker);
  const remote = await mqttBus(broker);
  const inbox = await Inbox.on(remote, 'to/lively');
  const tile = Buffer.alloc(800_000);
  let held = 0;
  // Far more than the socket's and the broker's buffers take.
  const toFrozen = (async () => {
    for (let i = 0; i < 40; i++) {
      await bus.publish('to/frozen', tile);
      held++;
    }
  })();
  for (let i = 0; i < 10; i++) await bus.publish('to/lively', tile);
  await inbox.have(10);
  expect(held).toBeLessThan(40);
  expect(broker.counters().rejected).toEqual({});
  await toFrozen;
  expect(broker.counters().rejected).toEqual({ stalled: 1 });
});

test('a slow but steady subscriber is not cut off, however long its buffer takes to empty', async () => {
  const broker = await startBroker({ stallMs: 1_000, clientBufferBytes: 32 * 2 ** 20 });
  const slow = await connected(broker, 'slow');
  slow.send(SUBSCRIBE('to/slow'));
  await slow.bytes(9);
  const bus = await localBus(broker);
  const tile = Buffer.alloc(800_000, 7);
  const sent = (async () => {
    for (let i = 0; i < 20; i++) await bus.publish('to/slow', tile);
  })();
  // Reads a little, pauses, reads on: the buffers are full all the while, and yet the link moves.
  const total = 9 + 20 * PUBLISH('to/slow', tile).length;
  for (let want = 500_000; want < total; want += 500_000) {
    slow.thaw();
    await slow.arrived(want);
    slow.freeze();
    await setTimeout(60);
  }
  slow.thaw();
  await slow.arrived(total);
  await sent;
  expect(broker.counters().rejected).toEqual({});
});

test('stops with clients connected, and its port is free again', async () => {
  const broker = await startBroker();
  const { port } = broker;
  const raw = await connected(broker, 'a');
  await RawClient.open(port);
  await broker.stop();
  await raw.closed();
  const next = new EmbeddedBroker({ port });
  await next.start();
  await next.stop();
});

test('a payload from a remote client stays as it is after later ones arrive', async () => {
  const broker = await startBroker();
  const local = await localBus(broker);
  const remote = await mqttBus(broker);
  const inbox = await Inbox.on(local, 'x');
  for (let i = 0; i < 300; i++) await remote.publish('x', Buffer.alloc(1 + i * 100, i));
  const messages = await inbox.have(300);
  expect(messages.every(({ payload }, i) => payload.length === 1 + i * 100)).toBe(true);
  expect(messages.every(({ payload }, i) => payload.every((byte) => byte === (i & 0xff)))).toBe(true);
});

test('a payload published locally is the same memory for a local subscriber', async () => {
  const bus = await localBus(await startBroker());
  const inbox = await Inbox.on(bus, 'x');
  const payload = Buffer.from('shared');
  await bus.publish('x', payload);
  expect((await inbox.have(1))[0]?.payload).toBe(payload);
});

test('keeps no sessions', async () => {
  const broker = await startBroker();
  const options = { url: broker.url, session: 'kept', clientId: 'same' } as const;
  const first = new MqttBus(options);
  await first.start();
  await Inbox.on(first, 'x', { qos: 1 });
  await first.stop();
  const bus = await localBus(broker);
  await bus.publish('x', Buffer.from('missed'), { qos: 1 });
  const second = new MqttBus(options);
  await second.start();
  undo.push(() => second.stop());
  const inbox = await Inbox.on(second, 'x', { qos: 1 });
  await bus.publish('x', Buffer.from('seen'), { qos: 1 });
  await inbox.have(1);
  expect(inbox.texts).toEqual(['seen']);
});
