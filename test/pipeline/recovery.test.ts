/** Processes that vanish, stop and come back in the middle of a stream: every frame right, every result once. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { Connections } from '../../services/core/bus/connections.ts';
import { monotonicMs } from '../../services/core/runtime/clock.ts';
import { packageRoot } from '../../services/core/runtime/entry.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import { Assembler } from '../../services/core/wire/assembler.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import type { Outcome } from '../../tools/client.ts';
import { compare } from '../../tools/compare.ts';
import { startCluster, type TestCluster } from '../support/cluster.ts';
import { residualNetwork } from '../support/networks.ts';
import { type WholeModel, wholeModel } from '../support/ort.ts';
import { randomValues } from '../support/random-values.ts';
import { floatTensor, problem } from '../support/tensors.ts';

const SHAPE = [1, 3, 24, 32];
const LIMIT_MS = 50_000;

let it: TestCluster;
let listener: Connections;
let uncut: WholeModel;
/** Results by the frame they are of. */
let published: Map<string, number>;
/** Called with every result after it has been counted. */
let counted: (frame: string) => void = () => {};
/** Called with the sender of every message that a splitter or merger gets. */
let answered: (worker: string) => void = () => {};
let number = 0;
/** Ended with the test, however it ends. */
const mergers: ChildProcess[] = [];

beforeAll(async () => {
  it = await startCluster({ workers: 2, threads: 1 });
  uncut = await wholeModel(residualNetwork());
  await it.deploy(await it.open(residualNetwork(), 'recovery'), gridCover(2, 2));
  listener = new Connections({ ...it.cluster.address, service: 'listener' });
  await listener.start();
  await listener.control.subscribe('tilepipe/result/#', ({ payload }) => {
    const { frame } = JSON.parse(payload.toString()) as { frame: string };
    published.set(frame, (published.get(frame) ?? 0) + 1);
    counted(frame);
  });
  const assembler = new Assembler({ now: monotonicMs });
  for (const role of ['splitter', 'merger'] as const) {
    await listener.data.subscribe(
      listener.topics.build('inbox', { role, id: role }),
      ({ topic, payload }) => {
        answered(assembler.accept(topic, payload)?.meta.sender ?? '');
      },
    );
  }
});
beforeEach(() => {
  published = new Map();
});
afterAll(async () => {
  for (const child of mergers) child.kill('SIGKILL');
  await listener.stop();
  await it.stop();
});

/** Resolves when the frame's result has come to the listener: whatever was published before it has come by then. */
async function heard(frame: string): Promise<void> {
  while (!published.has(frame))
    await new Promise<void>((resolve) => {
      counted = (of) => {
        if (of === frame) resolve();
      };
    });
}

/** One more frame, and no frame has had a second result by the time that it has its own. */
async function everyResultOnce(): Promise<void> {
  const input = floatTensor('image', SHAPE, randomValues(`recovery ${number++}`, SHAPE));
  const { result } = await it.client.send([input], LIMIT_MS);
  await heard(result.frame);
  expect([...published.values()].filter((times) => times > 1)).toEqual([]);
}

/** Sends frames all at once; `at` is called with the count of those that have come back. */
async function stream(count: number, at: (back: number) => void): Promise<Outcome[]> {
  let back = 0;
  const inputs = Array.from({ length: count }, () =>
    floatTensor('image', SHAPE, randomValues(`recovery ${number++}`, SHAPE)),
  );
  const outcomes = await Promise.all(
    inputs.map(async (input) => {
      const outcome = await it.client.send([input], LIMIT_MS);
      at(++back);
      return outcome;
    }),
  );
  for (const [i, { result, tensors }] of outcomes.entries()) {
    expect(result.error).toBeUndefined();
    expect(compare(tensors, await uncut.run([inputs[i] as TensorData])).maxRelDiff).toBeLessThanOrEqual(1e-4);
  }
  await everyResultOnce();
  return outcomes;
}

function mergerProcess(id: string): ChildProcess {
  const flags = ['merger', '--id', id, '--broker', it.cluster.address.url];
  const child = spawn(process.execPath, [join(packageRoot(), 'tools', 'tilepipe.mjs'), ...flags], {
    stdio: 'inherit',
    env: { ...process.env, TILEPIPE_LOG: 'silent' },
  });
  mergers.push(child);
  return child;
}

test('a new grid while fifty frames are under way: none lost, none mixed', async () => {
  const model = await it.open(residualNetwork(), 'roll-out');
  let next: Promise<unknown> | undefined;
  const outcomes = await stream(50, (back) => {
    if (back === 5) next = it.deploy(model, gridCover(3, 1));
  });
  await next;
  outcomes.push(...(await stream(4, () => {})));
  expect(new Set(outcomes.map(({ result }) => result.plan)).size).toBe(2);
});

test('a worker that hangs and goes on: its late answers change nothing', async () => {
  const [first] = it.cluster.workers;
  await stream(40, (back) => {
    if (back === 5) first?.kill('SIGSTOP');
  });
  // Every frame has been answered without it: what it still says of the tasks it had is late.
  const late = new Promise<void>((resolve) => {
    answered = (worker) => {
      if (worker === first?.id) resolve();
    };
  });
  first?.kill('SIGCONT');
  await late;
  await everyResultOnce();
});

test('the end of a worker is listened for only until it is ready', async () => {
  const undone = vi.fn();
  const spies = it.cluster.workers.map((worker) => vi.spyOn(worker, 'onEnd').mockReturnValue(undone));
  await it.deploy(await it.open(residualNetwork(), 'recovery'), gridCover(2, 2));
  expect(undone).toHaveBeenCalledTimes(spies.length);
  for (const spy of spies) spy.mockRestore();
});

test('a merger process that is killed and comes back under its name', async () => {
  let child = mergerProcess('a-merger');
  const online = (state: string) =>
    new Promise<void>((resolve, reject) => {
      listener.control
        .subscribe('tilepipe/status/merger/a-merger', ({ payload }) => {
          const status = JSON.parse(payload.toString()) as { state: string; plans?: object };
          if (status.state === state && Object.keys(status.plans ?? {}).length > 0) resolve();
        })
        .catch(reject);
    });
  await online('online');
  await stream(60, (back) => {
    if (back === 10) child.kill('SIGKILL');
    if (back === 20) child = mergerProcess('a-merger');
  });
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
});

test('all workers die, others come', async () => {
  await stream(40, (back) => {
    if (back !== 8) return;
    for (const worker of it.cluster.workers) worker.kill('SIGKILL');
    it.cluster.addWorkers([{ id: 'late-0' }, { id: 'late-1' }]);
  });
});

test('a worker that ends before it is ready is named at once', async () => {
  it.cluster.addWorkers([{ id: 'not an id' }]);
  const model = await it.open(residualNetwork(), 'early');
  await expect(it.deploy(model, gridCover(1, 2))).rejects.toEqual(problem('no-worker', 'not an id'));
});
