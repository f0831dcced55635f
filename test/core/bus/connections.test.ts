import { hostname } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import { EmbeddedBroker } from '../../../services/broker/embedded-broker.ts';
import { Connections, facing, withoutUserInfo } from '../../../services/core/bus/connections.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const REMOTE = 'mqtt://hub.example';

test.each([
  ['both ends on loopback', { local: '127.0.0.1', remote: '127.0.0.1' }, REMOTE, undefined],
  ['both ends one address of the network', { local: '192.0.2.7', remote: '192.0.2.7' }, REMOTE, undefined],
  ['another machine', { local: '192.0.2.7', remote: '192.0.2.1' }, REMOTE, '192.0.2.7'],
  [
    'another machine, by a mapped address',
    { local: '::ffff:192.0.2.7', remote: '::ffff:192.0.2.1' },
    REMOTE,
    '192.0.2.7',
  ],
  ['another machine, over IPv6', { local: '2001:db8::7', remote: '2001:db8::1' }, REMOTE, '2001:db8::7'],
  ['an address of one link', { local: 'fe80::7', remote: 'fe80::1' }, REMOTE, hostname()],
  ['ends unknown', undefined, REMOTE, hostname()],
  ['ends unknown, the name is loopback', undefined, 'ws://localhost:9001', undefined],
])('what faces the broker: %s', (_, ends, url, expected) => {
  expect(facing(ends, url)).toBe(expected);
});

test('the ends of a connection are known once it is there', async () => {
  const broker = new EmbeddedBroker({ port: 0 });
  await broker.start();
  undo.push(() => broker.stop());
  const connections = new Connections({ url: broker.url, service: 'c' });
  expect(connections.control.ends).toBeUndefined();
  undo.push(() => connections.stop());
  await connections.start();
  expect(connections.control.ends).toEqual({ local: '127.0.0.1', remote: '127.0.0.1' });
  expect(connections.facing).toBeUndefined();
});

test.each([
  [{ url: 'mqtt://hub:1883' }, { url: 'mqtt://hub:1883' }],
  [{ url: 'mqtt://me:p%40ss@hub' }, { url: 'mqtt://hub', username: 'me', password: 'p@ss' }],
  [
    { url: 'mqtts://me@hub:8883/', password: 'q' },
    { url: 'mqtts://hub:8883/', username: 'me', password: 'q' },
  ],
  [
    { url: 'mqtt://a:b@hub', username: 'c', password: 'd' },
    { url: 'mqtt://hub', username: 'a', password: 'b' },
  ],
  [{ url: 'mqtt://me:100%@hub' }, { url: 'mqtt://hub', username: 'me', password: '100%' }],
  [{ url: 'no address' }, { url: 'no address' }],
])('the user of %o becomes %o', (given, expected) => {
  expect(withoutUserInfo(given)).toEqual(expected);
});
