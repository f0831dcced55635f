/** Processes that vanish, stop and come back in the middle of a stream: every frame right, every result once. */

import { once } from 'node:events';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { monotonicMs } from '../../services/core/runtime/clock.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import { Assembler } from '../../services/core/wire/assembler.ts';
import type { TestCluster } from '../support/cluster.ts';
import { residualNetwork } from '../support/networks.ts';
import { Recovery } from '../support/recovery.ts';
import { problem } from '../support/tensors.ts';

let recovery: Recovery;
let it: TestCluster;
/** Called with the sender of every message that a splitter or merger gets. */
let answered: (worker: string) => void = () => {};

beforeAll(async () => {
  recovery = await Recovery.start();
  it = recovery.it;
  const { data, topics } = recovery.listener;
  const assembler = new Assembler({ now: monotonicMs });
  for (const role of ['splitter', 'merger'] as const) {
    await data.subscribe(topics.build('inbox', { role, id: role }), ({ topic, payload }) => {
      answered(assembler.accept(topic, payload)?.meta.sender ?? '');
    });
  }
});
afterAll(() => recovery.stop());

test('a new grid while fifty frames are under way: none lost, none mixed', async () => {
  const model = await it.open(residualNetwork(), 'roll-out');
  let next: Promise<unknown> | undefined;
  const outcomes = await recovery.stream(50, (back) => {
    if (back === 5) next = it.deploy(model, gridCover(3, 1));
  });
  await next;
  outcomes.push(...(await recovery.stream(4)));
  expect(new Set(outcomes.map(({ result }) => result.plan)).size).toBe(2);
});

test('a worker that hangs and goes on: its late answers change nothing', async () => {
  const [first] = it.cluster.workers;
  await recovery.stream(40, (back) => {
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
  await recovery.everyResultOnce();
});

test('the end of a worker is listened for only until it is ready', async () => {
  const undone = vi.fn();
  const spies = it.cluster.workers.map((worker) => vi.spyOn(worker, 'onEnd').mockReturnValue(undone));
  await it.deploy(await it.open(residualNetwork(), 'recovery'), gridCover(2, 2));
  expect(undone).toHaveBeenCalledTimes(spies.length);
  for (const spy of spies) spy.mockRestore();
});

test('a merger process that is killed and comes back under its name', async () => {
  let child = recovery.mergerProcess('a-merger');
  await recovery.mergerOnline('a-merger');
  await recovery.stream(60, (back) => {
    if (back === 10) child.kill('SIGKILL');
    if (back === 20) child = recovery.mergerProcess('a-merger');
  });
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
});

test('all workers die, others come', async () => {
  await recovery.stream(40, (back) => {
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
