/** One client's socket: what the broker's own tests would have to wait for. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { GuardedConnection } from '../../services/broker/guarded-connection.ts';
import { PayloadMemory } from '../../services/broker/payload-memory.ts';

test('a client that was quiet for as long as one may stall is cut off when it stalls later', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  const [socket] = (await once(server, 'connection')) as [Socket];
  const rejected: string[] = [];
  let held = false;
  const connection = new GuardedConnection(socket, {
    limits: { maxPacketBytes: 1000, clientBufferBytes: 1000, stallMs: 3_600_000 },
    counters: { bytesIn: 0, bytesOut: 0 },
    memory: new PayloadMemory(),
    wasHeld: () => held,
    onReject: (reason) => rejected.push(reason),
  });
  // As Node says it when the time is over.
  socket.emit('timeout');
  connection.write(Buffer.alloc(64 * 2 ** 20));
  held = true;
  socket.emit('timeout');
  expect(rejected).toEqual([]);
  held = false;
  socket.emit('timeout');
  expect(rejected).toEqual(['stalled']);
  client.destroy();
  server.close();
  await once(server, 'close');
});
