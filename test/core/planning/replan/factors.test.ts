/** Speed and link factors: what single outliers, changes and slow processors do to them. */

import { expect, test } from 'vitest';
import { factoredFleet } from '../../../../services/core/planning/replan/factored-fleet.ts';
import { LinkFactor } from '../../../../services/core/planning/replan/link-factor.ts';
import { Patience } from '../../../../services/core/planning/replan/patience.ts';
import { SpeedFactor } from '../../../../services/core/planning/replan/speed-factor.ts';
import { toyDevice, toyFleet } from './world.ts';

function speed(ratios: readonly number[], stepMs = 500): SpeedFactor {
  const factor = new SpeedFactor();
  for (const [i, ratio] of ratios.entries()) factor.add(ratio, i * stepMs);
  return factor;
}
const times = (count: number, ratio: number) => new Array<number>(count).fill(ratio);

test('a few ratios say nothing, six do', () => {
  expect(speed(times(5, 2)).value).toBeUndefined();
  expect(speed(times(6, 2)).value).toBe(2);
});

test('single outliers say nothing', () => {
  expect(speed([...times(10, 1), 50]).value).toBe(1);
  expect(speed([...times(10, 1), 50, 1, 0.01, 1]).value).toBe(1);
});

test('two in a row are a great change, three a lesser one, and a small one takes its time', () => {
  expect(speed([...times(20, 1), 4, 4]).value).toBe(4);
  expect(speed([...times(20, 4), 1, 1]).value).toBe(1);
  expect(speed([...times(20, 1), 2, 2]).value).toBe(1);
  expect(speed([...times(20, 1), 2, 2, 2]).value).toBe(2);
  expect(speed([...times(20, 1), 1.2, 1.2, 1.2]).value).toBe(1);
  expect(speed([...times(20, 1), ...times(16, 1.2)]).value).toBe(1.2);
});

test('nonsense is left out or bounded', () => {
  expect(speed([...times(6, 1), 0, Number.NaN, -1]).value).toBe(1);
  expect(speed(times(6, Number.POSITIVE_INFINITY)).value).toBe(1000);
});

test('a link that takes longer than before is slower; small ups and downs are not', () => {
  const link = new LinkFactor();
  const add = (restMs: number, slower = 1) => link.add('t', restMs, slower, 0);
  for (const restMs of [20, 22, 21, 20, 21]) add(restMs);
  expect(link.value).toBe(1);
  for (const restMs of [25, 24, 26, 25, 25, 25]) add(restMs);
  expect(link.value).toBe(1);
  for (let i = 0; i < 12; i++) add(99);
  expect(link.value).toBeCloseTo(104 / 26, 3);
});

test('what grew with the computing is no matter of the link', () => {
  const link = new LinkFactor();
  for (let i = 0; i < 10; i++) link.add('t', 20, 1, i);
  for (let i = 0; i < 10; i++) link.add('t', 75, 4, 10 + i);
  expect(link.value).toBe(1);
});

test('the transfers of a new plan are judged by what was known of the link', () => {
  const link = new LinkFactor();
  for (let i = 0; i < 5; i++) link.add('t', 45, 1, i);
  for (let i = 0; i < 10; i++) link.add('t', 145, 1, 5 + i);
  expect(link.value).toBeCloseTo(3, 3);
  for (let i = 0; i < 10; i++) link.add('u', 95, 1, 20 + i);
  expect(link.value).toBeCloseTo(3, 3);
});

test('a fleet as it is now: some away, some slower, a medium as slow as half of its devices say', () => {
  const medium = { name: 'wifi', bytesPerMs: 1000, duplex: 'half' as const, latencyMs: 2 };
  const devices = ['a', 'b', 'c', 'd'].map((id) => toyDevice(id, 1, { medium: 'wifi', byteMs: 0.1 }));
  const fleet = { ...toyFleet(devices), media: new Map([['wifi', medium]]) };
  const link: Record<string, number> = { a: 8, b: 2, c: 2 };
  const now = factoredFleet(fleet, {
    present: new Set(['a', 'b', 'c']),
    speed: (id) => (id === 'b' ? 4 : 1),
    link: (id) => link[id] ?? 1,
  });
  expect(now.devices.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  expect(now.devices[1]).toMatchObject({ taskMs: 16, byteMs: 0.4 });
  expect(now.devices[1]?.kinds.get('other')?.mac).toBe(40);
  expect(now.devices[0]?.kinds.get('other')?.mac).toBe(10);
  expect(now.media.get('wifi')).toMatchObject({ bytesPerMs: 500, latencyMs: 4 });
});

test('patience: each change that follows another makes the wait twice as long, a calm takes it back', () => {
  const patience = new Patience(4_000);
  expect(patience.left(0, 0.5)).toBe(0);
  patience.changed(0, 0.5);
  expect(patience.left(0, 0.5)).toBe(4_000);
  expect(patience.left(4_000, 0.5)).toBe(0);
  patience.changed(4_000, 0.5);
  expect(patience.left(4_000, 0.5)).toBe(8_000);
  patience.changed(12_000, 0.5);
  expect(patience.left(12_000, 0.5)).toBe(16_000);
  // 8 waits of 16 s, of 8 s and of 4 s.
  const calm = 12_000 + 8 * (16_000 + 8_000 + 4_000);
  patience.changed(calm, 0.5);
  expect(patience.left(calm, 0.5)).toBe(4_000);
});

test('patience: what saves far more than any change before it waits as if it were the second', () => {
  const patience = new Patience(4_000);
  patience.changed(0, 0.2);
  patience.changed(4_000, 0.2);
  patience.changed(12_000, 0.2);
  expect(patience.left(12_000, 0.3)).toBe(16_000);
  expect(patience.left(12_000, 0.5)).toBe(4_000);
  patience.changed(16_000, 0.5);
  expect(patience.left(16_000, 0.5)).toBe(32_000);
});
