/** When a strip that has not come is asked for, and what a wait teaches about the next: on a clock of the test's own. */

import { expect, it } from 'vitest';
import { PlanIndex } from '../../../services/core/flow/plan-index.ts';
import { Wants } from '../../../services/core/flow/wants.ts';
import type { MessageMeta } from '../../../services/core/wire/message.ts';
import { gridPlan } from './plans.ts';

const STEP_MS = 50;
const TASK = 'b2.t0';
const index = new PlanIndex(
  gridPlan({
    grids: [
      [1, 2],
      [1, 2],
      [1, 2],
    ],
    direct: true,
  }),
);
const missing = [{ task: TASK, transfers: index.transfersTo(TASK).filter(({ from }) => from === 'b1.t1') }];

/** Of the worker w0, one frame after the other, whose attempts may take that long. */
function rig(attemptMs: number) {
  const wants = new Wants(index, 'w0');
  let now = 0;
  let frames = 0;
  /** The neighbour's strip comes so many milliseconds after the own one; returns when it was asked for, and given up. */
  return (lateMs: number): { asked: number[]; lost?: number } => {
    const frame = `f${frames++}`;
    const meta: MessageMeta = { kind: 'data', frame };
    const since = now;
    const until = now + attemptMs;
    const asked: number[] = [];
    wants.came(frame, meta, { missing, ready: [] }, now, until);
    for (; now - since < lateMs; now += STEP_MS) {
      for (const { lost, from, task } of wants.overdue(now, () => missing)) {
        expect([task, [...from]]).toEqual([TASK, [['w1', ['b1.t1']]]]);
        if (lost) return { asked, lost: now - since };
        asked.push(now - since);
      }
    }
    wants.came(frame, meta, { missing: [], ready: [TASK] }, now, until);
    return { asked };
  };
}

it('asks three times, each time after twice as long, and then gives up', () => {
  const frame = rig(1_000_000);
  expect(frame(1e6)).toEqual({ asked: [2_000, 4_000, 8_000], lost: 16_000 });
});

it('learns from waits without asking only: strips that were lost make later ones wait no longer', () => {
  const frame = rig(20_000);
  for (let quick = 0; quick < 3; quick++) expect(frame(0)).toEqual({ asked: [] });
  for (let lost = 0; lost < 30; lost++) {
    const { asked } = frame(lost % 2 === 0 ? 1_200 : 10);
    if (lost % 2 === 0) expect(asked).toEqual([500, 1_000]);
  }
});

it('waits longer where strips are only late, until none has to be asked for', () => {
  const frame = rig(1_000_000);
  expect(frame(20_000)).toMatchObject({ lost: 16_000 });
  expect(frame(20_000)).toEqual({ asked: [] });
  expect(frame(70_000)).toEqual({ asked: [60_000] });
  expect(frame(70_000)).toEqual({ asked: [] });
});

it('gives up a neighbour that is slow now and then once, not every time', () => {
  for (const quick of [1, 4, 40]) {
    const frame = rig(60_000);
    const given: number[] = [];
    for (let i = 0; i < 200; i++) {
      const { lost } = frame(i % (quick + 1) === quick ? 5_000 : 100);
      if (lost !== undefined) given.push(i);
    }
    expect(given).toEqual([quick]);
  }
});

it('forgets in time that it gave one up', () => {
  const frame = rig(1_000_000);
  frame(100);
  expect(frame(1e6)).toEqual({ asked: [500, 1_000, 2_000], lost: 4_000 });
  for (let quick = 0; quick < 63; quick++) frame(100);
  expect(frame(700)).toEqual({ asked: [] });
  for (let quick = 0; quick < 64; quick++) frame(100);
  expect(frame(700)).toEqual({ asked: [500] });
});

it('however long strips took so far, who is asked can answer within half of an attempt', () => {
  const frame = rig(16_000);
  for (let late = 0; late < 5; late++) frame(7_000);
  expect(frame(1e6)).toEqual({ asked: [4_000], lost: 8_000 });
});

it('asks for nothing that always comes late by the same within a quarter of an attempt', () => {
  const frame = rig(10_000);
  for (let late = 0; late < 5; late++) expect(frame(2_400)).toEqual({ asked: late === 0 ? [2_000] : [] });
});
