/** The planner behind a re-planning: what it has planned for once it plans again without new cuts and new files. */

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OpenedModel, openAnalysed } from '../../services/controller/prepare.ts';
import { Planner } from '../../services/controller/replan/planner.ts';
import type { Device, Fleet } from '../../services/core/planning/cost/fleet.ts';
import type { Draft } from '../../services/core/planning/draft.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { ModelBuilder } from '../support/model-builder.ts';

const folder = temporaryFolder();
const blobs = new BlobCache({ folder: folder.path });
let model: OpenedModel;

/** Enough convolutions for tiles to pay. */
function network(): Uint8Array {
  const builder = new ModelBuilder().input('t0', [1, 3, 96, 96]);
  const channels = [3, 16, 16, 16, 16, 16, 4];
  for (let i = 1; i < channels.length; i++) {
    builder
      .random(`w${i}`, [channels[i] as number, channels[i - 1] as number, 3, 3])
      .node('Conv', [`t${i - 1}`, `w${i}`], [`t${i}`], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
  }
  return builder.output('t6', 'float32', [1, 4, 96, 96]).encode();
}

function device(id: string, slower = 1): Device {
  return {
    id,
    kinds: new Map([['other', { run: 0.01, mac: 4e-6 * slower, byte: 0, weight: 0 }]]),
    taskMs: slower,
    byteMs: 0,
    memoryBytes: Number.POSITIVE_INFINITY,
    idleBytes: 0,
    medium: id,
    estimated: false,
  };
}
const fleetOf = (devices: readonly Device[]): Fleet => ({
  hub: { messageMs: 0.1, byteMs: 0 },
  media: new Map(
    devices.map(({ id }) => [id, { name: id, bytesPerMs: 20_000, duplex: 'full', latencyMs: 0.2 }]),
  ),
  devices,
});
const three = (slower = 1): Fleet => fleetOf([device('a'), device('b'), device('c', slower)]);
const planner = (objective: 'latency' | 'throughput' = 'latency') =>
  new Planner({ model, pipeline: 'p', blobs, objective });
const ends = ({ blocks }: Draft) => blocks.map(({ block }) => block.outputs.join());

beforeAll(async () => {
  const path = join(folder.path, 'model.onnx');
  writeFileSync(path, network());
  model = await openAnalysed(path, {});
});
afterAll(() => folder.remove());

test('a device that slows down changes sizes, not blocks; the prediction follows', () => {
  const { plan, predict } = planner();
  const even = plan(three());
  const uneven = plan(three(3));
  expect(even.blocks.some(({ parts }) => parts.length > 1)).toBe(true);
  expect(ends(even)).toEqual(expect.arrayContaining(ends(uneven)));
  const late = predict(even, three(3)).latencyMs;
  expect(predict(uneven, three(3)).latencyMs).toBeLessThan(late);
  expect(predict(even, three()).latencyMs).toBeLessThan(late);
});

test('a plan much like the one before is written without writing anything', async () => {
  const { plan, prepare } = planner();
  const before = await prepare(plan(three()));
  const after = await prepare(plan(three(1.2)));
  expect(after.digest).not.toBe(before.digest);
  expect(after.plan.models).toEqual(before.plan.models);
});

test('what was rehearsed is in the store: no file is written for a device that becomes slow or goes', async () => {
  const rehearsed = planner();
  await rehearsed.rehearse(three());
  const files = () => readdirSync(folder.path, { recursive: true }).length;
  const before = files();
  for (const fleet of [three(), three(4), fleetOf([device('a'), device('b')])])
    await rehearsed.prepare(rehearsed.plan(fleet));
  expect(files()).toBe(before);
});

test('for a device nobody has planned for, all cuts are looked at', () => {
  const small = planner();
  small.plan(fleetOf([device('a')]));
  const known = small.plan(three());
  const fresh = planner().plan(three());
  expect(known.predicted.latencyMs).toBeCloseTo(fresh.predicted.latencyMs, 6);
});

test('throughput is predicted in a steady stream', () => {
  const { plan, predict, objective } = planner('throughput');
  expect(objective).toBe('throughput');
  const draft = plan(three());
  const alone = plan(fleetOf([device('a')]));
  const { framesPerSecond } = predict(draft, three());
  expect(framesPerSecond).toBeGreaterThan(2 * predict(alone, three()).framesPerSecond);
});
