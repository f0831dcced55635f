import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LinkRounds } from '../../services/controller/link-rounds.ts';
import { Profiles } from '../../services/controller/profiles.ts';
import { TelemetryWatch } from '../../services/controller/replan/telemetry-watch.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import type { LinkRound } from '../../services/core/schema/generated/link-round.ts';
import type { Profile } from '../../services/core/schema/generated/profile.ts';
import { LinkTurns } from '../../services/worker/profile/link-turns.ts';
import { Local } from '../support/local.ts';
import { slowProfile } from '../support/profiles.ts';

const LINK = { latencyMs: 1, upBytesPerMs: 1000, downBytesPerMs: 1000 };
const log = createLog('test', { level: 'silent' });

let local: Local;
let profiles: Profiles;
let telemetry: TelemetryWatch;
let rounds: LinkRounds;
/** Requests, in order; the function hears the next ones. */
let heard: LinkRound[];
let now: number;
let hear: (round: LinkRound) => unknown;

beforeEach(async () => {
  local = new Local();
  await local.start();
  const { bus: control } = local;
  const { topics } = local.channels;
  profiles = new Profiles({ control, topics });
  telemetry = new TelemetryWatch({ control, topics });
  await profiles.start();
  await telemetry.start();
  const times = { slotMs: 200, answerMs: 200, now: () => now };
  rounds = new LinkRounds({ id: 'c', control, topics, profiles, telemetry, log, ...times });
  await rounds.start();
  heard = [];
  now = 0;
  hear = () => {};
  await control.subscribe('tilepipe/links/c', ({ payload }) => {
    heard.push(JSON.parse(payload.toString()));
    void hear(heard.at(-1) as LinkRound);
  });
});
afterEach(async () => {
  await rounds.stop();
  await telemetry.stop();
  await profiles.stop();
  await local.stop();
});

const publish = (topic: string, document: unknown) =>
  local.bus.publish(topic, Buffer.from(JSON.stringify(document)), { qos: 1, retain: true });
const publishLink = (device: string, link: Profile['link']) =>
  publish(`tilepipe/profile/${device}`, { ...slowProfile(device), link });
const answered = (device: string, round: string) =>
  publishLink(device, {
    ...LINK,
    together: {
      round,
      devices: 2,
      at: '2026-01-01T00:00:00Z',
      aloneOutBytesPerMs: 1,
      aloneBothBytesPerMs: 1,
      outBytesPerMs: 1,
      bothBytesPerMs: 1,
    },
  });
const frames = () =>
  publish('tilepipe/telemetry/splitter/s', {
    role: 'splitter',
    id: 's',
    number: 1,
    windowMs: 500,
    tasks: [],
    workers: [{ worker: 'a', active: 1, timeouts: 0 }],
    omitted: 0,
  });

/** A worker's side, as far as its link goes. */
async function worker(id: string, busy: () => string | undefined = () => undefined): Promise<LinkTurns> {
  const turns = new LinkTurns({
    id,
    channels: local.channels,
    log,
    link: LINK,
    watch: () => busy,
    measured: (link) => publishLink(id, link),
  });
  await turns.start();
  return turns;
}

test('workers measure their links in turns and all at once, and say so in their profiles', async () => {
  const workers = [await worker('a'), await worker('b'), await worker('bystander')];
  expect(rounds.wanted(['a', 'b'])).toBe(true);
  // On a machine that stands still for a whole slot nothing is measured.
  while ((await rounds.ask(['b', 'a'])) !== undefined);
  const [a, b, ...others] = profiles.all().map(({ link }) => link?.together);
  expect(others).toEqual([]);
  expect(a).toMatchObject({ devices: 2, round: heard.at(-1)?.round });
  expect(b?.round).toBe(a?.round);
  for (const figure of [a?.aloneOutBytesPerMs, a?.aloneBothBytesPerMs, b?.outBytesPerMs, b?.bothBytesPerMs])
    expect(figure).toBeGreaterThan(0);
  expect(rounds.wanted(['a', 'b'])).toBe(false);
  expect(rounds.wanted(['a', 'b', 'bystander'])).toBe(true);
  for (const each of workers) await each.stop();
});

test('frames end a round and keep others from beginning; answers of another round do not count', async () => {
  hear = async ({ round, devices }) => {
    if (devices.length === 0) return;
    await answered('a', round);
    await answered('b', 'another');
    await frames();
  };
  expect(await rounds.ask(['a', 'b'])).toBe('frames flow');
  expect(heard.map(({ devices }) => devices)).toEqual([['a', 'b'], []]);
  expect(rounds.wanted(['a', 'b'])).toBe(true);
  expect(rounds.flowing).toBe(true);
  expect(await rounds.ask(['a', 'b'])).toBe('frames flow');
  expect(heard).toHaveLength(2);
  now = 2_000;
  expect(rounds.flowing).toBe(false);
});

test('a worker with tasks says nothing', async () => {
  const asked: string[] = [];
  const busy = () => {
    asked.push('busy');
    if (asked.length === 1) void frames();
    return 'frames flow';
  };
  const turns = await worker('a', busy);
  expect(await rounds.ask(['a', 'b'])).toBe('frames flow');
  expect(profiles.all()).toEqual([]);
  await turns.stop();
});

test('who has another round to measure, or ends, gives up the one before', async () => {
  const turns = await worker('a');
  const asking = rounds.ask(['a', 'b']);
  await turns.stop();
  await rounds.stop();
  expect(await asking).toBe('the controller stops');
  expect(await rounds.ask(['a', 'b'])).toBe('the controller stops');
  expect(profiles.all()).toEqual([]);
});

test('a round ends when another asks for one', async () => {
  hear = ({ devices }) =>
    devices.length > 0 &&
    publish('tilepipe/links/other', { format: 1, round: 'another-round-', devices: ['a', 'b'], slotMs: 200 });
  expect(await rounds.ask(['a', 'b'])).toBe('another round was asked for by other');
});

test('the end of a round of another asker ends no other', async () => {
  const workers = [await worker('a'), await worker('b')];
  hear = ({ devices }) =>
    devices.length > 0 &&
    publish('tilepipe/links/other', { format: 1, round: 'another', devices: [], slotMs: 200 });
  // On a machine that stands still for a whole slot nothing is measured.
  while ((await rounds.ask(['a', 'b'])) !== undefined);
  for (const each of workers) await each.stop();
});

test('who waits for a round of the same workers needs none of its own', async () => {
  hear = async ({ round, devices }) => {
    for (const device of devices) await answered(device, round);
  };
  const asked = ['a b', 'a b', 'b a'].map((ids) => rounds.ask(ids.split(' ')));
  expect(await Promise.all(asked)).toEqual([undefined, undefined, undefined]);
  expect(heard).toHaveLength(1);
  expect(rounds.wanted(['a', 'b'])).toBe(false);
  // A worker that was started again may have been moved.
  await publishLink('b', LINK);
  expect(rounds.wanted(['a', 'b'])).toBe(true);
  // Asked for when there is none, it is measured anew.
  expect(await rounds.ask(['a', 'b'])).toBeUndefined();
  expect(heard).toHaveLength(2);
});

test('a request that is refused when its round is over leaves the next one alone', async () => {
  const refusals: ((error: Error) => void)[] = [];
  const control = {
    subscribe: async () => async () => {},
    publish: () =>
      refusals.length > 0
        ? Promise.resolve()
        : new Promise<void>((_, reject) => {
            refusals.push(reject);
          }),
  };
  const own = new LinkRounds({
    id: 'd',
    control,
    topics: local.channels.topics,
    profiles,
    telemetry,
    log,
    now: () => now,
  });
  await own.start();
  const first = own.ask(['a', 'b']);
  while (!own.asking) await nextTurn();
  await frames();
  expect(await first).toBe('frames flow');
  now = 2_000;
  const second = own.ask(['a', 'b']);
  while (!own.asking) await nextTurn();
  refusals[0]?.(new Error('refused'));
  await nextTurn();
  expect(own.asking).toBe(true);
  await own.stop();
  expect(await second).toBe('the controller stops');
});
