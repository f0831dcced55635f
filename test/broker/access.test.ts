/** A broker for some: a key to connect, one topic to publish, nothing to subscribe. */

import mqtt, { type MqttClient } from 'mqtt';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { LocalBus } from '../../services/broker/local-bus.ts';
import { MqttBus } from '../../services/core/bus/mqtt.ts';
import { Inbox } from '../support/inbox.ts';

const KEY = 'the key';
const OPEN = 'tilepipe/worker/w/in';

let broker: EmbeddedBroker;
let inside: LocalBus;
const undo: (() => unknown)[] = [];

beforeEach(async () => {
  broker = new EmbeddedBroker({ port: 0, access: { key: KEY, topics: [OPEN] } });
  await broker.start();
  inside = new LocalBus({ broker });
  await inside.start();
});

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
  await inside.stop();
  await broker.stop();
});

async function client(): Promise<MqttClient> {
  const made = await mqtt.connectAsync(broker.url, { password: KEY, username: 'any', reconnectPeriod: 0 });
  undo.push(() => made.endAsync(true));
  return made;
}

it('brings what is published on the topic, to those inside', async () => {
  const inbox = await Inbox.on(inside, OPEN);
  const bus = new MqttBus({ url: broker.url, username: 'neighbour', password: KEY });
  await bus.start();
  undo.push(() => bus.stop());
  await bus.publish(OPEN, Buffer.from('strip'));
  await inbox.have(1);
  expect(broker.counters().rejected).toEqual({});
});

it.each([undefined, '', 'the kex', 'the key '])('takes nobody with the password %j', async (password) => {
  const bus = new MqttBus({ url: broker.url, username: 'neighbour', password });
  await expect(bus.start()).rejects.toMatchObject({ code: 'broker-refused' });
  expect(broker.counters().rejected['bad-key']).toBe(1);
});

it.each([
  ['on another topic', 'tilepipe/worker/x/in', { qos: 0 }],
  ['to be retained', OPEN, { qos: 0, retain: true }],
] as const)('cuts off who publishes %s', async (_, topic, options) => {
  const other = await client();
  const closed = new Promise<void>((resolve) => other.once('close', resolve));
  other.publish(topic, 'x', options);
  await closed;
  expect(broker.counters().rejected['not-allowed']).toBe(1);
});

it('lets nobody from outside subscribe, not even the topic', async () => {
  const other = await client();
  for (const filter of [OPEN, '#', '$SYS/#']) {
    const granted = await other.subscribeAsync(filter).catch(() => []);
    expect(granted.every(({ qos }) => qos === 128)).toBe(true);
  }
  expect(broker.counters().rejected['not-allowed']).toBe(3);
});

it('publishes no will on another topic', async () => {
  const heard: string[] = [];
  await inside.subscribe('#', ({ topic, payload }) => heard.push(`${topic} ${payload}`));
  const other = await mqtt.connectAsync(broker.url, {
    password: KEY,
    username: 'any',
    reconnectPeriod: 0,
    will: { topic: 'tilepipe/status/worker/w', payload: Buffer.from('gone'), qos: 0, retain: true },
  });
  const last = await Inbox.on(inside, OPEN);
  other.stream.destroy();
  const next = await client();
  next.publish(OPEN, 'after it');
  await last.have(1);
  expect(heard).toEqual([`${OPEN} after it`]);
});
