import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import { MqttBus } from '../../services/core/bus/mqtt.ts';
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
    broker: { url: broker.url.replace('//', '//me:secret@'), maxMessageBytes: 1_000_000 },
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
  const lines = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
  const ours = lines.filter((line) => line.includes(`:${broker.port}`));
  expect(ours).toEqual([expect.stringMatching(/worker-0.*--max-message-bytes 1000000/)]);
  expect(ours.join()).not.toContain('secret');
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

test('its broker takes pictures as large as its pipelines do', async () => {
  const file = join(folder.path, 'large.yaml');
  const port = await freePort();
  const maxImageBytes = 20 * 2 ** 20;
  const config = {
    broker: { port },
    store: { port: await freePort() },
    workers: { count: 0 },
    pipelines: [{ name: 'p', model: 'network.onnx', grid: '2x2', limits: { maxImageBytes } }],
  };
  writeFileSync(file, JSON.stringify(config));
  const up = new Up(readConfig(file), file);
  await up.start();
  const camera = new MqttBus({ url: `mqtt://127.0.0.1:${port}`, maxMessageBytes: maxImageBytes });
  await camera.start();
  await camera.publish('large', Buffer.alloc(maxImageBytes), { qos: 1 });
  expect(camera.counters()).toMatchObject({ publishedMessages: 1, reconnects: 0 });
  await camera.stop();
  await up.stop();
});
