/** Frames through a real splitter and merger while messages get lost and workers misbehave. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { planDigest } from '../../services/core/flow/plan-index.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { MessageMeta } from '../../services/core/wire/message.ts';
import { gridPlan } from '../core/flow/plans.ts';
import { Inbox } from '../support/inbox.ts';
import { type Deed, House, type Script, ScriptedWorker } from '../support/scripted.ts';

const plan = gridPlan({
  grids: [
    [2, 2],
    [1, 2],
  ],
});
/** For what waits for a deadline on purpose. */
const SLOW = { timeout: 30_000 };
let house: House;
let workers: ScriptedWorker[];

beforeEach(async () => {
  house = new House();
  workers = [];
  await house.start();
});
afterEach(async () => {
  await house.stop();
});

async function worker(
  id: string,
  deed?: Script,
  plans: Plan[] = [plan],
  pins?: { block: number }[],
): Promise<ScriptedWorker> {
  const made = new ScriptedWorker(
    house,
    id,
    new Map(plans.map((each) => [planDigest(each), each])),
    deed,
    pins,
  );
  workers.push(made);
  await made.start();
  return made;
}

/** What the merger says of a good frame: the sums of the outputs are those of the inputs. */
function right(result: { ok: boolean; tensors?: unknown }): void {
  expect(result.ok).toBe(true);
  // 2 x 12 x 10 elements, numbered from 1: the workers copy, so the outputs have the ends of the inputs.
  expect(result.tensors).toMatchObject([{ min: 1, max: 240 }]);
}

/** Loses the first message of a kind. */
function loseFirst(kind: string): void {
  let lost = false;
  house.lost = (meta) => {
    const now = !lost && meta.kind === kind && meta.code === undefined;
    lost ||= now;
    return now;
  };
}

test('a lost close: the result itself ends the frame', async () => {
  await house.announce(plan);
  await worker('a');
  loseFirst('close');
  await house.send(plan, 'first');
  await house.have(1);
  await expect.poll(() => house.counters('splitter')).toMatchObject({ finished: 1, replayed: 0, failed: 0 });
  right(house.results[0] as never);
});

test('a lost close and a lost result: the frame is replayed, its result is not published again', async () => {
  // Half of it for the first attempt.
  await house.announce(plan, { deadlineMs: 5_000, attempts: 2 });
  await worker('a');
  house.deaf = true;
  loseFirst('close');
  await house.send(plan, 'first');
  await house.have(1);
  await expect.poll(() => house.counters('splitter').finished, SLOW).toBe(1);
  expect(house.counters('splitter')).toMatchObject({ replayed: 1, failed: 0 });
  expect(house.counters('merger')).toMatchObject({ finished: 1, 'replayed-after-result': 1 });
  expect(house.results.length).toBe(1);
  right(house.results[0] as never);
});

test('a lost open: no answer is given without it, the replay gives the right one', async () => {
  await house.announce(plan);
  await worker('a');
  loseFirst('open');
  await house.send(plan, 'first');
  const [result] = await house.have(1);
  right(result as never);
  await expect.poll(() => house.counters('merger')).toMatchObject({ failed: 1, finished: 1 });
  expect(house.counters('splitter')).toMatchObject({ replayed: 1 });
});

test('a task that fails everywhere ends its frame by name, at once, and no other', async () => {
  await house.announce(plan);
  const frames = new Set<string>();
  // The second frame's tile fails; `times` counts per frame, so the worker tells frames apart by their order.
  await worker('a', (task) =>
    task === 'b1.t1' && frames.size === 0 && frames.add('failed') ? 'error' : 'right',
  );
  await house.send(plan, 'first');
  const [first] = await house.have(1);
  expect(first).toMatchObject({
    ok: false,
    error: { code: 'task-failed', message: expect.stringContaining('b1.t1') },
  });
  await house.send(plan, 'second');
  right((await house.have(2))[1] as never);
  await expect.poll(() => house.counters('splitter')).toMatchObject({ failed: 1, finished: 1, replayed: 0 });
});

test('a tile of the first block that fails everywhere ends its frame in the same way', async () => {
  await house.announce(plan);
  await worker('a', (task) => (task === 'b0.t3' ? 'error' : 'right'));
  await house.send(plan, 'first');
  const [first] = await house.have(1);
  expect(first).toMatchObject({
    ok: false,
    error: { code: 'task-failed', message: expect.stringContaining('b0.t3') },
  });
});

test('a worker that makes another shape of a first tile is not believed: another makes it', async () => {
  await house.announce(plan);
  await worker('a', (task) => (task === 'b0.t1' ? 'wrong-shape' : 'right'));
  for (let seed = 0; seed < 6; seed++) await house.send(plan, `frame-${seed}`);
  await expect.poll(() => house.counters('merger').unsound).toBeGreaterThan(0);
  await worker('b');
  for (const { ok } of await house.have(6)) expect(ok).toBe(true);
});

test('nor is one that makes another shape of a later tile', async () => {
  await house.announce(plan);
  await worker('a', (task) => (task.startsWith('b1') ? 'wrong-shape' : 'right'));
  await worker('b');
  for (let seed = 0; seed < 6; seed++) await house.send(plan, `frame-${seed}`);
  for (const { ok } of await house.have(6)) expect(ok).toBe(true);
  expect(house.counters('merger').unsound).toBeGreaterThan(0);
  expect(house.counters('splitter')).toMatchObject({ failed: 0, replayed: 0 });
});

test('a task given back unrun is no failure: the frame is tried again', async () => {
  await house.announce(plan);
  await worker('a', (task, times) => (task === 'b1.t0' && times === 1 ? 'decline' : 'right'));
  await house.send(plan, 'first');
  right((await house.have(1))[0] as never);
  expect(house.counters('splitter')).toMatchObject({ replayed: 1, failed: 0 });
});

test('a frame out of time names the hole', async () => {
  // Long enough for the merger to have its say 250 ms before the splitter gives up, on a busy machine too.
  await house.announce(plan, { deadlineMs: 2_500, attempts: 1 });
  await worker('a', (task) => (task === 'b1.t1' ? 'silent' : 'right'));
  await house.send(plan, 'first');
  const [first] = await house.have(1);
  expect(first).toMatchObject({
    ok: false,
    error: { code: 'frame-deadline', message: expect.stringContaining('b1.t1') },
  });
});

test('frames without a worker for a pinned block wait, then say which task nobody holds', async () => {
  await house.announce(plan, { deadlineMs: 2_500 });
  await worker('a', undefined, [plan], [{ block: 0 }]);
  await house.send(plan, 'first');
  const [first] = await house.have(1);
  expect(first).toMatchObject({
    ok: false,
    error: { code: 'no-worker', message: expect.stringContaining('b1.t0') },
  });
});

test('frames that wait start when the missing worker comes', async () => {
  await house.announce(plan);
  await worker('a', undefined, [plan], [{ block: 0 }]);
  await house.send(plan, 'first');
  await expect.poll(() => house.counters('splitter').received).toBe(1);
  await worker('b', undefined, [plan], [{ block: 1 }]);
  right((await house.have(1))[0] as never);
});

test('a withdrawn pipeline ends its frames at once, under way or waiting', async () => {
  await house.announce(plan, { maxInFlight: 2 });
  await worker('a', () => 'silent');
  for (let seed = 0; seed < 5; seed++) await house.send(plan, `frame-${seed}`);
  await expect.poll(() => house.counters('splitter').received).toBe(5);
  await house.withdraw();
  for (const result of await house.have(5))
    expect(result).toMatchObject({ ok: false, error: { code: 'no-worker' } });
  await expect.poll(() => house.service('merger').status().plans).toEqual({});
});

test('a merger that ends and comes back: its frames are replayed at once', async () => {
  await house.announce(plan);
  const a = await worker('a', (task) => (task.startsWith('b1') ? 'silent' : 'right'));
  await house.send(plan, 'first');
  await expect.poll(() => workers[0]?.done.length).toBe(4);
  const merger = house.service('merger');
  // Ends as a crash does for the splitter: offline, with the frame unfinished.
  await house.channels.control.publish(
    'tilepipe/status/merger/merger',
    Buffer.from(JSON.stringify({ ...merger.status(), state: 'offline' })),
    { qos: 1, retain: true },
  );
  await a.stop();
  await worker('b');
  await merger.say();
  right((await house.have(1))[0] as never);
  expect(house.counters('splitter')).toMatchObject({ replayed: 1 });
});

test('a roll-out with another input size loses no frame: the old plan goes on until the new one is ready', async () => {
  const wider = gridPlan({ width: 14, grids: [[2, 1]] });
  const old = planDigest(plan);
  await house.announce(plan);
  const a = await worker('a', undefined, [plan, wider]);
  await a.say('online', [[old, plan]]);
  await house.announce(wider);
  await expect.poll(() => Object.keys(house.service('merger').status().plans ?? {}).length).toBe(2);
  await house.send(plan, 'before');
  right((await house.have(1))[0] as never);
  expect(house.results[0]?.plan).toBe(old);
  await a.say('online');
  await house.send(wider, 'after');
  expect((await house.have(2))[1]).toMatchObject({ ok: true, plan: planDigest(wider) });
});

test('the same plan announced with other limits takes effect', async () => {
  await house.announce(plan, { maxInFlight: 1 });
  const a = await worker('a', () => 'silent');
  for (let seed = 0; seed < 3; seed++) await house.send(plan, `frame-${seed}`);
  await expect.poll(() => house.counters('splitter').received).toBe(3);
  await house.announce(plan, { maxInFlight: 3, deadlineMs: 20_000 });
  await expect.poll(() => house.counters('splitter')['tasks.submitted']).toBe(12);
  await a.stop();
});

/** A gate for workers: they do nothing until it is opened. */
function gate(): { readonly deed: Script; readonly open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { deed: () => opened.then((): Deed => 'right'), open };
}

/** A frame of nobody's, under way at the merger. */
const stranger = (plan: Plan, number: number): MessageMeta => ({
  kind: 'open',
  pipeline: plan.pipeline,
  plan: planDigest(plan),
  frame: `nobody-${number}`,
  sequence: number,
});

test('as many frames as the plan says are under way, and none is lost', async () => {
  const small = gridPlan({ grids: [[1, 1]] });
  await house.announce(small, { maxInFlight: 90, maxWaiting: 200, attempts: 1, deadlineMs: 60_000 });
  const { deed, open } = gate();
  await worker('a', deed, [small]);
  for (let seed = 0; seed < 100; seed++) await house.send(small, `camera-${seed}`);
  // An open message for each frame under way: the workers hold the rest up.
  await expect.poll(() => house.counters('merger')['inbox.messages']).toBe(90);
  open();
  for (const { ok } of await house.have(100)) expect(ok).toBe(true);
  expect(house.counters('merger')).toMatchObject({ 'gather.evicted': 0 });
});

test('a frame the merger has no room for any more is replayed at once', async () => {
  await house.announce(plan, { attempts: 2, deadlineMs: 200_000 });
  const { deed, open } = gate();
  await worker('a', deed);
  await house.send(plan, 'first');
  await expect.poll(() => house.counters('merger')['inbox.messages']).toBe(1);
  for (let number = 0; number < 64; number++)
    await house.tell('tilepipe/merger/merger/in', stranger(plan, number));
  await expect.poll(() => house.counters('splitter').replayed).toBe(1);
  open();
  right((await house.have(1))[0] as never);
  expect(house.counters('merger').evicted).toBeGreaterThan(0);
  for (let number = 0; number < 64; number++)
    await house.tell('tilepipe/merger/merger/in', { ...stranger(plan, number), kind: 'close' });
});

test('a message cannot make the merger publish anywhere but to an inbox', async () => {
  const door = await Inbox.on(house.channels.data, 'tilepipe/door');
  const splitter = await Inbox.on(house.channels.data, 'tilepipe/splitter/other/in');
  const merger = 'tilepipe/merger/merger/in';
  // A frame of a plan the merger does not have is sent back at once.
  const lost: MessageMeta = { kind: 'open', pipeline: 'test', plan: 'none', frame: 'nobody' };
  await house.tell(merger, { ...lost, splitter: 'tilepipe/door' });
  await house.tell(merger, { ...lost, splitter: 'tilepipe/splitter/other/in' });
  await splitter.have(1);
  expect(door.messages.length).toBe(0);
  expect(house.counters('merger')).toMatchObject({ 'refused.address': 1 });
});

test('word of a frame that is not under way makes no worker distrusted', async () => {
  const digest = await house.announce(plan);
  await worker('a');
  const word = { kind: 'close', pipeline: 'test', plan: digest, code: 'wire-invalid' } as const;
  await house.tell('tilepipe/splitter/splitter/in', {
    ...word,
    frame: 'nobody',
    extra: { attempt: 1, unsound: 'a' },
  });
  await expect.poll(() => house.counters('splitter')['inbox.messages']).toBe(1);
  await house.send(plan, 'first');
  right((await house.have(1))[0] as never);
});

test('a camera whose name no topic may have is counted, and the others go on', async () => {
  await house.announce(plan, { deadlineMs: 5_000 });
  await house.send(plan, 'front door');
  await house.channels.data.publish('tilepipe/frame/garden/front door', Buffer.from('x'), { qos: 1 });
  await worker('a');
  await house.send(plan, 'first');
  right((await house.have(1))[0] as never);
  expect(house.counters('splitter')).toMatchObject({ received: 1, 'rejected.topic': 2 });
});

test('a splitter that stops ends what it could not finish', async () => {
  await house.announce(plan, { maxInFlight: 1 });
  await worker('a', () => 'silent');
  for (let seed = 0; seed < 3; seed++) await house.send(plan, `frame-${seed}`);
  await expect.poll(() => house.counters('splitter').received).toBe(3);
  await house.service('splitter').stop();
  for (const { ok, error } of await house.have(3))
    expect([ok, error?.message]).toEqual([false, expect.stringContaining('stopped')]);
});
