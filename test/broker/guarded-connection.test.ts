/** One client's socket: what the broker's own tests would have to wait for. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { GuardedConnection } from '../../services/broker/guarded-connection.ts';
import { PayloadMemory } from '../../services/broker/payload-memory.ts';

const STALL_MS = 3_600_000;
const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

/** A client that takes nothing, and the broker's end of it. */
async function frozen(): Promise<{ socket: Socket; connection: GuardedConnection }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  const [socket] = (await once(server, 'connection')) as [Socket];
  const connection = new GuardedConnection(socket, {
    limits: {
      maxPacketBytes: 1000,
      clientBufferBytes: 1000,
      stallMs: STALL_MS,
      packetTimeoutMs: STALL_MS,
    },
    counters: { bytesIn: 0, bytesOut: 0 },
    memory: new PayloadMemory(),
    onReject: () => {},
  });
  undo.push(async () => {
    client.destroy();
    connection.destroy();
    server.close();
    await once(server, 'close');
  });
  return { socket, connection };
}

/** As Node says it when nothing has moved for the time given. */
const still = (socket: Socket) => socket.emit('timeout');

test('a client that was quiet for as long as one may stall is cut off when it stalls later', async () => {
  const { socket, connection } = await frozen();
  still(socket);
  expect(connection.overdue(0)).toBeUndefined();
  connection.write(Buffer.alloc(64 * 2 ** 20));
  expect(connection.overdue(0)).toBeUndefined();
  still(socket);
  expect(connection.overdue(0)).toBe('stalled');
});

test('time in which this process wrote nothing is not the client’s, and yet a frozen one is cut off', async () => {
  const { socket, connection } = await frozen();
  connection.write(Buffer.alloc(64 * 2 ** 20));
  // Held up for a tenth of every stretch, before or after Node notices that nothing moved.
  expect(connection.overdue(STALL_MS / 10)).toBeUndefined();
  still(socket);
  expect(connection.overdue(0)).toBeUndefined();
  still(socket);
  expect(connection.overdue(STALL_MS / 10)).toBe('stalled');
});

test('what was held up while the client took all there was excuses no later stall', async () => {
  const { socket, connection } = await frozen();
  expect(connection.overdue(10 * STALL_MS)).toBeUndefined();
  connection.write(Buffer.alloc(64 * 2 ** 20));
  still(socket);
  expect(connection.overdue(0)).toBe('stalled');
});

test('a promise kept too late counts, less the time in which nothing was read', async () => {
  const { connection } = await frozen();
  // It is read from.
  connection.read(0);
  connection.promised(1);
  expect(connection.overdue(STALL_MS)).toBeUndefined();
  connection.promised(0);
  expect(connection.overdue(0)).toBeUndefined();
});
