/** Which of several splitters takes a camera: one when all is known, more rather than none when it is not. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLog } from '../../services/core/runtime/log.ts';
import { Share } from '../../services/splitter/share.ts';
import { Local } from '../support/local.ts';

const PLAN = 'a'.repeat(64);
const plans = { [PLAN]: { state: 'ready' as const } };
const cameras = Array.from({ length: 60 }, (_, i) => `camera-${i}`);
/** Longer than both take everything; less than a refresh. */
const SETTLED = 5_000;

let local: Local;
let shares: Share[];
let now: number;

beforeEach(async () => {
  local = new Local();
  shares = [];
  now = 0;
  await local.start();
});
afterEach(async () => {
  for (const share of shares) await share.stop();
  await local.stop();
});

async function splitter(id: string, met: () => void = () => {}): Promise<Share> {
  const share = new Share({
    id,
    control: local.bus,
    topics: local.channels.topics,
    log: createLog(id),
    now: () => now,
    plans: (pipeline) => (pipeline === 'house' ? [PLAN] : []),
    met,
  });
  shares.push(share);
  await share.start();
  return share;
}

const of = (share: Share): string[] => cameras.filter((camera) => share.mine('house', camera));

describe('splitters that know each other', () => {
  test('take every camera once, each a fair part of them', async () => {
    const ids = ['a', 'b', 'c'];
    const all = await Promise.all(ids.map((id) => splitter(id)));
    for (const id of ids) await local.status('splitter', id, { plans });
    now += SETTLED;
    const taken = all.map(of);
    expect(taken.flat().sort()).toEqual([...cameras].sort());
    for (const part of taken) expect(part.length).toBeGreaterThan(8);
  });

  test('one that goes leaves its cameras to the others, whose own stay theirs', async () => {
    const [a, b] = [await splitter('a'), await splitter('b')];
    for (const id of ['a', 'b', 'c']) await local.status('splitter', id, { plans });
    now += SETTLED;
    const before = [of(a), of(b)];
    await local.status('splitter', 'c', { plans, state: 'draining' });
    const after = [of(a), of(b)];
    expect(after.flat().sort()).toEqual([...cameras].sort());
    for (const [i, mine] of before.entries()) expect(after[i]).toEqual(expect.arrayContaining(mine));
  });
});

describe('a splitter is not counted on', () => {
  test('before both have taken everything for a while', async () => {
    const a = await splitter('a');
    await local.status('splitter', 'b', { plans });
    expect(of(a)).toEqual(cameras);
    now += SETTLED;
    expect(of(a).length).toBeLessThan(cameras.length);
  });

  test('where only the broker remembers it', async () => {
    await local.status('splitter', 'b', { plans });
    const a = await splitter('a');
    now += SETTLED;
    expect(a.peers('house')).toEqual([]);
    await local.status('splitter', 'b', { plans });
    now += SETTLED;
    expect(a.peers('house')).toEqual(['b']);
  });

  test('once it has been silent for longer than its statuses are apart', async () => {
    const a = await splitter('a');
    await local.status('splitter', 'b', { plans });
    now += 60_000;
    expect(a.peers('house')).toEqual(['b']);
    now += 60_000;
    expect(of(a)).toEqual(cameras);
  });

  test('for pipelines it does not take', async () => {
    const a = await splitter('a');
    await local.status('splitter', 'b', { plans: { ['b'.repeat(64)]: { state: 'ready' } } });
    await local.status('splitter', 'c');
    now += SETTLED;
    expect(a.peers('house')).toEqual([]);
    expect(a.mine('garden', 'camera')).toBe(true);
  });
});

test('a newcomer is told once who is there', async () => {
  let met = 0;
  await splitter('a', () => met++);
  await local.status('splitter', 'a', { plans });
  await local.status('splitter', 'b', { plans });
  await local.status('splitter', 'b', { plans });
  expect(met).toBe(1);
});
