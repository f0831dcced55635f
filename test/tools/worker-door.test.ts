/** Where others are told to find a worker's own broker. */

import { once } from 'node:events';
import { createConnection } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { MqttBus } from '../../services/core/bus/mqtt.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import { WorkerDoor, type WorkerDoorOptions } from '../../tools/worker-door.ts';

const log = createLog('test', { level: 'silent' });
let door: WorkerDoor | undefined;
afterEach(() => door?.close());

async function opened(options: WorkerDoorOptions, facing?: string): Promise<{ url: string; key: string }> {
  door = new WorkerDoor(options);
  return (await door.open({ id: 'w', inbox: 'tilepipe/worker/w/in', facing, log })).endpoint;
}

test.each([
  ['beside the broker, by the name others have for that', undefined, undefined, 'broker'],
  ['at the address that faces the broker', undefined, '127.0.0.1', '127.0.0.1'],
  ['at it as well where it listens everywhere', '0.0.0.0', '10.1.2.3', '10.1.2.3'],
  ['in brackets, of version 6', '0.0.0.0', 'fd00::7', '\\[fd00::7\\]'],
])('%s', async (_, host, facing, name) => {
  expect((await opened({ port: 0, host }, facing)).url).toMatch(new RegExp(`^mqtt://${name}:\\d+$`));
});

// Elsewhere loopback has one address.
test.runIf(process.platform === 'linux')('beside the broker it is there at every address', async () => {
  const { url } = await opened({ port: 0 });
  const socket = createConnection(Number(new URL(url).port), '127.0.0.2');
  await once(socket, 'connect');
  socket.destroy();
});

test('has another key each time, and takes no other', async () => {
  const first = await opened({ port: 0, host: '127.0.0.1' });
  await door?.close();
  const { url, key } = await opened({ port: 0, host: '127.0.0.1' });
  expect(key).not.toBe(first.key);
  const bus = new MqttBus({ url: url.replace('broker', '127.0.0.1'), username: 'v', password: first.key });
  await expect(bus.start()).rejects.toMatchObject({ code: 'broker-refused' });
  expect(door?.counters()).toMatchObject({ 'endpoint.rejected.bad-key': 1 });
});
