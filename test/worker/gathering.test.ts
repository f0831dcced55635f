/** Strips of several frames, plans and attempts at one worker: which are put together, which are left alone. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { floatsOf } from '../../services/core/vision/floats.ts';
import type { Piece } from '../../services/core/wire/message.ts';
import { Gathering } from '../../services/worker/gathering.ts';
import { announced } from '../support/announced.ts';
import { frameRows, haloPlan, rows, taskMeta } from './plans.ts';

let folder: string;
let plan: Plan;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tilepipe-gathering-'));
  plan = await haloPlan(new BlobCache({ folder }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const piece = (begin: number, end: number, sign = 1): Piece => ({
  tensor: frameRows('y', begin, end, sign),
  region: rows(begin, end),
});

/** Of the worker `left`, whose task b0 reads rows 0 to 4 of its own a0 and row 4 of a1. */
function rig() {
  const gathering = new Gathering(announced(plan), 'left');
  const { digest } = gathering.plan;
  const say = (task: string, frame: string, attempt: number, pieces: Piece[], now = 0) =>
    gathering.accept(
      taskMeta(digest, task, frame, { kind: 'data', deadlineMs: 1_000, extra: { attempt } }),
      pieces,
      now,
    );
  const close = (frame: string, attempt: number) =>
    gathering.abandon(taskMeta(digest, '', frame, { kind: 'close', extra: { attempt } }));
  return { gathering, say, close };
}

it('frames do not mix, nor do attempts: a newer one begins anew, an older one is left alone', () => {
  const { gathering, say } = rig();
  say('a0', 'f', 1, [piece(0, 4)]);
  expect(say('a1', 'g', 1, [piece(4, 5)])).toEqual([]);
  expect(say('a1', 'f', 2, [piece(4, 5, -1)])).toEqual([]);
  expect(say('a0', 'f', 1, [piece(0, 4)])).toEqual([]);
  const [ready] = say('a0', 'f', 2, [piece(0, 4, -1)]);
  expect([...floatsOf(ready?.inputs[0] as never)]).toEqual([...floatsOf(frameRows('y', 0, 5, -1))]);
  expect(gathering.counters()).toMatchObject({ 'gather.stale': 1, 'gather.duplicates': 0 });
  expect(gathering.frames).toBe(1);
});

it('what comes twice does not begin a frame again that has ended', () => {
  const { gathering, say } = rig();
  say('a0', 'f', 1, [piece(0, 4)]);
  expect(say('a1', 'f', 1, [piece(4, 5)])).toHaveLength(1);
  expect(say('a1', 'f', 1, [piece(4, 5)])).toEqual([]);
  expect(gathering.frames).toBe(0);
  expect(gathering.overdue(1e6)).toEqual([]);
  expect(gathering.counters()).toMatchObject({ 'gather.late': 1 });
});

it('an attempt that is given up is let go, though its strips go on coming; the next one is not', () => {
  const { gathering, say, close } = rig();
  say('a0', 'f', 1, [piece(0, 4)]);
  close('f', 1);
  expect(gathering.frames).toBe(0);
  say('a1', 'f', 1, [piece(4, 5)]);
  expect(gathering.frames).toBe(0);
  say('a0', 'f', 2, [piece(0, 4)]);
  close('f', 1);
  expect(say('a1', 'f', 2, [piece(4, 5)])).toHaveLength(1);
  // Also where it comes before the first strip.
  close('g', 1);
  say('a0', 'g', 1, [piece(0, 4)]);
  expect(gathering.frames).toBe(0);
  expect(gathering.counters()).toMatchObject({ 'gather.abandoned': 1, 'gather.stale': 2 });
});

it('asks for what is overdue, each time after twice as long, and then says that it is lost', () => {
  const { gathering, say } = rig();
  say('a0', 'f', 1, [piece(0, 4)]);
  const told: [number, boolean][] = [];
  for (let now = 0; now <= 1_000; now += 10)
    for (const { lost, from, task } of gathering.overdue(now)) {
      expect([task, Object.fromEntries(from)]).toEqual(['b0', { right: ['a1'] }]);
      told.push([now, lost]);
    }
  // Half of the attempt's second.
  expect(told).toEqual([
    [250, false],
    [500, true],
  ]);
});
