import { expect, test } from 'vitest';
import { targetsOf, type UnequalResult, unequalTargets } from '../../../../tools/bench/hotedge/targets.ts';

const cell = (link: string, cpu: string, plan: string, medianMs: number) =>
  ({ link, cpu, plan, medianMs, interval: [medianMs, medianMs], n: 1 }) as const;

test('on the fast link ours against one device and the paper, on others against one device', () => {
  const results = [
    cell('200mbit', '250m', 'all-in-one', 1000),
    cell('200mbit', '250m', 'parallel', 500),
    cell('200mbit', '250m', 'ours', 400),
    cell('200mbit', '125m', 'all-in-one', 2000),
    cell('200mbit', '125m', 'parallel', 900),
    cell('200mbit', '125m', 'ours', 990),
    cell('5mbit', '250m', 'all-in-one', 1000),
    cell('5mbit', '250m', 'ours', 1040),
  ];
  expect(targetsOf(results)).toEqual([
    { name: '200mbit 250m: ours / all-in-one', target: '<= 0.4', value: 0.4, pass: true },
    { name: '200mbit 250m: ours / parallel', target: '<= 1.02', value: 0.8, pass: true },
    { name: '200mbit 125m: ours / parallel', target: '<= 1.02', value: 1.1, pass: false },
    { name: '5mbit 250m: ours / all-in-one', target: '<= 1.03', value: 1.04, pass: false },
  ]);
});

const found: UnequalResult = {
  link: '30mbit',
  evenMs: 2000,
  adaptiveMs: 1100,
  aloneMs: 1000,
  foundMs: 3000,
  longestGapMs: 2100,
  beforeMs: 900,
  slowedMs: 2000,
};

test('the slowest link on which one device is beaten must do better than the paper', () => {
  const targets = unequalTargets([
    found,
    { ...found, link: '40mbit', adaptiveMs: 990 },
    { ...found, link: '200mbit', adaptiveMs: 950, foundMs: undefined },
  ]);
  expect(targets[0]).toMatchObject({ target: '>= 39.45', value: 50.5, pass: true });
  expect(targets[0]?.name).toContain('40mbit');
  const of = (link: string) => targets.slice(1).filter(({ name }) => name.includes(link));
  expect(of('30mbit').map(({ value, pass }) => [value, pass])).toEqual([
    [3000, true],
    [100, true],
  ]);
  expect(of('200mbit').map(({ value, pass }) => [value, pass])).toEqual([
    [52.5, false],
    [Number.POSITIVE_INFINITY, false],
    [100, true],
  ]);
});
