import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AnnouncedPlan } from '../../services/core/control/plan-watch.ts';
import { FrameLimit } from '../../services/merger/frame-limit.ts';
import { Local } from '../support/local.ts';

let local: Local;
let limit: FrameLimit;

beforeEach(async () => {
  local = new Local();
  await local.start();
  limit = new FrameLimit({ control: local.bus, topics: local.channels.topics });
  await limit.start();
});
afterEach(async () => {
  await limit.stop();
  await local.stop();
});

const plan = (maxInFlight: number) => ({ announcement: { frames: { maxInFlight } } }) as AnnouncedPlan;

test('follows the announced limit, twice over, between its bounds', () => {
  expect([1, 32, 80, 5_000].map((each) => limit.of([plan(each)]))).toEqual([64, 64, 160, 4096]);
  expect(limit.of([plan(8), plan(100)])).toBe(200);
});

test('follows the splitters that are online', async () => {
  for (const id of ['a', 'b', 'c']) await local.status('splitter', id);
  expect(limit.of([plan(50)])).toBe(300);
  await local.status('splitter', 'b', { state: 'offline' });
  expect(limit.of([plan(50)])).toBe(200);
});
