/** Which plan and merger a frame starts on, and what is said where there is none. */

import { beforeEach, expect, test } from 'vitest';
import type { AnnouncedPlan } from '../../services/core/control/plan-watch.ts';
import type { Task } from '../../services/core/flow/plan-index.ts';
import type { Status } from '../../services/core/schema/generated/status.ts';
import { Choice, type ChoiceDeps } from '../../services/splitter/choice.ts';
import type { Frame } from '../../services/splitter/frame-queue.ts';
import { gridPlan } from '../core/flow/plans.ts';
import { announced } from '../support/announced.ts';

const older = announced(gridPlan({ grids: [[1, 1]] }));
const newer = announced(gridPlan({ grids: [[2, 1]] }));
/** Reads frames in another way. */
const larger = announced(gridPlan({ grids: [[1, 1]], height: 16 }));

let plans: AnnouncedPlan[];
let runnable: Set<AnnouncedPlan>;
let mergers: Status[];
let connected: boolean;
let choice: Choice;

const merger = (id: string, knows?: readonly AnnouncedPlan[]): Status => ({
  role: 'merger',
  id,
  state: 'online',
  wire: [1],
  version: 'test',
  ...(knows === undefined
    ? {}
    : { plans: Object.fromEntries(knows.map(({ digest }) => [digest, { state: 'ready' as const }])) }),
});
const frame = (sequence: number, plan = older): Frame =>
  ({ sequence, reading: String(plan.index.plan.tensors.t0?.shape) }) as Frame;

beforeEach(() => {
  [plans, runnable, mergers, connected] = [[newer, older], new Set([newer, older]), [merger('m')], true];
  choice = new Choice({
    data: {
      get connected() {
        return connected;
      },
    },
    plans: { of: () => plans },
    mergers: { online: () => mergers },
    dispatching: {
      canRun: (plan: AnnouncedPlan) => runnable.has(plan),
      nobodyFor: (plan: AnnouncedPlan, { id }: Task) => `why not ${id} of ${plan.digest}`,
      orphanOf: ({ index }: AnnouncedPlan) => (runnable.size > 0 ? undefined : index.tasks.get('b0.t0')),
    },
    intake: ({ index }: AnnouncedPlan) => ({ reading: String(index.plan.tensors.t0?.shape) }),
  } as unknown as ChoiceDeps);
});

test('the newest plan that workers are ready for', () => {
  expect(choice.startable('test')).toBe(newer);
  expect(choice.choose('test', frame(0))).toEqual({ plan: newer, merger: 'm' });
  runnable.delete(newer);
  expect(choice.startable('test')).toBe(older);
  expect(choice.choose('test', frame(0))).toEqual({ plan: older, merger: 'm' });
});

test('one that workers are ready for no more is followed by its fallback, one that they load still is not', () => {
  const fallback = announced(gridPlan({ grids: [[3, 1]] }));
  const current = { ...newer, fallback };
  [plans, runnable] = [[current, older, fallback], new Set([older, fallback])];
  expect(choice.startable('test')).toBe(older);
  runnable.add(current);
  expect(choice.choose('test', frame(0))?.plan).toBe(current);
  runnable.delete(current);
  expect(choice.startable('test')).toBe(fallback);
  expect(choice.choose('test', frame(0))?.plan).toBe(fallback);
});

test('a frame is overtaken by what comes before its own plan, never by what that makes way for', () => {
  const fallback = announced(gridPlan({ grids: [[3, 1]] }));
  const current = { ...newer, fallback };
  const gone = announced(gridPlan({ grids: [[4, 1]] }));
  [plans, runnable] = [[current, older, fallback], new Set([current, older, fallback])];
  const overtaken = () =>
    [current, fallback, older, gone].map((plan) => choice.overtaken('test', frame(0), plan));
  expect(overtaken()).toEqual([false, true, true, true]);
  runnable.delete(current);
  expect(overtaken()).toEqual([false, false, true, true]);
  runnable.clear();
  expect(overtaken()).toEqual([false, false, false, false]);
});

test('a frame that is read takes a plan that reads frames the same way only', () => {
  [plans, runnable] = [[larger, older], new Set([larger, older])];
  expect(choice.startable('test')).toBe(larger);
  expect(choice.choose('test', frame(0))?.plan).toBe(older);
  plans = [larger];
  expect(choice.choose('test', frame(0))).toBeUndefined();
  expect(choice.obstacle('test', frame(0))).toMatch(/no plan any more that takes such a frame/);
});

test('mergers take turns; those that do not know the plan take none', () => {
  mergers = [merger('a'), merger('b', [older]), merger('c', [newer])];
  const turns = [0, 1, 2, 3].map((sequence) => choice.choose('test', frame(sequence))?.merger);
  expect(turns).toEqual(['a', 'c', 'a', 'c']);
});

test('where none can start it, the reason is the first there is', () => {
  runnable.clear();
  expect(choice.obstacle('test', frame(0))).toBe(
    `no worker is ready for task b0.t0 (block 0, part 0): why not b0.t0 of ${newer.digest}`,
  );
  mergers = [];
  expect(choice.choose('test', frame(0))).toBeUndefined();
  expect(choice.obstacle('test', frame(0))).toMatch(/no merger is online/);
  connected = false;
  runnable.add(newer);
  mergers = [merger('m')];
  expect(choice.choose('test', frame(0))).toBeUndefined();
  expect(choice.obstacle('test', frame(0))).toMatch(/connection to the broker is away/);
});
