/** Two splitters on one pipeline: every frame runs, and once they know each other it runs once. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { planDigest } from '../../services/core/flow/plan-index.ts';
import { gridPlan } from '../core/flow/plans.ts';
import { House, ScriptedWorker } from '../support/scripted.ts';

const plan = gridPlan({ grids: [[1, 2]] });
let house: House;

beforeEach(async () => {
  house = new House();
  await house.start();
});
afterEach(async () => {
  await house.stop();
});

test('share its cameras, and one that leaves hands its own over', async () => {
  await house.announce(plan, { maxWaiting: 256 });
  const worker = new ScriptedWorker(house, 'a', new Map([[planDigest(plan), plan]]));
  await worker.start();
  const second = await house.begin('splitter', 'second');
  const peers = () => ['splitter', 'second'].map((id) => house.counters(id).peers);
  await expect.poll(peers, { timeout: 30_000 }).toEqual([1, 1]);
  for (let i = 0; i < 30; i++) await house.send(plan, `camera-${i}`);
  for (const { ok } of await house.have(30)) expect(ok).toBe(true);
  const received = ['splitter', 'second'].map((id) => house.counters(id).received as number);
  expect(received.reduce((a, b) => a + b)).toBe(30);
  for (const count of received) expect(count).toBeGreaterThan(3);
  // While one leaves, frames go on: twice at worst.
  const leaving = second.stop();
  for (let i = 0; i < 30; i++) await house.send(plan, `later-${i}`);
  await leaving;
  const answered = () => new Set(house.results.filter(({ ok }) => ok).map(({ source }) => source)).size;
  await expect.poll(answered, { timeout: 30_000 }).toBe(60);
  await worker.stop();
});
