import { afterEach, expect, test } from 'vitest';
import { LoopWatch } from '../../services/broker/loop-watch.ts';

const PERIOD_MS = 500;

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

test('says for how long the loop was held up', async () => {
  const heldMs = await new Promise<number>((resolve) => {
    const watch = new LoopWatch(PERIOD_MS, resolve);
    undo.push(() => watch.stop());
    watch.start();
    const until = performance.now() + 3 * PERIOD_MS;
    while (performance.now() < until);
  });
  expect(heldMs).toBeGreaterThanOrEqual(2 * PERIOD_MS - 1);
});
