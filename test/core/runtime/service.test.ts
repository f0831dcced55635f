import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { EmbeddedBroker } from '../../../services/broker/embedded-broker.ts';
import { LocalBus, LocalChannels } from '../../../services/broker/local-bus.ts';
import type { Bus } from '../../../services/core/bus/bus.ts';
import { Connections } from '../../../services/core/bus/connections.ts';
import { MqttBus } from '../../../services/core/bus/mqtt.ts';
import { entryPath } from '../../../services/core/runtime/entry.ts';
import { createLog } from '../../../services/core/runtime/log.ts';
import { type Part, Service, type ServiceOptions } from '../../../services/core/runtime/service.ts';
import { validator } from '../../../services/core/runtime/validate.ts';
import { type Status, statusSchema } from '../../../services/core/schema/generated/status.ts';
import { freePort } from '../../support/free-port.ts';
import { Inbox, nextUp } from '../../support/inbox.ts';
import { Relay } from '../../support/relay.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});
const log = createLog('test', { level: 'silent' });
const valid = validator<Status>(statusSchema, 'wire-invalid');
const statuses = (inbox: Inbox) => inbox.messages.map(({ payload }) => valid(JSON.parse(payload.toString())));

async function startBroker(): Promise<EmbeddedBroker> {
  const broker = new EmbeddedBroker({ port: 0 });
  await broker.start();
  undo.push(() => broker.stop());
  return broker;
}

async function watch(broker: EmbeddedBroker): Promise<Inbox> {
  const bus = new LocalBus({ broker });
  await bus.start();
  undo.push(() => bus.stop());
  return Inbox.on(bus, 'tilepipe/status/worker/a', { qos: 1 });
}

function idlePart(changes: Partial<Part> = {}): Part {
  const nothing = async () => {};
  return { start: nothing, drain: nothing, stop: nothing, ready: () => true, ...changes };
}

function worker(url: string, changes: Partial<ServiceOptions> = {}): Service {
  const service = new Service({
    role: 'worker',
    id: 'a',
    part: idlePart(),
    connect: (will) => new Connections({ url, service: 'worker-a', will }),
    log,
    ...changes,
  });
  undo.push(() => service.stop());
  return service;
}

test('lives from starting over online and draining to offline, told as a retained status', async () => {
  const broker = await startBroker();
  const seen = await watch(broker);
  const order: string[] = [];
  const part = idlePart({
    start: async (service) => {
      order.push('start');
      expect(service.channels.connected).toBe(true);
    },
    drain: async () => void order.push('drain'),
    stop: async () => void order.push('stop'),
    details: () => ({ slots: 2, executor: 'test' }),
  });
  const service = worker(broker.url, { part, inbox: true });
  expect(service.state).toBe('offline');
  await service.start();
  expect(service.ready).toBe(true);
  await service.stop('SIGTERM');
  await seen.have(4);
  expect(order).toEqual(['start', 'drain', 'stop']);
  expect(statuses(seen).map(({ state }) => state)).toEqual(['starting', 'online', 'draining', 'offline']);
  const [, online, , offline] = statuses(seen);
  expect(online).toMatchObject({ inbox: 'tilepipe/worker/a/in', slots: 2, executor: 'test', wire: [1] });
  expect(online?.rssBytes).toBeGreaterThan(1e6);
  expect(offline).toMatchObject({ reason: 'SIGTERM', inbox: 'tilepipe/worker/a/in' });
  const late = await watch(broker);
  await late.have(1);
  expect(statuses(late)[0]?.state).toBe('offline');
});

test('says its status again when something changed, after a reconnect, and now and then', async () => {
  const broker = await startBroker();
  const relay = new Relay(broker.port);
  await relay.start();
  undo.push(() => relay.stop());
  const seen = await watch(broker);
  let slots = 1;
  const part = idlePart({ details: () => ({ slots }) });
  const service = worker(relay.url, { part, refreshMs: 60_000 });
  await service.start();
  slots = 2;
  await service.say();
  await seen.have(3);
  expect(statuses(seen).map(({ state, slots }) => `${state} ${slots}`)).toEqual([
    'starting 1',
    'online 1',
    'online 2',
  ]);
  const up = nextUp(service.channels.control);
  relay.cut();
  await up;
  await seen.have(5);
  expect(statuses(seen).slice(3)).toMatchObject([
    { state: 'offline', reason: 'connection lost' },
    { state: 'online', slots: 2 },
  ]);
  await service.stop();
  const refreshed = worker(relay.url, { refreshMs: 20 });
  const before = seen.messages.length;
  await refreshed.start();
  await seen.have(before + 5);
  expect(statuses(seen).at(-1)).toMatchObject({ state: 'online' });
});

test('a Will of a former connection that comes late is said otherwise at once', async () => {
  const broker = await startBroker();
  const seen = await watch(broker);
  const service = worker(broker.url);
  await service.start();
  await seen.have(2);
  const bus = new LocalBus({ broker });
  await bus.start();
  undo.push(() => bus.stop());
  const { state: _state, ...rest } = service.status();
  const will = Buffer.from(JSON.stringify({ ...rest, state: 'offline', reason: 'connection lost' }));
  await bus.publish('tilepipe/status/worker/a', will, { qos: 1, retain: true });
  await seen.have(4);
  expect(statuses(seen).map(({ state }) => state)).toEqual(['starting', 'online', 'offline', 'online']);
});

test('waits for work in flight when it drains, and not for ever', async () => {
  const broker = await startBroker();
  let finish = () => {};
  let draining = false;
  const part = idlePart({
    drain: () => {
      draining = true;
      return new Promise((resolve) => {
        finish = resolve;
      });
    },
  });
  const patient = worker(broker.url, { part });
  await patient.start();
  const seen = await watch(broker);
  const stopped = patient.stop();
  expect(patient.stop()).toBe(stopped);
  while (!draining) await seen.have(seen.messages.length + 1);
  expect(patient.state).toBe('draining');
  expect(patient.ready).toBe(false);
  finish();
  await stopped;
  expect(patient.state).toBe('offline');
  const hasty = worker(broker.url, { part, drainMs: 20 });
  await hasty.start();
  await hasty.stop();
  expect(hasty.state).toBe('offline');
});

test('a part that fails to start leaves nothing behind', async () => {
  const broker = await startBroker();
  const part = idlePart({ start: () => Promise.reject(new Error('no model')) });
  const service = worker(broker.url, { part });
  await expect(service.start()).rejects.toThrow('no model');
  const seen = await watch(broker);
  await seen.have(1);
  expect(statuses(seen)[0]).toMatchObject({ state: 'offline', reason: 'no model' });
  expect(service.channels.connected).toBe(false);
});

test('an absent broker rejects the start', async () => {
  const url = `mqtt://127.0.0.1:${await freePort()}`;
  const service = worker(url, {
    connect: (will) => new Connections({ url, service: 'worker-a', will, connectTimeoutMs: 200 }),
  });
  await expect(service.start()).rejects.toMatchObject({ code: 'broker-unreachable' });
  expect(service.state).toBe('offline');
});

test('answers health over HTTP: live without the broker, ready only with it', async () => {
  const broker = await startBroker();
  const port = await freePort();
  let work = false;
  const service = worker(broker.url, { health: { port }, part: idlePart({ ready: () => work }) });
  await service.start();
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { code: response.status, body: await response.json() };
  };
  expect(await get('/healthz')).toEqual({ code: 200, body: { live: true } });
  expect(await get('/readyz')).toMatchObject({
    code: 503,
    body: { ready: false, broker: true, work: false },
  });
  work = true;
  expect(await get('/readyz')).toMatchObject({ code: 200, body: { ready: true, state: 'online' } });
  expect(valid((await get('/status')).body)).toMatchObject({ role: 'worker', id: 'a', state: 'online' });
  expect((await get('/elsewhere')).code).toBe(404);
  const down = new Promise<void>((resolve) => service.channels.data.onDown(resolve));
  await broker.stop();
  await down;
  expect(await get('/healthz')).toMatchObject({ code: 200 });
  expect(await get('/readyz')).toMatchObject({ code: 503, body: { broker: false } });
  await expect(worker(broker.url, { health: { port } }).start()).rejects.toMatchObject({
    code: 'port-taken',
  });
});

test('lives the same over the local bus', async () => {
  const broker = await startBroker();
  const seen = await watch(broker);
  const service = worker('', { connect: () => new LocalChannels({ broker }) });
  await service.start();
  const [control, intake] = [service.channels.control, await service.channels.intake()];
  expect(intake).toBe<Bus>(control);
  await service.stop();
  await seen.have(4);
  expect(statuses(seen).map(({ state }) => state)).toEqual(['starting', 'online', 'draining', 'offline']);
});

test('refuses a name that cannot stand in a topic', () => {
  expect(() => worker('', { id: 'a/b' })).toThrow('cannot stand in a topic');
});

// The built program, as a process of its own: signals reach nothing less.
function brokerProcess(port: number): ChildProcess {
  const main = JSON.stringify(entryPath('services/broker/main'));
  return script(`const { runBroker } = await import(${main}); await runBroker({ port: ${port} });`);
}

function script(text: string): ChildProcess {
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TILEPIPE_LOG: 'info' },
  });
  undo.push(() => child.kill('SIGKILL'));
  return child;
}

async function lineWith(child: ChildProcess, text: string): Promise<void> {
  let seen = '';
  const { stderr } = child;
  if (!stderr) throw new Error('stderr is not piped');
  await new Promise<void>((resolve, reject) => {
    stderr.on('data', (chunk) => {
      seen += chunk;
      if (seen.includes(text)) resolve();
    });
    stderr.once('end', () => reject(new Error(`the process ended without "${text}": ${seen}`)));
  });
}

test('a process ends with 0 on SIGTERM, having said goodbye', async () => {
  const port = await freePort();
  const child = brokerProcess(port);
  await lineWith(child, '"online"');
  const bus = new MqttBus({ url: `mqtt://127.0.0.1:${port}` });
  await bus.start();
  undo.push(() => bus.stop());
  const seen = await Inbox.on(bus, 'tilepipe/status/broker/broker', { qos: 1 });
  await seen.have(1);
  child.kill('SIGTERM');
  expect((await once(child, 'exit'))[0]).toBe(0);
  expect(statuses(seen).map(({ state }) => state)).toEqual(['online', 'draining', 'offline']);
});

test('a process that cannot start exits with the code of its error', async () => {
  const broker = await startBroker();
  const child = brokerProcess(broker.port);
  const [[code]] = await Promise.all([once(child, 'exit'), lineWith(child, '"port-taken"')]);
  expect(code).toBe(4);
});

test('a second signal ends a process that does not get done, at once and not with 0', async () => {
  const run = JSON.stringify(entryPath('services/core/runtime/run-service'));
  const child = script(`
    const { runService } = await import(${run});
    const say = (text) => process.stderr.write(text + '\\n');
    const held = setInterval(() => {}, 1000);
    const service = { start: async () => say('up'), stop: (why) => new Promise(() => say('draining for ' + why)) };
    await runService(service, console);
  `);
  await lineWith(child, 'up');
  child.kill('SIGINT');
  await lineWith(child, 'draining for SIGINT');
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([1, null]);
});
