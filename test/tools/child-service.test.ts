/** What service processes are told of their broker, and what anybody can read of that in a list of processes. */

import { execFileSync } from 'node:child_process';
import { Command } from 'commander';
import { afterEach, expect, test } from 'vitest';
import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import type { BrokerAddress } from '../../services/core/bus/connections.ts';
import { brokerArguments } from '../../tools/child-service.ts';
import { type BrokerFlags, brokerAddress, brokerOptions } from '../../tools/service-flags.ts';
import { splitterService } from '../../tools/services.ts';
import { WorkerProcess } from '../../tools/worker-process.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const ADDRESS = {
  url: 'mqtt://me:secret@127.0.0.1:1',
  root: 'house',
  protocolVersion: 5,
  maxMessageBytes: 2_000_000,
} as const satisfies BrokerAddress;

test('a service process is told everything but credentials as arguments, and those in its environment', () => {
  const { argv, env } = brokerArguments(ADDRESS);
  const flags = brokerOptions(new Command()).parse(argv, { from: 'user' }).opts<BrokerFlags>();
  expect(brokerAddress(flags)).toEqual({ ...ADDRESS, url: 'mqtt://127.0.0.1:1' });
  expect(env).toMatchObject({ TILEPIPE_BROKER_USERNAME: 'me', TILEPIPE_BROKER_PASSWORD: 'secret' });
  expect(argv.join(' ')).not.toContain('secret');
});

test('a password is in no list of processes', () => {
  const worker = new WorkerProcess({ id: 'secretive', broker: ADDRESS });
  worker.start();
  undo.push(() => worker.stop());
  const line = execFileSync('ps', ['-o', 'args=', '-p', String(worker.pid)], { encoding: 'utf8' });
  expect(line).toContain('--id secretive');
  expect(line).toContain('--max-message-bytes 2000000');
  expect(line).not.toContain('secret@');
});

test("a service in the broker's process sends messages as large as it is told", async () => {
  const broker = new EmbeddedBroker({ port: 0 });
  const { channels } = splitterService({ id: 's', place: { broker, maxMessageBytes: 2_000_000 } });
  expect(channels.data.maxMessageBytes).toBe(2_000_000);
});
