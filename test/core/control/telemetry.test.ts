/** What a dispatcher tells of its tasks: sums and medians per worker and task, in bounded memory. */

import { describe, expect, test } from 'vitest';
import { type Sample, TelemetryWindow } from '../../../services/core/control/telemetry.ts';
import type { WorkerSummary } from '../../../services/core/flow/dispatch.ts';
import { validator } from '../../../services/core/runtime/validate.ts';
import { type Telemetry, telemetrySchema } from '../../../services/core/schema/generated/telemetry.ts';

const PLAN = 'a'.repeat(64);
const check = validator<Telemetry>(telemetrySchema, 'wire-invalid');

const sample = (worker: string, task: string, computeMs: number, more: Partial<Sample> = {}): Sample => ({
  worker,
  plan: PLAN,
  task,
  totalMs: computeMs + 15,
  bytes: 100,
  receivedMs: 1000,
  startedMs: 1005,
  endedMs: 1005 + computeMs,
  ...more,
});
const idle = (id: string, more: Partial<WorkerSummary> = {}): WorkerSummary => {
  return { id, active: 0, done: 0, failures: 0, timeouts: 0, troubles: 0, ...more };
};

test('medians and sums of computing, queueing and the ways there and back', () => {
  const window = new TelemetryWindow();
  for (const computeMs of [10, 30, 20]) window.add(sample('w1', 'b0.t0', computeMs));
  window.add(sample('w2', 'b0.t0', 40));
  const told = window.take([]);
  expect(told?.tasks).toEqual([
    {
      worker: 'w1',
      plan: PLAN,
      task: 'b0.t0',
      count: 3,
      computeMs: 20,
      computeSumMs: 60,
      queueMs: 5,
      queueSumMs: 15,
      restMs: 10,
      bytes: 300,
    },
    expect.objectContaining({ worker: 'w2', count: 1, computeMs: 40 }),
  ]);
  check({ role: 'merger', id: 'm', number: 0, windowMs: 500, ...told });
});

test('each window begins anew, and where nothing happened nothing is told', () => {
  const window = new TelemetryWindow();
  window.add(sample('w1', 'b0.t0', 10));
  expect(window.take([])?.tasks.length).toBe(1);
  expect(window.take([idle('w1')])).toBeUndefined();
  window.add(sample('w1', 'b0.t0', 99));
  expect(window.take([])?.tasks[0]).toMatchObject({ count: 1, computeMs: 99, computeSumMs: 99, bytes: 100 });
});

test('an answer that took much longer or shorter than those of the window before is unusual', () => {
  const window = new TelemetryWindow();
  const add = (computeMs: number, task = 'b0.t0') => window.add(sample('w1', task, computeMs));
  expect([add(100), add(400)]).toEqual([false, false]);
  window.take([]);
  add(100);
  window.take([]);
  expect([add(199), add(201), add(49)]).toEqual([false, true, true]);
  // Of another task nothing is known, and a few milliseconds are always up and down.
  expect([add(400, 'b1.t0'), add(2, 'b2.t0')]).toEqual([false, false]);
  window.take([]);
  expect(add(6, 'b2.t0')).toBe(false);
});

test('an answer nobody waited for tells of the computing only, one without stamps nothing', () => {
  const window = new TelemetryWindow();
  window.add(sample('w1', 'b0.t0', 10, { totalMs: undefined, bytes: 0 }));
  window.add(sample('w1', 'b0.t0', 10, { startedMs: undefined }));
  const [row] = window.take([])?.tasks ?? [];
  expect(row).toMatchObject({ count: 1, computeMs: 10 });
  expect(row?.restMs).toBeUndefined();
});

test('workers with tasks out or with timeouts in this window', () => {
  const window = new TelemetryWindow();
  const told = (...workers: WorkerSummary[]) => window.take(workers)?.workers ?? [];
  expect(told(idle('w1', { active: 2 }), idle('w2'))).toEqual([{ worker: 'w1', active: 2, timeouts: 0 }]);
  expect(told(idle('w2', { timeouts: 3 }))).toEqual([{ worker: 'w2', active: 0, timeouts: 3 }]);
  expect(told(idle('w2', { timeouts: 4 }))).toEqual([{ worker: 'w2', active: 0, timeouts: 1 }]);
  // It came back under its name.
  expect(told(idle('w2', { timeouts: 1 }))).toEqual([{ worker: 'w2', active: 0, timeouts: 1 }]);
});

test('as many rows as there is room for; the rest is counted', () => {
  const window = new TelemetryWindow();
  for (let task = 0; task < 600; task++) window.add(sample('w1', `b0.t${task}`, 1));
  const told = window.take([]);
  expect(told?.tasks.length).toBe(512);
  expect(told?.omitted).toBe(88);
  check({ role: 'splitter', id: 's', number: 0, windowMs: 500, ...told });
});

test('a median over more answers than are kept is that of the newest', () => {
  const window = new TelemetryWindow();
  for (let i = 0; i < 40; i++) window.add(sample('w1', 'b0.t0', i < 20 ? 1 : 7));
  expect(window.take([])?.tasks[0]).toMatchObject({ count: 40, computeMs: 7, computeSumMs: 160 });
});

describe('tasks that have not ended', () => {
  const at = (elapsedMs: number) => [
    idle('w1', { active: 1, running: { plan: PLAN, task: 'b0.t0', since: 1000 - elapsedMs } }),
  ];
  const seen = (window: TelemetryWindow, elapsedMs: number) => window.running(at(elapsedMs), 1000);

  test('are told once they took twice as long as they do, the ways and the waiting aside', () => {
    const window = new TelemetryWindow();
    window.add(sample('w1', 'b0.t0', 100));
    expect(seen(window, 900)).toEqual([]);
    const told = window.take([]);
    // 10 ms on the way and 5 ms of waiting are no computing.
    expect(seen(window, 214)).toEqual([]);
    const running = seen(window, 316);
    expect(running).toEqual([{ worker: 'w1', plan: PLAN, task: 'b0.t0', computeMs: 301, usualMs: 100 }]);
    check({ role: 'merger', id: 'm', number: 0, windowMs: 500, ...told, running });
    expect(window.running([idle('w1')], 1000)).toEqual([]);
    expect(window.running([idle('w2', { running: { plan: PLAN, task: 'b0.t0', since: 0 } })], 1000)).toEqual(
      [],
    );
  });

  test('what is usual is the least of the last three windows', () => {
    const window = new TelemetryWindow();
    for (const [ms, told] of [
      [100, 1],
      [400, 1],
      [400, 1],
      [400, 0],
    ] as const) {
      window.add(sample('w1', 'b0.t0', ms));
      window.take([]);
      expect(seen(window, 500).length).toBe(told);
    }
  });

  test('where tasks wait for others at the worker they say nothing', () => {
    const window = new TelemetryWindow();
    window.add(sample('w1', 'b0.t0', 100, { receivedMs: 970 }));
    window.take([]);
    expect(seen(window, 900)).toEqual([]);
  });
});
