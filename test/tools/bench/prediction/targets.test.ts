import { expect, test } from 'vitest';
import { casesOf } from '../../../../tools/bench/prediction/cases.ts';
import { PREDICTED_NETWORKS } from '../../../../tools/bench/prediction/networks.ts';
import { plot } from '../../../../tools/bench/prediction/plot.ts';
import { errorsOf, predictionTargets } from '../../../../tools/bench/prediction/targets.ts';

const result = {
  network: 'vgg16-96',
  plan: 'searched',
  devices: 2,
  link: '20mbit',
  inFlight: 1,
  measuredMs: 100,
  roundTripMs: 110,
  taskMs: 60,
  expectedTaskMs: 55,
  used: { hubMs: 20, devicesMs: 90 },
  expected: { hubMs: 15, devicesMs: 80 },
  interval: [95, 105],
  n: 8,
  simulatedMs: 90,
  searchedMs: 120,
} as const;

test('errors count to both sides, the search only where one frame is under way', () => {
  const streams = { ...result, inFlight: 3, simulatedMs: 130 };
  const { simulator, search } = errorsOf([result, streams]);
  expect(simulator.map(Math.round)).toEqual([10, 30]);
  expect(search.map(Math.round)).toEqual([20]);
});

test('a plan that stays on one device says nothing', () => {
  const alone = { ...result, devices: 1, simulatedMs: 500 };
  expect(predictionTargets([result, alone])).toMatchObject([
    { target: '>= 20', value: 1, pass: false },
    { name: 'simulator: median error, %', value: 10, pass: true },
    { name: 'search: median error, %', value: 20, pass: false },
  ]);
});

test('at least twenty plans, on two to six devices that fit the machine', () => {
  const cases = casesOf(PREDICTED_NETWORKS.map(({ name }) => name));
  expect(cases.length).toBeGreaterThanOrEqual(20);
  for (const { devices } of cases) {
    expect(devices.length).toBeGreaterThanOrEqual(2);
    expect(devices.length).toBeLessThanOrEqual(6);
    expect(devices.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(1000);
  }
});

test('draws a point for each plan', () => {
  expect(plot([result, { ...result, measuredMs: 400 }]).match(/<circle /g)).toHaveLength(2);
});
