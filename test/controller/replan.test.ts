/** The controller's re-planning over a real broker: what it makes of telemetry, statuses and plans that fail to load. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { LocalChannels } from '../../services/broker/local-bus.ts';
import { Controller } from '../../services/controller/controller.ts';
import { LinkGlances } from '../../services/controller/replan/link-glances.ts';
import {
  type PlanChange,
  Replanning,
  type ReplanOptions,
} from '../../services/controller/replan/replanning.ts';
import { TelemetryWatch } from '../../services/controller/replan/telemetry-watch.ts';
import { planDigest } from '../../services/core/flow/plan-index.ts';
import type { Draft } from '../../services/core/planning/draft.ts';
import { monotonicMs } from '../../services/core/runtime/clock.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import type { Announcement } from '../../services/core/schema/generated/announcement.ts';
import type { Status } from '../../services/core/schema/generated/status.ts';
import type { Telemetry } from '../../services/core/schema/generated/telemetry.ts';
import { gridPlan } from '../core/flow/plans.ts';
import { toyDevice, toyFleet, toyPlan, toyPredict } from '../core/planning/replan/world.ts';
import { Inbox } from '../support/inbox.ts';

const IDS = ['w0', 'w1', 'w2'];
const FLEET = toyFleet(IDS.map((id) => toyDevice(id)));
const FRAMES = { maxInFlight: 2, maxWaiting: 8, deadlineMs: 10_000, attempts: 3 };

let broker: EmbeddedBroker;
let channels: LocalChannels;
let controller: Controller;
let announced: Inbox;
const ends: (() => Promise<void>)[] = [];

beforeEach(async () => {
  broker = new EmbeddedBroker({ port: 0 });
  await broker.start();
  channels = new LocalChannels({ broker });
  await channels.start();
  const { control, topics } = channels;
  controller = new Controller({ id: 'c', control, topics, log: createLog('c'), store: 'http://127.0.0.1:1' });
  await controller.start();
  announced = await Inbox.on(control, 'tilepipe/plan/+');
  for (const id of IDS) await say(id);
});

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await controller.stop();
  await channels.stop();
  await broker.stop();
});

async function say(id: string, more: Partial<Status> = {}): Promise<void> {
  const status: Status = { role: 'worker', id, state: 'online', wire: [1], version: '0', ...more };
  const payload = Buffer.from(JSON.stringify(status));
  await channels.control.publish(`tilepipe/status/worker/${id}`, payload, { qos: 1, retain: true });
}

/** A plan with the draft's parts as tasks. */
async function prepare(draft: Draft) {
  const parts = draft.blocks[0]?.parts ?? [];
  const plan = gridPlan({ height: 56, grids: draft.blocks.map(() => [parts.length, 1] as const) });
  for (const task of plan.tasks) {
    const part = parts[task.index ?? -1];
    if (task.kind === 'run' && part !== undefined) {
      task.devices = [...part.devices];
      task.macs = part.tile.macs;
    }
  }
  return { plan, digest: planDigest(plan) };
}

async function begin(
  more: Partial<Pick<ReplanOptions, 'prepare' | 'plan' | 'frames'>> = {},
  fallback?: ReplanOptions['running']['plan']['fallback'],
) {
  const draft = toyPlan(FLEET);
  const plan = { ...(await prepare(draft)), ...(fallback === undefined ? {} : { fallback }) };
  const running = { draft, plan, settings: {}, frames: FRAMES };
  await controller.rollOut(running);
  const changes: PlanChange[] = [];
  const telemetry = new TelemetryWatch(channels);
  await telemetry.start();
  ends.push(() => telemetry.stop());
  const glances = new LinkGlances({ ...channels, log: createLog('r'), now: monotonicMs });
  await glances.start();
  ends.push(() => glances.stop());
  const replanning = new Replanning(
    { telemetry, controller, glances, log: createLog('r') },
    {
      fleet: FLEET,
      objective: 'latency',
      predict: toyPredict,
      plan: toyPlan,
      prepare,
      ...more,
      running,
      changed: (change) => changes.push(change),
    },
  );
  replanning.start();
  ends.push(() => replanning.stop());
  return { replanning, changes, draft, digest: running.plan.digest };
}

let number = 0;
async function tell(digest: string, draft: Draft, load: Record<string, number>): Promise<void> {
  const tasks = draft.blocks.flatMap(({ block, parts }) =>
    parts.map(({ tile, devices: [worker = ''] }): Telemetry['tasks'][number] => {
      const computeMs = (4 + 10 * tile.macs) * (load[worker] ?? 1);
      const sums = { computeSumMs: computeMs, queueMs: 0, queueSumMs: 0, restMs: 5, bytes: 9 };
      return { worker, plan: digest, task: `b${block.id}.t${tile.index}`, count: 1, computeMs, ...sums };
    }),
  );
  const telemetry: Telemetry = {
    role: 'merger',
    id: 'm',
    number: number++,
    windowMs: 500,
    tasks,
    workers: [],
    omitted: 0,
  };
  await channels.control.publish('tilepipe/telemetry/merger/m', Buffer.from(JSON.stringify(telemetry)));
}

/** Documents in plenty, until a plan beyond the first `known` is announced. */
async function tellUntil(known: number, digest: string, draft: Draft, load: Record<string, number>) {
  for (let i = 0; i < 50 && announced.messages.length <= known; i++) await tell(digest, draft, load);
  return newest(await announced.have(known + 1));
}

function newest(messages: readonly { payload: Buffer }[]): Announcement {
  return JSON.parse(messages.at(-1)?.payload.toString() ?? '');
}
const tilesOf = ({ plan }: Announcement) =>
  plan.tasks
    .filter(({ kind, block }) => kind === 'run' && block === 0)
    .map(({ devices, macs }) => [devices?.[0], macs]);

test('telemetry of a slow device brings a plan in which it does less', async () => {
  const { replanning, changes, draft, digest } = await begin();
  for (let i = 0; i < 5; i++) await tell(digest, draft, {});
  const changed = await tellUntil(1, digest, draft, { w2: 4 });
  expect(tilesOf(changed)).toEqual([
    ['w0', 25],
    ['w1', 25],
    ['w2', 6],
  ]);
  expect(changed).toMatchObject({ frames: FRAMES, controller: 'c' });
  await replanning.stop();
  expect(changes).toMatchObject([{ why: 'gain', digest: changed.digest }]);
  expect(replanning.digest).toBe(changed.digest);
  expect(replanning.counters()).toMatchObject({ 'replan.test.changes': 1, 'replan.test.speed.w2': 4000 });
});

test('frames that go by the fallback tell of its devices as well', async () => {
  const second = toyPlan(toyFleet([toyDevice('w0'), toyDevice('w2')]));
  const fallback = { ...(await prepare(second)), draft: second };
  await begin({}, fallback);
  for (let i = 0; i < 5; i++) await tell(fallback.digest, second, {});
  const changed = await tellUntil(1, fallback.digest, second, { w2: 4 });
  expect(tilesOf(changed).at(-1)).toEqual(['w2', 6]);
});

test('one task that has not ended is enough, unless the device is busy for another dispatcher', async () => {
  const { replanning, changes, draft, digest } = await begin();
  for (let i = 0; i < 8; i++) await tell(digest, draft, {});
  const out = [{ worker: 'w2', active: 1, timeouts: 0 }];
  const told = { number: 0, windowMs: 500, tasks: [], workers: out, omitted: 0 };
  const after = (computeMs: number) => ({
    running: [{ worker: 'w2', plan: digest, task: 'b0.t2', computeMs, usualMs: 200 }],
  });
  const say = async (telemetry: Telemetry): Promise<void> =>
    channels.control.publish(
      `tilepipe/telemetry/${telemetry.role}/${telemetry.id}`,
      Buffer.from(JSON.stringify(telemetry)),
    );
  await say({ ...told, role: 'splitter', id: 's' });
  await say({ ...told, role: 'merger', id: 'm', ...after(9_000) });
  await say({ ...told, role: 'splitter', id: 's', workers: [] });
  await say({ ...told, role: 'merger', id: 'm', ...after(900) });
  const changed = newest(await announced.have(2));
  // Not one row, as after the first of them.
  expect(tilesOf(changed).at(-1)).toEqual(['w2', 3]);
  await replanning.stop();
  expect(changes).toMatchObject([{ why: 'gain' }]);
});

test('a worker that goes is planned without at once, with no telemetry at all', async () => {
  const { changes } = await begin();
  await say('w1', { state: 'offline' });
  expect(tilesOf(newest(await announced.have(2))).map(([id]) => id)).toEqual(['w0', 'w2']);
  expect(changes.length).toBeLessThanOrEqual(1);
});

test('a plan that a worker cannot load is taken back', async () => {
  const { draft, digest } = await begin();
  for (let i = 0; i < 5; i++) await tell(digest, draft, {});
  const changed = await tellUntil(1, digest, draft, { w2: 4 });
  await say('w0', { plans: { [changed.digest]: { state: 'failed', code: 'model-refused', error: 'no' } } });
  const back = newest(await announced.have(3));
  expect(back.digest).toBe(digest);
});

test('where the plan before needs a device that is away, workers that cannot load the new one are left out', async () => {
  const { replanning, changes } = await begin();
  await say('w1', { state: 'offline' });
  const second = newest(await announced.have(2));
  const failed = {
    plans: { [second.digest]: { state: 'failed', code: 'model-refused', error: 'no' } },
  } as const;
  await say('w0', failed);
  expect(tilesOf(newest(await announced.have(3))).map(([id]) => id)).toEqual(['w2']);
  // Nothing new, said often.
  const told = await Inbox.on(channels.control, 'tilepipe/status/worker/+');
  for (let i = 0; i < 20; i++) for (const id of ['w0', 'w2']) await say(id, id === 'w0' ? failed : {});
  await told.have(40);
  await replanning.stop();
  expect(changes.map(({ why }) => why)).toEqual(['gone', 'gone']);
  expect(announced.messages.length).toBe(3);
});

test('a new plan is announced with frames of its own', async () => {
  await begin({
    plan: (fleet) => ({ ...toyPlan(fleet), inFlight: 16 }),
    frames: ({ inFlight }) => ({ ...FRAMES, maxInFlight: inFlight }),
  });
  await say('w1', { state: 'offline' });
  expect(newest(await announced.have(2)).frames).toEqual({ ...FRAMES, maxInFlight: 16 });
});

test('a pipeline that is withdrawn stays so, also while a plan for it is prepared', async () => {
  let asked = (): void => {};
  const preparing = new Promise<void>((resolve) => {
    asked = resolve;
  });
  let go = (): void => {};
  const wait = new Promise<void>((resolve) => {
    go = resolve;
  });
  const { replanning, changes } = await begin({
    prepare: async (draft) => {
      asked();
      await wait;
      return prepare(draft);
    },
  });
  await say('w1', { state: 'offline' });
  await preparing;
  await controller.withdraw('test');
  await announced.have(2);
  go();
  await say('w2', { state: 'offline' });
  await replanning.stop();
  expect(changes).toEqual([]);
  expect(announced.messages.map(({ payload }) => payload.length > 0)).toEqual([true, false]);
});

test('what is no telemetry is counted, and what is of no known plan or device says nothing', async () => {
  const { replanning, draft, digest } = await begin();
  for (const text of ['{', '{}', '[]', `{"role":"merger","x":"${'y'.repeat(600_000)}"}`])
    await channels.control.publish('tilepipe/telemetry/merger/m', Buffer.from(text));
  for (let i = 0; i < 20; i++) await tell('f'.repeat(64), draft, { w2: 4 });
  const strangers = {
    ...draft,
    blocks: draft.blocks.map((block) => ({ ...block, parts: block.parts.slice(0, 0) })),
  };
  await tell(digest, strangers, {});
  // Messages of one bus keep their order: these are the last that count.
  const told = Inbox.on(channels.control, 'tilepipe/telemetry/+/+');
  await tell(digest, draft, {});
  await (await told).have(1);
  expect(replanning.counters()).toMatchObject({ 'replan.telemetry.rejected': 4, 'replan.test.changes': 0 });
  expect(announced.messages.length).toBe(1);
});

test('where nothing can be planned or prepared the plan stays', async () => {
  let asked = 0;
  const { replanning, digest } = await begin({
    prepare: async () => {
      asked++;
      throw new TilepipeError('cache-unwritable', 'full');
    },
  });
  await say('w1', { state: 'offline' });
  await say('w2', { state: 'draining' });
  const told = await Inbox.on(channels.control, 'tilepipe/status/worker/w0');
  await say('w0');
  await told.have(1);
  await replanning.stop();
  // Once, and again only after a while.
  expect(asked).toBe(1);
  expect(replanning.digest).toBe(digest);
  expect(announced.messages.length).toBe(1);
});
