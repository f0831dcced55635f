/** Who is there: statuses by id, what is said of those that go, and what is no status. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { Roster } from '../../../services/core/control/roster.ts';
import { parseStatus } from '../../../services/core/runtime/status.ts';
import { Local } from '../../support/local.ts';

let local: Local;
let roster: Roster;
/** id, state, and whether it was said just now. */
let changes: [string, string, boolean][];

beforeEach(async () => {
  local = new Local();
  await local.start();
  await local.status('worker', 'before');
  changes = [];
  roster = new Roster({
    control: local.bus,
    topics: local.channels.topics,
    role: 'worker',
    parse: parseStatus,
    changed: ({ id, state }, live) => changes.push([id, state, live]),
  });
  await roster.start();
  await expect.poll(() => changes).toEqual([['before', 'online', false]]);
});
afterEach(async () => {
  await roster.stop();
  await local.stop();
});

const ids = (): string[] => roster.online().map(({ id }) => id);
const say = (id: string, text: string) =>
  local.bus.publish(`tilepipe/status/worker/${id}`, Buffer.from(text), { qos: 1, retain: true });

test('online services are known in order of id; those that drain or go are not', async () => {
  for (const id of ['c', 'a', 'b']) await local.status('worker', id);
  expect(ids()).toEqual(['a', 'b', 'before', 'c']);
  await local.status('worker', 'a', { state: 'draining' });
  await local.status('worker', 'b', { state: 'offline' });
  expect(ids()).toEqual(['before', 'c']);
  expect(roster.get('a')?.state).toBe('draining');
  expect(roster.get('b')).toBeUndefined();
  expect(changes.slice(-2)).toEqual([
    ['a', 'draining', true],
    ['b', 'offline', true],
  ]);
});

test('one whose status is erased is gone for good, and said to be once', async () => {
  await say('before', '');
  await say('before', '');
  await say('never', '');
  expect(ids()).toEqual([]);
  expect(changes.slice(1)).toEqual([['before', 'offline', true]]);
});

test('what is no status, or that of another service, is counted and left out', async () => {
  const other = JSON.stringify({ role: 'worker', id: 'other', state: 'online', wire: [1], version: '1' });
  const merger = JSON.stringify({ role: 'merger', id: 'x', state: 'online', wire: [1], version: '1' });
  for (const text of ['{', '[]', other, merger]) await say('x', text);
  expect(ids()).toEqual(['before']);
  expect(roster.rejected).toBe(4);
});

test('a roster that has stopped knows nobody', async () => {
  await roster.stop();
  await local.status('worker', 'late');
  expect(ids()).toEqual([]);
  expect(changes.length).toBe(1);
});
