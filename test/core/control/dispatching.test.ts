/** Distrust: of workers that are there only, and for a while only. Memory: of messages that have surely arrived only. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { answeredBy, Dispatching } from '../../../services/core/control/dispatching.ts';
import type { AnnouncedPlan } from '../../../services/core/control/plan-watch.ts';
import { PlanIndex, planDigest, type Task } from '../../../services/core/flow/plan-index.ts';
import { createLog } from '../../../services/core/runtime/log.ts';
import { layoutMessage } from '../../../services/core/wire/encode.ts';
import { Local } from '../../support/local.ts';
import { gridPlan } from '../flow/plans.ts';

const document = gridPlan({ grids: [[1, 1]] });
const plan: AnnouncedPlan = {
  pipeline: document.pipeline,
  digest: planDigest(document),
  announcement: { frames: {} } as AnnouncedPlan['announcement'],
  index: new PlanIndex(document),
};
let local: Local;
let dispatching: Dispatching;
let failed: string[];

beforeEach(async () => {
  local = new Local();
  await local.start();
  const { control, data, topics } = local.channels;
  failed = [];
  dispatching = new Dispatching({
    teller: { role: 'splitter', id: 'splitter' },
    control,
    data,
    topics,
    log: createLog('splitter', { level: 'silent' }),
    workersChanged: () => {},
    failed: (frame) => failed.push(frame),
  });
  await dispatching.start();
});
afterEach(async () => {
  vi.useRealTimers();
  await dispatching.stop();
  await local.stop();
});

const worker = () =>
  local.status('worker', 'a', {
    plans: { [plan.digest]: { state: 'ready', models: document.models.map(({ digest }) => digest) } },
  });

test('a worker that is distrusted is not asked for that plan, and asked again later', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  await worker();
  expect(dispatching.canRun(plan)).toBe(true);
  dispatching.distrust('a', plan.digest);
  expect(dispatching.canRun(plan)).toBe(false);
  vi.advanceTimersByTime(29_000);
  dispatching.tick();
  expect(dispatching.canRun(plan)).toBe(false);
  vi.advanceTimersByTime(2_000);
  dispatching.tick();
  expect(dispatching.canRun(plan)).toBe(true);
});

test('nothing is kept of workers that are not there', async () => {
  for (const id of ['a', 'b', 'x'.repeat(50_000)]) dispatching.distrust(id, plan.digest);
  await worker();
  expect(dispatching.canRun(plan)).toBe(true);
});

test.each([
  ['the first start of its frame is used again once it is answered', 1],
  ['a later start is not: the answer may be to what was sent before', 2],
  ['a start that may be a later one is not either', undefined],
])('memory of a task of %s', async (_, attempt) => {
  await worker();
  const task = [...plan.index.tasks.values()].find(({ kind }) => kind === 'run') as Task;
  const laid = () =>
    layoutMessage(
      { kind: 'task', task: task.id, frame: 'f', deadlineMs: 60_000 },
      [{ name: 'x', dtype: 'float32', shape: [100_000] }],
      dispatching.pool,
    );
  const message = laid();
  const deadlineAt = performance.now() + 60_000;
  dispatching.submit({ plan, task, frame: 'f', order: 1, message, attempt, deadlineAt });
  // The bus copies what it is given in a later turn.
  await new Promise((resolve) => setImmediate(resolve));
  const answered = { plan: plan.digest, frame: 'f', task: task.id, worker: 'a', attempt: 1 };
  dispatching.done(answered, { receivedMs: 0, startedMs: 0, endedMs: 0 });
  expect(laid().framed.buffer === message.framed.buffer).toBe(attempt === 1);
});

test('a failure of an earlier start of the frame ends nothing of this one', async () => {
  await worker();
  const task = [...plan.index.tasks.values()].find(({ kind }) => kind === 'run') as Task;
  const message = layoutMessage({ kind: 'task', task: task.id, frame: 'f' }, []);
  const deadlineAt = performance.now() + 60_000;
  dispatching.submit({ plan, task, frame: 'f', order: 1, message, attempt: 2, deadlineAt });
  const error = { kind: 'error', plan: plan.digest, frame: 'f', task: task.id, sender: 'a' } as const;
  dispatching.failed(answeredBy(error));
  expect(failed).toEqual([]);
  dispatching.failed(answeredBy({ ...error, extra: { attempt: 2 } }));
  expect(failed).toEqual(['f']);
});

test('a task in a codec goes to who takes it, not to whoever holds the same sub-model', async () => {
  const pictures = gridPlan({ grids: [[1, 1]] });
  for (const transfer of pictures.transfers) if (transfer.from === 'input') transfer.codec = 'png';
  const digest = planDigest(pictures);
  const index = new PlanIndex(pictures);
  const coded = { ...plan, digest, index };
  const plans = {
    [digest]: { state: 'ready' as const, models: pictures.models.map((model) => model.digest) },
  };
  await local.status('worker', 'lean', { plans, codecs: ['raw', 'deflate'] });
  await local.status('worker', 'old', { plans });
  expect(dispatching.canRun(coded)).toBe(false);
  const task = index.tasks.get('b0.t0') as Task;
  expect(dispatching.nobodyFor(coded, task)).toMatch(/ takes png$/);
  const message = layoutMessage({ kind: 'task', task: task.id, frame: 'f' }, []);
  const deadlineAt = performance.now() + 60_000;
  dispatching.submit({ plan: coded, task, frame: 'f', order: 1, message, attempt: 1, deadlineAt });
  expect(dispatching.counters()['tasks.sent']).toBe(0);
  await local.status('worker', 'ample', { plans, codecs: ['raw', 'deflate', 'png'] });
  expect(dispatching.canRun(coded)).toBe(true);
  expect(dispatching.counters()['tasks.sent']).toBe(1);
});

test('what is gathered where it runs can run nowhere else, though another worker holds the same sub-model', async () => {
  const kept = gridPlan({
    grids: [
      [2, 1],
      [2, 1],
    ],
    direct: true,
  });
  const digest = planDigest(kept);
  const direct = { ...plan, digest, index: new PlanIndex(kept) };
  const models = kept.models.map((model) => model.digest);
  const say = (id: string) => local.status('worker', id, { plans: { [digest]: { state: 'ready', models } } });
  await say('w0');
  expect(dispatching.canRun(direct)).toBe(false);
  await say('w1');
  expect(dispatching.canRun(direct)).toBe(true);
});
