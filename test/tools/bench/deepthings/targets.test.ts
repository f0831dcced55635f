import { expect, test } from 'vitest';
import { deepThingsTargets } from '../../../../tools/bench/deepthings/targets.ts';

const speed = {
  plan: 'ours',
  devices: 6,
  medianMs: 1600,
  interval: [1500, 1700],
  n: 6,
  aloneMs: 4000,
} as const;

test('only ours on all devices counts for speed', () => {
  const targets = deepThingsTargets([speed, { ...speed, plan: '5x5' }, { ...speed, devices: 2 }], []);
  expect(targets).toMatchObject([{ target: '>= 2.3', value: 2.5, pass: true }]);
});

test('a plan in bounded memory must be fast enough and within its bound', () => {
  const held = { ...speed, plan: 'ours, bounded', peakBytes: 40e6, untiledBytes: 100e6 };
  expect(deepThingsTargets([], [{ ...held, plan: '5x5' }, held])).toMatchObject([
    { target: '>= 1.6', pass: true },
    { target: '<= 0.32', value: 0.4, pass: false },
  ]);
});
