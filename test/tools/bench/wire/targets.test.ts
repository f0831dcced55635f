import { expect, test } from 'vitest';
import { type Row, swingTargets, wireTargets } from '../../../../tools/bench/wire/targets.ts';

const row: Row = {
  network: 'vgg16',
  wire: '200mbit',
  accuracy: 'exact',
  mode: 'halo',
  oursMs: 400,
  interval: [390, 410],
  n: 10,
  aloneMs: 1200,
  aloneInterval: [1190, 1210],
  floatMs: 1200,
  predictedMs: 440,
  movedBytes: 1e6,
};

test('each row of the table has its own target', () => {
  const targets = wireTargets([
    row,
    { ...row, wire: '5mbit', accuracy: 'budgeted', oursMs: 600 },
    { ...row, wire: '500kbit', mode: 'one device', oursMs: 1224 },
    { ...row, wire: '1mbit', accuracy: 'exact' },
    { ...row, network: 'resnet50', wire: '5mbit' },
  ]);
  expect(targets.map(({ name, value, pass }) => [name, value, pass])).toEqual([
    ['200mbit, exact: less than all-in-one, %', 66.67, true],
    ['5mbit, budgeted: less than all-in-one, %', 50, false],
    ['500kbit, exact: ours / all-in-one', 1.02, true],
    ['prediction: median error, %', 10, true],
  ]);
});

test('exact rows are held to the uncut model, budgeted ones to its labels', () => {
  const loss = { photos: 21, relativeRms: 0.01, maxRelDiff: 0.002, equalLabels: 20 };
  const targets = wireTargets([
    { ...row, wire: '1mbit', loss },
    { ...row, wire: '5mbit', accuracy: 'budgeted', loss },
    { ...row, wire: '200mbit', accuracy: 'budgeted', loss: { ...loss, equalLabels: 19 } },
  ]).filter(({ name }) => name.startsWith('vgg16'));
  expect(targets.map(({ target, pass }) => [target, pass])).toEqual([
    ['<= 0.0001', false],
    ['>= 20', true],
    ['>= 20', false],
  ]);
});

test('answers that name nothing are held to the relative error the row states', () => {
  const budget = { relativeRms: 0.02, labels: 1 };
  const of = (relativeRms: number): Row => ({
    ...row,
    network: 'waifu2x',
    accuracy: 'budgeted',
    budget,
    loss: { photos: 21, relativeRms, maxRelDiff: 0.1 },
  });
  const targets = wireTargets([of(0.019), of(0.021)]).filter(({ name }) => name.startsWith('waifu2x'));
  expect(targets.map(({ name, target, pass }) => [name, target, pass])).toEqual([
    ['waifu2x, 200mbit, budgeted: relative RMS error, %', '<= 2', true],
    ['waifu2x, 200mbit, budgeted: relative RMS error, %', '<= 2', false],
  ]);
});

test('a swinging link may lose no frame, and little time', () => {
  const result = { minutes: 20, sent: 10, results: 10, lost: 0, changes: 3, spentMs: 1100, oracleMs: 1000 };
  expect(swingTargets(result).map(({ value, pass }) => [value, pass])).toEqual([
    [0, true],
    [10, true],
  ]);
  expect(swingTargets({ ...result, lost: 1 })[0]?.pass).toBe(false);
});
