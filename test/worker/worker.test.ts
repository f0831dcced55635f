import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Status } from '../../services/core/schema/generated/status.ts';
import { floatsOf } from '../../services/core/vision/floats.ts';
import type { MessageMeta, TensorData } from '../../services/core/wire/message.ts';
import type { RunResult } from '../../services/worker/executor/executor.ts';
import { OrtExecutor } from '../../services/worker/executor/ort.ts';
import { Bench } from './bench.ts';
import { tensor } from './models.ts';
import { frameRows, haloPlan, model, planOf, rows, run, type Step, taskMeta, twoTiles } from './plans.ts';

let bench: Bench;

beforeEach(async () => {
  bench = new Bench();
  await bench.start();
});

afterEach(() => bench.stop());

it('loads what is announced before and after it starts, and answers with the rest of the time', async () => {
  const plan = await twoTiles(bench.shelf);
  const digest = await bench.announce(plan);
  await bench.worker('w');
  const status = await bench.planState('w', digest, 'ready');
  expect(status).toMatchObject({
    state: 'online',
    slots: 2,
    inbox: 'tilepipe/worker/w/in',
    executor: expect.stringContaining('onnxruntime'),
  });
  expect(status.plans?.[digest]?.models).toEqual(plan.models.map((file) => file.digest));
  await bench.send('w', {
    meta: taskMeta(digest, 't1', 'f1', { source: 'cam' }),
    tensors: [frameRows('x', 3, 8)],
  });
  const data = await bench.came(bench.merger, 'data', 'f1');
  expect(floatsOf(data.tensors[0] as TensorData)).toEqual(floatsOf(frameRows('z', 3, 8, -1)));
  expect(data.meta).toMatchObject({ sender: 'w', task: 't1', source: 'cam', sequence: 0, plan: digest });
  expect(data.meta.regions?.z).toEqual(rows(3, 8));
  expect(data.meta.deadlineMs).toBeLessThanOrEqual(20_000);
  const done = await bench.came(bench.dispatcher, 'done', 'f1');
  expect(done.meta.startedMs as number).toBeGreaterThanOrEqual(done.meta.receivedMs as number);
  const second = await twoTiles(bench.shelf, 'Abs', 'q');
  const other = await bench.announce(second);
  await bench.planState('w', other, 'ready');
});

it('downloads once what two plans share, and only what its pins allow', async () => {
  const files = await model(bench.shelf, 'x', 'y', 'Neg');
  const tail = await model(bench.shelf, 'y', 'z', 'Abs');
  const steps: Step[] = [
    {
      task: run('a', 0, 0, files.digest, ['x', 0, 8], ['y', 0, 8]),
      from: [{ task: 'input', region: rows(0, 8) }],
    },
    {
      task: run('b', 1, 0, tail.digest, ['y', 0, 8], ['z', 0, 8]),
      from: [{ task: 'a', region: rows(0, 8) }],
    },
  ];
  const plan = planOf(steps, [files, tail], 'z');
  const digest = await bench.announce(plan);
  await bench.worker('first', { pins: [{ block: 0 }] });
  await bench.worker('none', { pins: [{ block: 1, tile: 7 }] });
  const ready = await bench.planState('first', digest, 'ready');
  expect(ready.pins).toEqual([{ block: 0 }]);
  expect(ready.plans?.[digest]?.models).toEqual([files.digest]);
  expect((await bench.planState('none', digest, 'ready')).plans?.[digest]?.models).toEqual([]);
  expect(bench.store.counters().requests).toBe(1);
  const again = await bench.announce({ ...plan, pipeline: 'q' });
  await bench.planState('first', again, 'ready');
  expect(bench.store.counters().requests).toBe(1);
  await bench.send('first', { meta: taskMeta(digest, 'b', 'f'), tensors: [frameRows('y', 0, 8)] });
  const { meta } = await bench.came(bench.dispatcher, 'error', 'f');
  expect(meta.code).toBe('no-worker');
});

it('finds the store at its own broker where the address says so', async () => {
  const digest = await bench.announce(await twoTiles(bench.shelf), `http://broker:${bench.store.port}`);
  await bench.worker('w', { brokerHost: '127.0.0.1' });
  await bench.planState('w', digest, 'ready');
});

it('says why a plan cannot be loaded, and serves the one before it', async () => {
  const good = await twoTiles(bench.shelf);
  const digest = await bench.announce(good);
  await bench.worker('w');
  await bench.planState('w', digest, 'ready');
  const broken = { ...(await bench.shelf.putBytes(randomBytes(100))), weights: [] };
  const tasks = good.tasks.map((task) => (task.kind === 'run' ? { ...task, model: broken.digest } : task));
  const bad = await bench.announce({ ...good, tasks, models: [broken] });
  const failed = await bench.planState('w', bad, 'failed');
  expect(failed.plans?.[bad]).toMatchObject({
    code: 'model-refused',
    error: expect.stringContaining(broken.digest),
  });
  expect(failed.plans?.[digest]?.state).toBe('ready');
  const missing = { digest: 'f'.repeat(64), bytes: 5, weights: [] };
  const gone = await bench.announce({
    ...good,
    tasks: tasks.map((task) => (task.kind === 'run' ? { ...task, model: missing.digest } : task)),
    models: [missing],
  });
  expect((await bench.planState('w', gone, 'failed')).plans?.[gone]?.code).toBe('download-failed');
  await bench.send('w', { meta: taskMeta(digest, 't0', 'f'), tensors: [frameRows('x', 0, 3)] });
  await bench.came(bench.merger, 'data', 'f');
});

it('forgets a pipeline that is withdrawn', async () => {
  const digest = await bench.announce(await twoTiles(bench.shelf));
  await bench.worker('w');
  await bench.planState('w', digest, 'ready');
  const before = bench.statuses.items.length;
  await bench.bus.control.publish('tilepipe/plan/p', Buffer.alloc(0), { qos: 1, retain: true });
  await bench.statuses.first(
    'a status without plans',
    ({ plans }) => Object.keys(plans ?? {}).length === 0,
    20_000,
    before,
  );
  await bench.send('w', { meta: taskMeta(digest, 't0', 'f'), tensors: [frameRows('x', 0, 3)] });
  expect((await bench.came(bench.dispatcher, 'error', 'f')).meta).toMatchObject({
    code: 'no-worker',
    task: 't0',
    sender: 'w',
  });
});

it('forgets what it gathered for a pipeline that is withdrawn, and gathers nothing more of it', async () => {
  let finish = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let begun = (): void => undefined;
  const computed = new Promise<void>((resolve) => {
    begun = resolve;
  });
  /** Computes at once and hands out what it made later, from the second run on. */
  class Slow extends OrtExecutor {
    #runs = 0;
    override async run(...given: Parameters<OrtExecutor['run']>): Promise<RunResult> {
      const result = await super.run(...given);
      if (this.#runs++ === 0) return result;
      begun();
      await held;
      return result;
    }
  }
  const digest = await bench.announce(await haloPlan(bench.shelf));
  const service = await bench.worker('left', { executor: new Slow() });
  await bench.planState('left', digest, 'ready');
  const task = (frame: string) =>
    bench.send('left', { meta: taskMeta(digest, 'a0', frame), tensors: [frameRows('x', 0, 4)] });
  await task('f1');
  await bench.came(bench.dispatcher, 'done', 'f1');
  expect(service.status().counters).toMatchObject({ 'gather.transfers': 1 });
  await task('f2');
  await computed;
  const before = bench.statuses.items.length;
  await bench.bus.control.publish('tilepipe/plan/p', Buffer.alloc(0), { qos: 1, retain: true });
  const without = ({ plans }: Status) => Object.keys(plans ?? {}).length === 0;
  const said = await bench.statuses.first('a status without plans', without, 20_000, before);
  expect(said.counters).not.toHaveProperty('gather.transfers');
  finish();
  await bench.came(bench.dispatcher, 'done', 'f2');
  expect(service.status().counters).toMatchObject({ 'refused.unknown-plan': 1 });
  expect(service.status().counters).not.toHaveProperty('gather.transfers');
});

it('gives downloads up when it stops, and leaves no executor behind', async () => {
  const store = createServer();
  const asked = once(store, 'request') as Promise<[IncomingMessage]>;
  store.listen(0, '127.0.0.1');
  await once(store, 'listening');
  try {
    const { port } = store.address() as AddressInfo;
    const digest = await bench.announce(await twoTiles(bench.shelf), `http://127.0.0.1:${port}`);
    const executor = new OrtExecutor();
    const service = await bench.worker('w', { executor });
    const [request] = await asked;
    const cut = once(request.socket, 'close');
    await service.stop('test');
    await cut;
    const refused = { code: 'model-refused', message: expect.stringContaining('was stopped') };
    await expect(executor.load('anything')).rejects.toMatchObject(refused);
    expect(bench.statuses.items.some(({ plans }) => plans?.[digest]?.state === 'failed')).toBe(false);
  } finally {
    store.close();
    store.closeAllConnections();
  }
});

it('survives names as long as a message can carry', async () => {
  const digest = await bench.announce(await twoTiles(bench.shelf));
  const service = await bench.worker('w');
  await bench.planState('w', digest, 'ready');
  for (const length of [129, 64_900]) {
    const meta = taskMeta(digest, 't0', 'f'.repeat(length));
    await bench.send('w', { meta, tensors: [frameRows('x', 0, 3)] });
  }
  const longest = 'f'.repeat(128);
  await bench.send('w', { meta: taskMeta(digest, 't0', longest), tensors: [frameRows('x', 0, 3)] });
  await bench.came(bench.merger, 'data', longest);
  expect(service.status().counters).toMatchObject({ 'inbox.rejected.metadata-value': 2, 'tasks.done': 1 });
});

it('refuses what is not the task, by name, and publishes to inboxes only', async () => {
  const digest = await bench.announce(await twoTiles(bench.shelf));
  const service = await bench.worker('w');
  await bench.planState('w', digest, 'ready');
  const wrong: [string, MessageMeta, TensorData[], string][] = [
    ['shape', taskMeta(digest, 't0', 'shape'), [frameRows('x', 0, 4)], '4x8'],
    ['name', taskMeta(digest, 't0', 'name'), [frameRows('y', 0, 3)], 'missing'],
    ['more', taskMeta(digest, 't0', 'more'), [frameRows('x', 0, 3), frameRows('y', 0, 3)], '2 tensors'],
    ['type', taskMeta(digest, 't0', 'type'), [tensor('x', 'int32', [3, 8], new Int32Array(24))], 'int32'],
    [
      'place',
      taskMeta(digest, 't0', 'place', { regions: { x: rows(1, 4) } }),
      [frameRows('x', 0, 3)],
      'region',
    ],
    ['task', taskMeta(digest, 'result', 'task'), [], 'result'],
  ];
  for (const [frame, meta, tensors, says] of wrong) {
    await bench.send('w', { meta, tensors });
    const { meta: error } = await bench.came(bench.dispatcher, 'error', frame);
    expect([frame, error.code, error.message]).toEqual([
      frame,
      'wire-invalid',
      expect.stringContaining(says),
    ]);
  }
  const stranger = taskMeta(digest, 't0', 'stranger', { reply: 'tilepipe/status/worker/w' });
  await bench.send('w', { meta: stranger, tensors: [frameRows('x', 0, 3)] });
  const nowhere = taskMeta(digest, 't0', 'nowhere', { merger: 'house/lights' });
  const lights: string[] = [];
  await bench.bus.control.subscribe('house/#', ({ topic }) => lights.push(topic));
  await bench.send('w', { meta: nowhere, tensors: [frameRows('x', 0, 3)] });
  await bench.came(bench.dispatcher, 'done', 'nowhere');
  await bench.send('w', { meta: { kind: 'open', frame: 'x' }, tensors: [] });
  await bench.send('w', { meta: taskMeta(digest, 't0', 'last'), tensors: [frameRows('x', 0, 3)] });
  await bench.came(bench.merger, 'data', 'last');
  expect(lights).toEqual([]);
  expect(service.status().counters).toMatchObject({
    'tasks.refused.wire-invalid': wrong.length,
    'refused.incomplete': 1,
    'unsent.no-address': 1,
    'refused.kind-open': 1,
    'tasks.done': 2,
  });
});

it('drops a task whose time is up without a word', async () => {
  const digest = await bench.announce(await twoTiles(bench.shelf));
  const service = await bench.worker('w');
  await bench.planState('w', digest, 'ready');
  await bench.send('w', {
    meta: taskMeta(digest, 't0', 'late', { deadlineMs: 0 }),
    tensors: [frameRows('x', 0, 3)],
  });
  await bench.send('w', { meta: taskMeta(digest, 't0', 'next'), tensors: [frameRows('x', 0, 3)] });
  await bench.came(bench.merger, 'data', 'next');
  expect(service.status().counters).toMatchObject({ 'tasks.dropped.deadline': 1, 'tasks.done': 1 });
  expect(
    [...bench.merger.items, ...bench.dispatcher.items].filter(({ meta }) => meta.frame === 'late'),
  ).toEqual([]);
});

it('answers a run that fails, and one that makes other than the plan says', async () => {
  const plan = await twoTiles(bench.shelf);
  const tasks = plan.tasks.map((task) =>
    task.id === 't0' ? { ...task, outputs: [{ tensor: 'z', region: rows(0, 4) }] } : task,
  );
  const digest = await bench.announce({ ...plan, tasks });
  const executor = new OrtExecutor();
  await bench.worker('w', { executor });
  await bench.planState('w', digest, 'ready');
  await bench.send('w', { meta: taskMeta(digest, 't0', 'other'), tensors: [frameRows('x', 0, 3)] });
  expect((await bench.came(bench.dispatcher, 'error', 'other')).meta).toMatchObject({
    code: 'task-failed',
    task: 't0',
  });
  await executor.stop();
  await bench.send('w', { meta: taskMeta(digest, 't1', 'lost'), tensors: [frameRows('x', 3, 8)] });
  expect((await bench.came(bench.dispatcher, 'error', 'lost')).meta.code).toBe('task-failed');
});

it('answers what it has when it is told to stop, and refuses what comes then', async () => {
  const digest = await bench.announce(await twoTiles(bench.shelf));
  const service = await bench.worker('w');
  await bench.planState('w', digest, 'ready');
  const frames = Array.from({ length: 4 }, (_, i) => `f${i}`);
  for (const frame of frames)
    await bench.send('w', { meta: taskMeta(digest, 't0', frame), tensors: [frameRows('x', 0, 3)] });
  await bench.came(bench.merger, 'data', 'f0');
  await service.stop('test');
  for (const frame of frames) {
    const outcome = [...bench.merger.items, ...bench.dispatcher.items].filter(
      ({ meta }) => meta.frame === frame,
    );
    expect([frame, outcome.length > 0]).toEqual([frame, true]);
  }
  expect(bench.statuses.items.slice(-2).map(({ state }) => state)).toEqual(['draining', 'offline']);
});

it('exchanges strips with a neighbour without the merger, keeps its own, and runs a replayed frame again', async () => {
  const digest = await bench.announce(await haloPlan(bench.shelf));
  const left = await bench.worker('left');
  const right = await bench.worker('right');
  for (const id of ['left', 'right']) await bench.planState(id, digest, 'ready');
  const strips: number[] = [];
  await bench.bus.data.subscribe('tilepipe/worker/+/in', ({ payload }) => strips.push(payload.length));
  for (const turn of [1, 2]) {
    const again = turn > 1 ? { extra: { attempt: turn } } : {};
    await bench.send('left', { meta: taskMeta(digest, 'a0', 'f', again), tensors: [frameRows('x', 0, 4)] });
    await bench.send('right', { meta: taskMeta(digest, 'a1', 'f', again), tensors: [frameRows('x', 4, 8)] });
    for (const task of ['b0', 'b1']) {
      const wanted = () => bench.merger.items.filter(({ meta }) => meta.task === task).length === turn;
      await bench.merger.first(`${task} for the ${turn}. time`, wanted, 20_000);
    }
  }
  const [b0, b1] = ['b0', 'b1'].map(
    (id) => bench.merger.items.find(({ meta }) => meta.task === id)?.tensors[0] as TensorData,
  );
  expect(floatsOf(b0 as TensorData)).toEqual(floatsOf(frameRows('z', 0, 5)));
  expect(floatsOf(b1 as TensorData)).toEqual(floatsOf(frameRows('z', 3, 8)));
  expect(bench.merger.items.map(({ meta }) => meta.task).sort()).toEqual(['b0', 'b0', 'b1', 'b1']);
  expect(left.status().counters).toMatchObject({ 'tasks.done': 4, 'sent.data': 4, 'gather.transfers': 4 });
  expect(right.status().counters).toMatchObject({ 'tasks.done': 4, 'sent.done': 2 });
});
