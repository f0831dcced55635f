import { expect, test } from 'vitest';
import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import { Client } from '../../tools/client.ts';
import { problem } from '../support/tensors.ts';

test('a frame that the broker does not take ends with its reason, not with a wait', async () => {
  const broker = new EmbeddedBroker({ port: 0, limits: { maxMessageBytes: 20_000 } });
  await broker.start();
  const channels = new Connections({ url: broker.url, service: 'client', maxMessageBytes: 1_000_000 });
  await channels.start();
  const client = new Client(channels, 'garden', 'test');
  await client.start();
  await expect(client.send(Buffer.alloc(30_000), 500)).rejects.toEqual(
    problem('message-too-large', 'has not taken a frame of garden'),
  );
  await client.stop();
  await channels.stop();
  await broker.stop();
});
