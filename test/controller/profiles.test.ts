import { afterEach, beforeEach, expect, test } from 'vitest';
import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { LocalChannels } from '../../services/broker/local-bus.ts';
import { Profiles } from '../../services/controller/profiles.ts';
import { slowProfile } from '../support/profiles.ts';

let broker: EmbeddedBroker;
let channels: LocalChannels;
let profiles: Profiles;
let heard: string[];

beforeEach(async () => {
  broker = new EmbeddedBroker({ port: 0 });
  await broker.start();
  channels = new LocalChannels({ broker });
  await channels.start();
  // One that was there before the controller.
  await say('b', JSON.stringify(slowProfile('b')));
  profiles = new Profiles(channels);
  heard = [];
  profiles.onProfile(({ device }) => heard.push(device));
  await profiles.start();
});
afterEach(async () => {
  await profiles.stop();
  await channels.stop();
  await broker.stop();
});

const say = (id: string, text: string) =>
  channels.control.publish(`tilepipe/profile/${id}`, Buffer.from(text), { qos: 1, retain: true });
/** Messages of one connection come in order. */
async function until(count: number): Promise<void> {
  while (heard.length < count)
    await new Promise<void>((resolve) => {
      profiles.onProfile(() => resolve());
    });
}

test('profiles are known by device, retained ones and new ones', async () => {
  await say('a', JSON.stringify(slowProfile('a')));
  await until(2);
  expect(heard).toEqual(['b', 'a']);
  expect(profiles.all().map(({ device }) => device)).toEqual(['a', 'b']);
});

test('what is no profile, or that of another device, is counted and left out', async () => {
  for (const text of ['{', '[]', JSON.stringify(slowProfile('c')), ' '.repeat(100_001)]) await say('a', text);
  await say('d', JSON.stringify(slowProfile('d')));
  await until(2);
  expect(profiles.all().map(({ device }) => device)).toEqual(['b', 'd']);
  expect(profiles.rejected).toBe(4);
});

test('an empty message forgets a device', async () => {
  await say('b', '');
  await say('d', JSON.stringify(slowProfile('d')));
  await until(2);
  expect(profiles.all().map(({ device }) => device)).toEqual(['d']);
});

test('what a device found out with others outlives its worker, unless its link is another', async () => {
  const together = { round: 'r', devices: 3, at: '2026-01-01T00:00:00Z' };
  const figures = { aloneOutBytesPerMs: 9, aloneBothBytesPerMs: 5, outBytesPerMs: 3, bothBytesPerMs: 2 };
  const link = { latencyMs: 2, upBytesPerMs: 1000, downBytesPerMs: 1000 };
  const sayLink = (more: object) =>
    say('a', JSON.stringify({ ...slowProfile('a'), link: { ...link, ...more } }));
  const roundOf = () => profiles.all().find(({ device }) => device === 'a')?.link?.together?.round;
  await sayLink({ together: { ...together, ...figures } });
  await sayLink({ upBytesPerMs: 600 });
  await until(3);
  expect([roundOf(), profiles.isCarried('a')]).toEqual(['r', true]);
  await sayLink({ together: { ...together, ...figures, round: 's' } });
  await until(4);
  expect([roundOf(), profiles.isCarried('a')]).toEqual(['s', false]);
  await sayLink({ upBytesPerMs: 250 });
  await until(5);
  expect([roundOf(), profiles.isCarried('a')]).toEqual([undefined, false]);
});
