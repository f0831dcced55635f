import { afterEach, expect, test } from 'vitest';
import { LoopWatch } from '../../services/broker/loop-watch.ts';

const PERIOD_MS = 500;

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

test('says for how long the loop was held up, once', async () => {
  const ticks: { heldMs: number; known: boolean }[] = [];
  const ticked = new Promise<void>((resolve) => {
    const watch: LoopWatch = new LoopWatch(PERIOD_MS, (heldMs) => {
      ticks.push({ heldMs, known: watch.heldWithin(PERIOD_MS) });
      resolve();
    });
    undo.push(() => watch.stop());
    watch.start();
    const until = performance.now() + 3 * PERIOD_MS;
    while (performance.now() < until);
    // Before the tick that is overdue has come, too.
    ticks.push({ heldMs: 0, known: watch.heldWithin(1) });
  });
  await ticked;
  expect(ticks[0]?.known).toBe(true);
  expect(ticks[1]?.known).toBe(true);
  expect(ticks[1]?.heldMs).toBeGreaterThanOrEqual(2 * PERIOD_MS - 1);
});
