/** Pipelines that share devices: each is planned with what the others leave. */

import { expect, test } from 'vitest';
import { DeviceLoads, slowedBy } from '../../../../services/core/planning/replan/device-loads.ts';
import { Replanner } from '../../../../services/core/planning/replan/replanner.ts';
import type { Telemetry } from '../../../../services/core/schema/generated/telemetry.ts';
import { toyDevice, toyFleet, toyPlan, toyPredict } from './world.ts';

const WINDOW_MS = 500;

/** Half a second in which a device computes for a plan a share of the time. */
function told(
  worker: string,
  plan: string,
  share: number,
  queueSumMs = 0,
): Pick<Telemetry, 'tasks' | 'windowMs'> {
  const computeSumMs = share * WINDOW_MS;
  const rest = { count: 1, computeMs: computeSumMs, queueMs: queueSumMs, queueSumMs, bytes: 0 };
  return { windowMs: WINDOW_MS, tasks: [{ worker, plan, task: 't', computeSumMs, ...rest }] };
}

test('the share of a device that other plans take: soon known, steady, and soon forgotten', () => {
  const loads = new DeviceLoads();
  const own = (plan: string): boolean => plan === 'mine';
  const busy = (now: number): number => loads.contention('a', now, own).busy;
  let now = 0;
  const pass = (seconds: number, share: number): void => {
    for (const end = now + 1000 * seconds; now < end; ) {
      now += WINDOW_MS;
      loads.add(told('a', 'theirs', share), now);
      loads.add(told('a', 'mine', 0.2), now);
      loads.add(told('b', 'theirs', 0.9), now);
    }
  };
  expect(busy(0)).toBe(0);
  pass(2, 0.5);
  expect(busy(now)).toBeCloseTo(0.5, 1);
  pass(60, 0.5);
  expect(busy(now)).toBeCloseTo(0.5, 1);
  expect(loads.contention('a', now, () => false).busy).toBeCloseTo(0.7, 1);
  expect(loads.contention('c', now, own).busy).toBe(0);
  expect(busy(now + 60_000)).toBeLessThan(0.01);
});

test('what others leave, and at least the fair share', () => {
  const slowed = (busy: number, pipelines: number): number => slowedBy({ busy, waits: 9 }, pipelines);
  expect(slowed(0, 1)).toBe(1);
  expect(slowed(0.25, 2)).toBeCloseTo(4 / 3, 6);
  expect(slowed(0.9, 2)).toBe(2);
  expect(slowed(1, 4)).toBe(4);
});

test('pipelines whose frames take turns do not hinder each other: nothing waits', () => {
  const loads = new DeviceLoads();
  const slowed = (now: number): number =>
    slowedBy(
      loads.contention('a', now, (plan) => plan === 'mine'),
      2,
    );
  for (let now = 0; now <= 20_000; now += WINDOW_MS) loads.add(told('a', 'theirs', 0.5), now);
  expect(slowed(20_000)).toBeCloseTo(2, 1);
  loads.add(told('a', 'mine', 0.5), 20_000);
  expect(slowed(20_000)).toBe(1);
  loads.add(told('a', 'mine', 0.5, 200), 20_000);
  expect(slowed(20_000)).toBeCloseTo(1.4, 6);
});

test('a device that computes for another pipeline gets less of this one', () => {
  const fleet = toyFleet(['d0', 'd1'].map((id) => toyDevice(id)));
  let slowed = 1;
  const replanner = new Replanner({
    now: () => 0,
    fleet,
    running: toyPlan(fleet),
    objective: 'latency',
    plan: toyPlan,
    predict: toyPredict,
    slowedBy: (id) => (id === 'd1' ? slowed : 1),
  });
  replanner.online(['d0', 'd1']);
  replanner.finished(20);
  expect(replanner.decide()).toBeUndefined();
  slowed = 2;
  const rows = replanner.decide()?.draft.blocks[0]?.parts.map(({ tile }) => tile.macs);
  expect(rows).toEqual([38, 18]);
});
