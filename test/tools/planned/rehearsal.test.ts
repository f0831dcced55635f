/** Planning ahead in a process of its own: what it finds out reaches the planner here, and it ends when it is told to. */

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Planner, type Rehearsed } from '../../../services/controller/replan/planner.ts';
import { deviceOf } from '../../../services/core/planning/cost/fleet-of.ts';
import { factoredFleet } from '../../../services/core/planning/replan/factored-fleet.ts';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';
import { createLog } from '../../../services/core/runtime/log.ts';
import { type ModelSource, openSource } from '../../../tools/planned/model-source.ts';
import { Rehearsal } from '../../../tools/planned/rehearsal.ts';
import { temporaryFolder } from '../../support/cluster.ts';
import { residualNetwork } from '../../support/networks.ts';
import { slowProfile } from '../../support/profiles.ts';

const folder = temporaryFolder();
const path = join(folder.path, 'network.onnx');
const blobs = join(folder.path, 'blobs');
mkdirSync(blobs);
writeFileSync(path, residualNetwork());
afterAll(() => folder.remove());

const source: ModelSource = { path, shapes: {}, pixels: false, configured: {} };
const checked = () => ({ refused: [], drafts: [] });
const order = { source, pipeline: 'p', objective: 'latency', blobs } as const;
const medium = { name: 'cable', bytesPerMs: 10_000, duplex: 'full', latencyMs: 0.1 } as const;
const fleet = {
  hub: { messageMs: 0.1, byteMs: 0 },
  media: new Map([['cable', medium]]),
  devices: ['a', 'b'].map((id) => deviceOf(slowProfile(id), { medium: 'cable' })),
};
const slowed = factoredFleet(fleet, {
  present: new Set(['a', 'b']),
  speed: (id) => (id === 'b' ? 4 : 1),
  link: () => 1,
});

test('a planner that adopts what was rehearsed writes no file for a device that becomes slow', async () => {
  const planner = new Planner({
    ...order,
    model: await openSource(source),
    blobs: new BlobCache({ folder: blobs }),
  });
  let told = (_: Rehearsed): void => {};
  // The fleet as it is, each of two devices slow and away, all links at four speeds, and each device at four others.
  const all = new Promise<void>((resolve) => {
    let count = 0;
    told = (rehearsed) => {
      planner.adopt(rehearsed);
      if (++count === 17) resolve();
    };
  });
  const rehearsal = new Rehearsal({
    order,
    checked,
    told: (rehearsed) => told(rehearsed),
    log: createLog('test'),
  });
  expect(await rehearsal.begin(fleet)).toBe(true);
  await all;
  const files = readdirSync(blobs).sort();
  expect(files.length).toBeGreaterThan(0);
  await planner.prepare(planner.plan(slowed));
  expect(readdirSync(blobs).sort()).toEqual(files);
  await rehearsal.stop();
});

test('one that is stopped, or whose place another takes, has told nothing', async () => {
  const rehearsal = new Rehearsal({ order, checked, told: () => {}, log: createLog('test') });
  const first = rehearsal.begin(fleet);
  const second = rehearsal.begin(fleet);
  expect([await first, await second]).toEqual([false, true]);
  const third = rehearsal.begin(fleet);
  await rehearsal.stop();
  expect([await third, await rehearsal.begin(fleet)]).toEqual([false, false]);
});

test('where its model is gone it ends with nothing told', async () => {
  const nowhere = { ...order, source: { ...source, path: join(folder.path, 'gone.onnx') } };
  const rehearsal = new Rehearsal({
    order: nowhere,
    checked,
    told: () => {},
    log: createLog('test', { level: 'silent' }),
  });
  expect(await rehearsal.begin(fleet)).toBe(true);
  await rehearsal.stop();
});
