/** What only a connection over the network has: losses, refusals, limits told by the broker. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { EmbeddedBroker } from '../../../services/broker/embedded-broker.ts';
import { Connections, credentials } from '../../../services/core/bus/connections.ts';
import { MqttBus, type MqttBusOptions } from '../../../services/core/bus/mqtt.ts';
import { freePort } from '../../support/free-port.ts';
import { Inbox, nextDown, nextUp } from '../../support/inbox.ts';
import { Mosquitto, type MosquittoOptions, mosquittoInstalled } from '../../support/mosquitto.ts';
import { Relay } from '../../support/relay.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

function mqttBus(options: MqttBusOptions): MqttBus {
  const bus = new MqttBus(options);
  undo.push(() => bus.stop());
  return bus;
}

async function started(options: MqttBusOptions): Promise<MqttBus> {
  const bus = mqttBus(options);
  await bus.start();
  return bus;
}

async function relayTo(port: number): Promise<Relay> {
  const relay = new Relay(port);
  await relay.start();
  undo.push(() => relay.stop());
  return relay;
}

interface Broker {
  readonly url: string;
  readonly port: number;
  pause(): Promise<void>;
  resume(): Promise<void>;
}

async function embedded(): Promise<Broker> {
  const first = new EmbeddedBroker({ port: 0 });
  await first.start();
  const { port, url } = first;
  const broker = new EmbeddedBroker({ port });
  await first.stop();
  await broker.start();
  undo.push(() => broker.stop());
  return { url, port, pause: () => broker.stop(), resume: () => broker.start() };
}

async function mosquitto(options?: MosquittoOptions): Promise<Mosquitto> {
  const broker = await Mosquitto.start(options);
  undo.push(() => broker.stop());
  return broker;
}

const worlds: [string, 4 | 5, () => Promise<Broker>][] = [['the embedded broker', 4, embedded]];
if (mosquittoInstalled) {
  worlds.push(['Mosquitto, MQTT 3.1.1', 4, mosquitto], ['Mosquitto, MQTT 5', 5, mosquitto]);
}

describe.each(worlds)('on %s', (_, protocolVersion, create) => {
  test('publishes the Will of a client that vanishes, and not of one that stops', async () => {
    const broker = await create();
    const relay = await relayTo(broker.port);
    const watcher = await started({ url: broker.url, protocolVersion });
    const inbox = await Inbox.on(watcher, 'status/#', { qos: 1 });
    const will = (name: string) => ({ topic: `status/${name}`, payload: Buffer.from('gone') });
    const polite = await started({ url: broker.url, protocolVersion, will: will('polite') });
    const victim = await started({ url: relay.url, protocolVersion, will: will('victim') });
    await polite.stop();
    relay.cut({ refuse: true });
    expect((await inbox.have(1))[0]).toMatchObject({ topic: 'status/victim', retained: false });
    const late = await Inbox.on(await started({ url: broker.url, protocolVersion }), 'status/#', { qos: 1 });
    expect((await late.have(1))[0]).toMatchObject({ topic: 'status/victim', retained: true });
    expect(victim.connected).toBe(false);
    expect(inbox.messages).toHaveLength(1);
  });

  test('reconnects and subscribes again after the broker restarts on the same port', async () => {
    const broker = await create();
    const listener = await started({ url: broker.url, protocolVersion });
    const speaker = await started({ url: broker.url, protocolVersion });
    const inbox = await Inbox.on(listener, 'tile/+');
    const undone = await listener.subscribe('never', inbox.take);
    const down = Promise.all([nextDown(listener), nextDown(speaker)]);
    await broker.pause();
    await down;
    await undone();
    await listener.subscribe('made/while/away', inbox.take);
    const lost = speaker.publish('tile/a', Buffer.from('lost'));
    await expect(lost).rejects.toMatchObject({ code: 'broker-unreachable' });
    expect(speaker.counters().dropped).toBe(1);
    const kept = speaker.publish('made/while/away', Buffer.from('kept'), { qos: 1 });
    const up = Promise.all([nextUp(listener), nextUp(speaker)]);
    await broker.resume();
    await up;
    await kept;
    await speaker.publish('never', Buffer.from('unsubscribed'));
    await speaker.publish('tile/a', Buffer.from('after'));
    await speaker.publish('made/while/away', Buffer.from('last'));
    while (!inbox.texts.includes('last')) await inbox.have(inbox.messages.length + 1);
    // The QoS 1 message may have been sent before the listener had subscribed again.
    expect(inbox.texts.filter((text) => text !== 'kept')).toEqual(['after', 'last']);
    expect(listener.counters().reconnects).toBe(1);
  });

  test('loses the connection while a large QoS 0 message waits, and says so', async () => {
    const broker = await create();
    const relay = await relayTo(broker.port);
    const bus = await started({ url: relay.url, protocolVersion, sendBufferBytes: 1 });
    const outcomes = [...Array(8)].map(() =>
      bus.publish('big', Buffer.alloc(800_000)).then(
        () => 'sent',
        (error) => error.code,
      ),
    );
    relay.cut({ refuse: true });
    const results = await Promise.all(outcomes);
    expect(results[0]).toBe('sent');
    expect(results.slice(1)).toContain('broker-unreachable');
    expect(bus.counters().dropped).toBe(results.filter((result) => result !== 'sent').length);
  });
});

test('a broker that is absent is unreachable, after the time given', async () => {
  const bus = mqttBus({ url: `mqtt://127.0.0.1:${await freePort()}`, connectTimeoutMs: 300 });
  await expect(bus.start()).rejects.toMatchObject({
    code: 'broker-unreachable',
    message: expect.stringContaining('ECONNREFUSED'),
  });
  expect(bus.connected).toBe(false);
});

test('a broker that comes up meanwhile is reached', async () => {
  const port = await freePort();
  const starting = started({ url: `mqtt://127.0.0.1:${port}`, connectTimeoutMs: 20_000 });
  const broker = new EmbeddedBroker({ port });
  undo.push(() => broker.stop());
  await broker.start();
  expect((await starting).connected).toBe(true);
});

test.each(['localhost:1883', 'http://localhost', 'not an address'])('"%s" is no address', async (url) => {
  await expect(mqttBus({ url }).start()).rejects.toMatchObject({ code: 'config-invalid' });
});

test('an address with a password is not repeated in errors', async () => {
  const url = `mqtt://user:s3cret@127.0.0.1:${await freePort()}`;
  const error = await mqttBus({ url, connectTimeoutMs: 100 })
    .start()
    .catch((caught) => caught);
  expect(error.message).not.toContain('s3cret');
});

test('the embedded broker refuses MQTT 5, and the refusal says so', async () => {
  const broker = await embedded();
  const bus = mqttBus({ url: broker.url, protocolVersion: 5 });
  await expect(bus.start()).rejects.toMatchObject({
    code: 'broker-refused',
    message: expect.stringContaining('version of MQTT'),
  });
});

test('separate connections for control, data and intake, the last one only when asked for', async () => {
  const broker = new EmbeddedBroker({ port: 0 });
  await broker.start();
  undo.push(() => broker.stop());
  const connections = new Connections({ url: broker.url, service: 'splitter-a' });
  undo.push(() => connections.stop());
  await connections.start();
  expect(broker.counters().connections).toBe(2);
  const [intake, same] = await Promise.all([connections.intake(), connections.intake()]);
  expect(intake).toBe(same);
  expect(broker.counters().connections).toBe(3);
  expect(connections.connected).toBe(true);
  expect(connections.control.maxMessageBytes).toBe(900_000);
});

test('credentials come from the configuration, else from the environment, else from a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'secret-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'password');
  execFileSync('sh', ['-c', `printf 'from a file\\n' > ${file}`]);
  const environment = { TILEPIPE_BROKER_USERNAME: 'me', TILEPIPE_BROKER_PASSWORD_FILE: file };
  expect(credentials({}, environment)).toEqual({ username: 'me', password: 'from a file' });
  expect(credentials({}, { ...environment, TILEPIPE_BROKER_PASSWORD: 'p' }).password).toBe('p');
  expect(credentials({ username: 'you', password: 'q' }, environment)).toEqual({
    username: 'you',
    password: 'q',
  });
  const missing = { TILEPIPE_BROKER_PASSWORD_FILE: join(folder, 'none') };
  expect(() => credentials({}, missing)).toThrow('ENOENT');
});

describe.skipIf(!mosquittoInstalled)('what Mosquitto can refuse', () => {
  test.each([4, 5] as const)('a wrong password, MQTT version %i', async (protocolVersion) => {
    const broker = await mosquitto({ users: { worker: 'right' } });
    const options = { url: broker.url, protocolVersion, username: 'worker' };
    await started({ ...options, password: 'right' });
    const refused = mqttBus({ ...options, password: 'wrong' }).start();
    await expect(refused).rejects.toMatchObject({ code: 'broker-refused' });
  });

  test('publishing, by reason code (MQTT 5)', async () => {
    const broker = await mosquitto({
      users: { worker: 'p' },
      files: { acl: 'user worker\ntopic read #\ntopic write allowed/#\n' },
      config: ['acl_file {dir}/acl'],
    });
    const options = { url: broker.url, username: 'worker', password: 'p' };
    const bus = await started({ ...options, protocolVersion: 5 });
    await bus.publish('allowed/x', Buffer.from('x'), { qos: 1 });
    await expect(bus.publish('other/x', Buffer.from('x'), { qos: 1 })).rejects.toMatchObject({
      code: 'broker-refused',
      message: expect.stringContaining('not authorised'),
    });
  });

  test('a packet over its Maximum Packet Size (MQTT 5): the bus stays below it', async () => {
    const broker = await mosquitto({ config: ['max_packet_size 100000'] });
    const bus = await started({ url: broker.url, protocolVersion: 5 });
    expect(bus.maxMessageBytes).toBeLessThan(100_000);
    const inbox = await Inbox.on(bus, 'x');
    const tooLarge = bus.publish('x', Buffer.alloc(100_000), { qos: 1 });
    await expect(tooLarge).rejects.toMatchObject({ code: 'message-too-large' });
    await bus.publish('x', Buffer.alloc(bus.maxMessageBytes), { qos: 1 });
    await inbox.have(1);
    expect(bus.counters().reconnects).toBe(0);
  });

  test('more QoS 1 messages at once than it takes (MQTT 5): the bus keeps to its window', async () => {
    const broker = await mosquitto({ config: ['max_inflight_messages 3'] });
    const bus = await started({ url: broker.url, protocolVersion: 5 });
    const inbox = await Inbox.on(bus, 'x', { qos: 1 });
    const sent = [...Array(100).keys()].map((i) => bus.publish('x', Buffer.from(String(i)), { qos: 1 }));
    await Promise.all(sent);
    await inbox.have(100);
    expect(inbox.texts).toEqual([...Array(100).keys()].map(String));
    expect(bus.counters().reconnects).toBe(0);
  });

  test.each([4, 5] as const)(
    'acknowledged by hand: what was not is delivered again, MQTT version %i',
    async (protocolVersion) => {
      const broker = await mosquitto();
      const relay = await relayTo(broker.port);
      const splitter = await started({
        url: relay.url,
        protocolVersion,
        session: 'kept',
        clientId: 'splitter-a-intake',
      });
      const inbox = await Inbox.on(splitter, 'frame/+', { qos: 1, acknowledge: 'manual' });
      const camera = await started({ url: broker.url, protocolVersion });
      // QoS 1 resolves at the broker's acknowledgement: several are in flight to the splitter, none holds up the next.
      for (const name of ['a', 'b', 'c', 'd'])
        await camera.publish(`frame/${name}`, Buffer.from(name), { qos: 1 });
      const first = [...(await inbox.have(4))];
      expect(inbox.texts).toEqual(['a', 'b', 'c', 'd']);
      first[1]?.acknowledge?.();
      first[0]?.acknowledge?.();
      first[3]?.acknowledge?.();
      // A message of its own proves that the broker has read the acknowledgements before it.
      await splitter.publish('sync', Buffer.from('x'), { qos: 1 });
      const up = nextUp(splitter);
      relay.cut();
      await up;
      await inbox.have(6);
      expect(inbox.texts.slice(4)).toEqual(['c', 'd']);
      for (const message of inbox.messages.slice(4)) message.acknowledge?.();
      await splitter.publish('sync', Buffer.from('x'), { qos: 1 });
      const again = nextUp(splitter);
      relay.cut();
      await again;
      await camera.publish('frame/e', Buffer.from('e'), { qos: 1 });
      await inbox.have(7);
      expect(inbox.texts.slice(6)).toEqual(['e']);
    },
  );

  test('TLS with a certificate authority of its own, and nothing without it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tls-'));
    undo.push(() => rmSync(folder, { recursive: true }));
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const out = ['-keyout', join(folder, 'key'), '-out', join(folder, 'crt')];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    execFileSync('openssl', ['req', '-x509', ...key, ...subject, ...out], { stdio: 'ignore' });
    const certificate = readFileSync(join(folder, 'crt'), 'utf8');
    const broker = await mosquitto({
      tls: true,
      files: { 'server.crt': certificate, 'server.key': readFileSync(join(folder, 'key'), 'utf8') },
    });
    const url = `mqtts://127.0.0.1:${broker.port}`;
    const bus = await started({ url, tls: { ca: certificate } });
    const inbox = await Inbox.on(bus, 'x');
    await bus.publish('x', Buffer.alloc(800_000, 1));
    expect((await inbox.have(1))[0]?.payload.length).toBe(800_000);
    const stranger = mqttBus({ url, connectTimeoutMs: 500 });
    await expect(stranger.start()).rejects.toMatchObject({
      code: 'broker-unreachable',
      message: expect.stringMatching(/self.signed certificate/),
    });
  });
});
