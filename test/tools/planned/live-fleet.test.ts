import { expect, test } from 'vitest';
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

test('who is away takes no part', () => {
  const { devices } = presentFleet(liveFleet({ profiles, local }), ['attic', 'stranger']);
  expect(devices.map(({ id }) => id)).toEqual(['attic']);
});
