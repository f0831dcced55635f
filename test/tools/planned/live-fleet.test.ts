import { describe, expect, test } from 'vitest';
import { sharedMediaText } from '../../../services/core/planning/advise/shared-media-text.ts';
import { liveFleet, presentFleet } from '../../../tools/planned/live-fleet.ts';
import { slowProfile } from '../../support/profiles.ts';

const link = { latencyMs: 2, upBytesPerMs: 1000, downBytesPerMs: 500 };
const profiles = [
  slowProfile('hub-worker'),
  { ...slowProfile('garage'), link },
  { ...slowProfile('attic'), link: { ...link, latencyMs: 9 } },
  slowProfile('unlinked'),
];
const local = new Set(['hub-worker']);

test('workers here are on the hub, others on links of their own; without a link there is no place', () => {
  const { devices, media } = liveFleet({ profiles, local });
  expect(devices.map(({ id, medium }) => [id, medium])).toEqual([
    ['hub-worker', undefined],
    ['garage', 'link of garage'],
    ['attic', 'link of attic'],
  ]);
  expect(media.get('link of garage')).toMatchObject({ bytesPerMs: 500, latencyMs: 2 });
});

test('what a file says of a device goes over what that says itself', () => {
  const given = {
    media: [{ name: 'air', mbit: 8 }],
    devices: [{ name: 'garage', profile: slowProfile('garage'), medium: 'air', speed: 2 }],
  };
  const { devices } = liveFleet({ given, profiles, local });
  expect(devices.map(({ id, medium, taskMs }) => [id, medium, taskMs])).toEqual([
    ['garage', 'air', 0.5],
    ['hub-worker', undefined, 1],
    ['attic', 'link of attic', 1],
  ]);
});

test("workers here have a core each, as far as there are any, and the last core is the hub's as well", () => {
  const names = ['a', 'b', 'c', 'd'];
  const here = { profiles: names.map((name) => slowProfile(name)), local: new Set(names) };
  const processors = (cores: number) =>
    liveFleet({ ...here, cores }).devices.map(({ processor }) => processor);
  expect(processors(1)).toEqual([undefined, undefined, undefined, undefined]);
  const [first, second] = ['processor 1 of the hub', 'processor 2 of the hub'];
  expect(processors(2)).toEqual([first, undefined, first, undefined]);
  expect(processors(3.5)).toEqual([first, second, undefined, first]);
});

describe('links measured all at once', () => {
  const together = {
    round: 'r',
    devices: 3,
    at: '2026-01-01T00:00:00Z',
    aloneOutBytesPerMs: 1250,
    aloneBothBytesPerMs: 625,
    outBytesPerMs: 420,
    bothBytesPerMs: 210,
  };
  const names = ['pi-1', 'pi-2', 'pi-3'];
  const measured = names.map((name) => ({ ...slowProfile(name), link: { ...link, together } }));

  test('show a medium in place of a cable each, and the words say so', () => {
    const fleet = liveFleet({ profiles: [...profiles, ...measured], local, cores: 1 });
    const shared = 'medium of pi-1..pi-3';
    expect(fleet.devices.flatMap(({ id, medium }) => (medium === shared ? [id] : []))).toEqual(names);
    expect(fleet.media.get(shared)).toMatchObject({ bytesPerMs: 1260, duplex: 'half', latencyMs: 2 });
    expect([...fleet.media.keys()].sort()).toEqual(['link of attic', 'link of garage', shared]);
    expect(sharedMediaText(fleet)).toBe('pi-1..pi-3 share 10.1 Mbit/s, both ways together');
    expect(sharedMediaText(presentFleet(fleet, ['pi-1', 'garage']))).toBe('');
  });

  test('show the link of the hub where one device alone fills no more than a part of it', () => {
    const faster = measured.map((profile) => ({
      ...profile,
      link: { ...link, together: { ...together, outBytesPerMs: 800, bothBytesPerMs: 800 } },
    }));
    const fleet = liveFleet({ profiles: faster, local, cores: 1 });
    expect(fleet.devices.map(({ medium }) => medium)).toEqual(names.map((name) => `link of ${name}`));
    expect(fleet.media.get(fleet.hub.medium ?? '')).toMatchObject({ bytesPerMs: 2400, duplex: 'full' });
    expect(sharedMediaText(fleet)).toBe('pi-1..pi-3 share 19.2 Mbit/s at the hub');
    const given = { hub: { medium: 'own' }, media: [{ name: 'own', mbit: 100 }], devices: [] };
    expect(liveFleet({ given, profiles: faster, local, cores: 1 }).hub.medium).toBe('own');
  });

  test('say nothing of devices that a file names', () => {
    const devices = names.map((name) => ({ name, profile: slowProfile(name), mbit: 8 }));
    const fleet = liveFleet({ given: { devices }, profiles: measured, local, cores: 1 });
    expect(fleet.devices.map(({ medium }) => medium)).toEqual(names.map((name) => `cable of ${name}`));
    expect(fleet.media.size).toBe(3);
  });
});

test('workers that listen are known by it', () => {
  const { devices } = liveFleet({ profiles, local, endpoints: new Set(['attic', 'stranger']) });
  expect(devices.filter(({ endpoint }) => endpoint).map(({ id }) => id)).toEqual(['attic']);
});

test('who is away takes no part', () => {
  const { devices } = presentFleet(liveFleet({ profiles, local }), ['attic', 'stranger']);
  expect(devices.map(({ id }) => id)).toEqual(['attic']);
});
