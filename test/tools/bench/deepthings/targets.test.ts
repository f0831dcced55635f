import { expect, test } from 'vitest';
import { deepThingsTargets, sourcesTargets } from '../../../../tools/bench/deepthings/targets.ts';

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

const held = {
  ...speed,
  plan: 'ours, bounded',
  plannedBytes: 20e6,
  peakBytes: 30e6,
  untiledBytes: 100e6,
  executorBytes: 25e6,
  untiledExecutorBytes: 80e6,
};

test('in bounded memory the fastest plan within its share counts, of the executor and of the process', () => {
  const faster = { ...held, plan: '5x5, bound', medianMs: 1400 };
  const large = { ...held, plan: 'ours', medianMs: 1000, peakBytes: 60e6 };
  const all = [{ ...held, plan: 'untiled', medianMs: 900 }, large, held, faster];
  expect(deepThingsTargets([], all)).toMatchObject([
    { name: 'bounded memory (5x5, bound): x one device', target: '>= 1.6', pass: true },
    { target: '<= 0.32', value: 0.3125, pass: true },
    { target: '<= 0.32', value: 0.3, pass: true },
  ]);
});

test('where no plan is within its share, the smallest says by how much', () => {
  const larger = { ...held, plan: '5x5, bound', executorBytes: 64e6 };
  expect(deepThingsTargets([], [{ ...held, executorBytes: 40e6 }, larger])).toMatchObject([
    { pass: true },
    { value: 0.5, pass: false },
    { value: 0.3, pass: true },
  ]);
});

test('stealing must gain where one source is busy, and lose next to nothing where none is', () => {
  expect(sourcesTargets({ moving: 1.8, steady: 0.97 }).map(({ pass }) => pass)).toEqual([true, false]);
});
