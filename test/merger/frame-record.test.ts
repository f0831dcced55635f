/** Times of a frame's blocks, from the first tile sent to the last one back. */

import { expect, test } from 'vitest';
import type { MessageMeta } from '../../services/core/wire/message.ts';
import { FrameRecord } from '../../services/merger/frame-record.ts';
import { gridPlan } from '../core/flow/plans.ts';
import { announced } from '../support/announced.ts';

const { index } = announced(
  gridPlan({
    grids: [
      [2, 1],
      [1, 1],
    ],
  }),
);
const meta = (fields: Partial<MessageMeta>): MessageMeta => ({ kind: 'data', ...fields });
const came = (task: string, sender: string, ms: number): MessageMeta =>
  meta({ task, sender, startedMs: 1_000, endedMs: 1_000 + ms });

test('a block lasts from its first tile to its last answer, and names its slowest', () => {
  const record = new FrameRecord('f', meta({ kind: 'open' }), 0);
  // Of the first block the merger sees answers only: it began when the longest of them did.
  record.taskArrived(index, came('b0.t0', 'a', 30), 40);
  record.taskArrived(index, came('b0.t1', 'b', 50), 70);
  record.taskReady(1, 75);
  record.taskArrived(index, came('b1.t0', 'a', 5), 100);
  expect(record.timings(index)).toMatchObject([
    { block: 0, ms: 60, tiles: 2, slowestTileMs: 50, slowestTask: 'b0.t1', slowestWorker: 'b' },
    { block: 1, ms: 25, tiles: 1, slowestTileMs: 5, slowestTask: 'b1.t0', slowestWorker: 'a' },
  ]);
});

test('an answer that comes twice, or belongs to no block, counts once or not', () => {
  const record = new FrameRecord('f', meta({ kind: 'open' }), 0);
  record.taskArrived(index, came('b0.t0', 'a', 10), 20);
  record.taskArrived(index, came('b0.t0', 'b', 500), 900);
  record.taskArrived(index, came('input', 'splitter', 1), 950);
  record.taskArrived(index, came('nobody', 'b', 1), 960);
  expect(record.timings(index)).toMatchObject([{ block: 0, ms: 10, tiles: 1, slowestWorker: 'a' }]);
});

test('a frame nothing is said of has a minute, and stamps that run backwards cost nothing', () => {
  const record = new FrameRecord('f', meta({ kind: 'open', extra: { attempt: 2 } }), 1_000);
  expect(record).toMatchObject({ deadlineAt: 61_000, source: 'unknown', sequence: 0, attempt: 2 });
  record.taskArrived(index, meta({ task: 'b0.t0', startedMs: 9, endedMs: 1 }), 1_200);
  expect(record.timings(index)).toMatchObject([{ ms: 0, slowestTileMs: 0, slowestWorker: 'unknown' }]);
});

test('a block begun here whose outputs all go from worker to worker has no time that could be told', () => {
  const record = new FrameRecord('f', meta({ kind: 'open' }), 0);
  record.taskReady(0, 5);
  record.taskReady(1, 75);
  record.taskArrived(index, came('b1.t0', 'a', 5), 100);
  expect(record.timings(index).map(({ block }) => block)).toEqual([1]);
});
