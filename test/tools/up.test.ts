import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import { readConfig } from '../../tools/config.ts';
import { Up } from '../../tools/up.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { freePort } from '../support/free-port.ts';
import { residualNetwork } from '../support/networks.ts';

const folder = temporaryFolder();
const broker = new EmbeddedBroker({ port: 0 });
afterAll(async () => {
  await broker.stop();
  folder.remove();
});

test('workers are there until the splitter and the merger have drained', async () => {
  await broker.start();
  writeFileSync(join(folder.path, 'network.onnx'), residualNetwork());
  const file = join(folder.path, 'tilepipe.yaml');
  const config = {
    broker: { url: broker.url },
    store: { port: await freePort() },
    workers: { count: 1 },
    pipelines: [{ name: 'p', model: 'network.onnx', grid: '2x2' }],
  };
  writeFileSync(file, JSON.stringify(config));
  const listener = new Connections({ url: broker.url, service: 'listener' });
  await listener.start();
  const ended: string[] = [];
  const waiting = new Map<string, () => void>();
  const until = (what: string) => new Promise<void>((resolve) => waiting.set(what, resolve));
  await listener.control.subscribe('tilepipe/status/+/+', ({ payload }) => {
    const {
      id,
      state,
      plans = {},
    } = JSON.parse(payload.toString()) as {
      id: string;
      state: string;
      plans?: Record<string, { state: string }>;
    };
    if (state === 'offline') ended.push(id);
    const ready = Object.values(plans).some((plan) => plan.state === 'ready');
    waiting.get(`${id} ${ready && state === 'online' ? 'ready' : state}`)?.();
  });
  const ready = until('worker-0 ready');
  const gone = until('worker-0 offline');
  const up = new Up(readConfig(file), file);
  await up.start();
  await ready;
  await up.stop();
  await gone;
  expect(ended).toEqual(['splitter', 'merger', 'controller', 'worker-0']);
  await listener.stop();
});

test('a start that is stopped half-way leaves nothing behind', async () => {
  const file = join(folder.path, 'early.yaml');
  const port = await freePort();
  const config = {
    broker: { port },
    store: { port: await freePort() },
    pipelines: [{ name: 'p', model: 'network.onnx', grid: '2x2' }],
  };
  writeFileSync(file, JSON.stringify(config));
  const up = new Up(readConfig(file), file);
  const starting = up.start();
  await up.stop();
  await expect(starting).rejects.toMatchObject({ code: 'interrupted' });
  const next = new EmbeddedBroker({ port });
  await next.start();
  await next.stop();
});
