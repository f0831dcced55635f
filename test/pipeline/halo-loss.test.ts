/** Frames whose tiles stay on their workers, through real services, while strips get lost and plans change: each is right, once. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { preparePlan } from '../../services/controller/prepare.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import type { Cover } from '../../services/core/tiling/types.ts';
import type { MessageMeta } from '../../services/core/wire/message.ts';
import { Client, type Outcome } from '../../tools/client.ts';
import { compare } from '../../tools/compare.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { keptPlan } from '../support/kept-plan.ts';
import { residualNetwork } from '../support/networks.ts';
import { openModel } from '../support/open-model.ts';
import { type WholeModel, wholeModel } from '../support/ort.ts';
import { randomValues } from '../support/random-values.ts';
import { House } from '../support/scripted.ts';
import { floatTensor } from '../support/tensors.ts';

const SHAPE = [1, 3, 24, 32];
const WORKERS = ['w0', 'w1', 'w2'];
/** Two seconds for each attempt, and as many of them as it takes on a busy machine. */
const FRAMES = { maxInFlight: 4, maxWaiting: 64, deadlineMs: 60_000, attempts: 30 };
const LIMIT_MS = 60_000;

const folder = temporaryFolder();
const blobs = new BlobCache({ folder: folder.path });
const house = new House();
let client: Client;
let uncut: WholeModel;
let rows: Plan;
let columns: Plan;
let whole: Plan;
let number = 0;

async function halo(cover: Cover): Promise<Plan> {
  const model = await openModel(folder.path, residualNetwork());
  whole ??= (await preparePlan(model, 'test', gridCover(1, 1), blobs)).plan;
  return keptPlan(model, cover, { blobs, cuts: [0.5], devices: WORKERS });
}

beforeAll(async () => {
  await house.start();
  for (const id of WORKERS) await house.worker(id, blobs);
  uncut = await wholeModel(residualNetwork());
  rows = await halo(gridCover(3, 1));
  columns = await halo(gridCover(1, 3));
  client = new Client(house.channels, 'test', 'client');
  await client.start();
});
beforeEach(() => {
  house.lost = () => false;
});
afterAll(async () => {
  await client.stop();
  await house.stop();
  folder.remove();
});

/** Announces a plan and waits until all workers are ready for it and its fallback. */
async function ready(plan: Plan, fallback?: Plan): Promise<string> {
  const digest = await house.announce(plan, FRAMES, fallback);
  const states = () =>
    WORKERS.flatMap((id) => Object.values(house.service(id).status().plans ?? {}).map(({ state }) => state));
  const known = () => WORKERS.every((id) => house.service(id).status().plans?.[digest] !== undefined);
  await expect
    .poll(() => known() && states().every((state) => state === 'ready'), { timeout: LIMIT_MS })
    .toBe(true);
  return digest;
}

/** One frame, compared with the uncut model. */
async function frame(): Promise<Outcome> {
  const input = floatTensor('image', SHAPE, randomValues(`loss ${number++}`, SHAPE));
  const outcome = await client.send([input], LIMIT_MS);
  expect(outcome.result.error).toBeUndefined();
  expect(compare(outcome.tensors, await uncut.run([input])).maxRelDiff).toBeLessThanOrEqual(1e-4);
  return outcome;
}
const frames = (count: number): Promise<Outcome[]> => Promise.all(Array.from({ length: count }, frame));

/** Every frame so far has had one result. */
function once(): void {
  const seen = house.results.map((result) => result.frame);
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.length).toBe(number);
}
const isStrip = ({ kind, sender = '' }: MessageMeta, topic: string): boolean =>
  kind === 'data' && WORKERS.includes(sender) && topic.includes('/worker/');
const total = (name: string): number => WORKERS.reduce((sum, id) => sum + (house.counters(id)[name] ?? 0), 0);

test('a strip that is lost every time costs the frame its attempt: it goes by the fallback, and so do the next', async () => {
  const digest = await ready(columns, whole);
  const before = house.counters('splitter');
  house.lost = (meta, topic) => isStrip(meta, topic) && meta.sender === 'w1';
  // On a machine that stands still for a second an attempt may end by its time, and nobody is to blame.
  while (house.counters('splitter')['workers.distrusted'] === 0)
    for (const { result } of await frames(3)) expect(result.plan).not.toBe(digest);
  expect(total('strips.wanted')).toBeGreaterThan(0);
  expect(total('strips.lost')).toBeGreaterThan(0);
  expect(house.counters('splitter')['fallback.strip-lost']).toBeGreaterThan(0);
  expect(house.counters('splitter').failed).toBe(before.failed);
  // What was gathered of the attempts before is let go at once.
  expect(total('gather.abandoned')).toBeGreaterThan(0);
  // The worker that did not send is not counted on for a while, though nothing is lost any more.
  house.lost = () => false;
  const [next] = await frames(1);
  expect(next?.result.plan).not.toBe(digest);
  once();
});

test('what the merger waits for in vain costs the frame its attempt too', async () => {
  await ready(rows, whole);
  const { fallback: before = 0 } = house.counters('splitter');
  const lost = new Set<string>();
  house.lost = ({ kind, sender, frame = '' }, topic) => {
    const now = kind === 'data' && sender === 'w2' && topic.includes('/merger/') && !lost.has(frame);
    if (now) lost.add(frame);
    return now && lost.size <= 2;
  };
  await frames(3);
  expect(house.counters('splitter').fallback).toBeGreaterThanOrEqual(before + 2);
  once();
});

test('plans change while frames are under way', async () => {
  await ready(rows, whole);
  const first = frames(8);
  await ready(columns, whole);
  const second = frames(8);
  await ready(rows);
  await Promise.all([first, second, frames(4)]);
  once();
});
