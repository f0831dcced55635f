/** The planner behind a re-planning: what it has planned for once it plans again without new cuts and new files. */

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OpenedModel, openAnalysed } from '../../services/controller/prepare.ts';
import { type CodecCheck, CodecsRefused } from '../../services/controller/replan/codec-check.ts';
import { Planner, type Rehearsed } from '../../services/controller/replan/planner.ts';
import { parseAnnouncement } from '../../services/core/control/documents.ts';
import type { Device, Fleet } from '../../services/core/planning/cost/fleet.ts';
import type { Draft, RefusedCodec } from '../../services/core/planning/draft.ts';
import { sameDraft } from '../../services/core/planning/replan/present-draft.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { announcement } from '../support/announced.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { ModelBuilder } from '../support/model-builder.ts';
import { problem } from '../support/tensors.ts';

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
    overhead: { runningBytes: 0, activations: 1, subModelBytes: 0 },
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
  const told: Rehearsed[] = [];
  await rehearsed.rehearse(three(), { told: (each) => told.push(structuredClone(each)) });
  const files = () => readdirSync(folder.path, { recursive: true }).length;
  const before = files();
  for (const fleet of [three(), three(4), fleetOf([device('a'), device('b')])])
    await rehearsed.prepare(rehearsed.plan(fleet));
  // Another process compares the same plans with the best, node for node.
  const own = planner();
  for (const each of told) own.adopt(each);
  const best = own.plan(three(4));
  const same = own.others(best).find((other) => sameDraft(other, best)) as Draft;
  expect(own.prepareMs(same)).toBe(0);
  await own.prepare(same);
  expect(files()).toBe(before);
});

test('a plan whose files are not written yet costs the time to write them', async () => {
  mkdirSync(join(folder.path, 'other'));
  const other = new BlobCache({ folder: join(folder.path, 'other') });
  const fresh = new Planner({ model, pipeline: 'p', blobs: other, objective: 'latency' });
  const draft = fresh.plan(three());
  expect(fresh.prepareMs(draft)).toBeGreaterThan(0);
  await fresh.prepare(draft);
  expect(fresh.prepareMs(draft)).toBe(0);
});

test('a change of plan is practised without another plan or another file', async () => {
  const fresh = planner();
  // There is nothing to practise with yet.
  await fresh.practise();
  const { draft, plan } = await fresh.settle(three());
  const files = () => readdirSync(folder.path, { recursive: true }).length;
  const before = files();
  await fresh.practise();
  expect(files()).toBe(before);
  expect(fresh.plan(three())).toEqual(draft);
  expect((await fresh.prepare(draft)).digest).toBe(plan.digest);
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

test('a plan whose tiles stay comes with the whole model on two devices, which workers take as its fallback', async () => {
  const slow = fleetOf(['a', 'b', 'c'].map((id) => device(id, 10)));
  const { draft, plan } = await planner().settle(slow);
  expect(draft.strategy).toBe('halo');
  const fallback = plan.fallback?.plan as Plan;
  expect(fallback.tasks.filter(({ kind }) => kind === 'run').map(({ devices }) => devices?.length)).toEqual([
    2,
  ]);
  // So does one that was drafted elsewhere.
  const other = planner();
  other.plan(slow);
  expect((await other.prepare(draft)).fallback?.digest).toBe(plan.fallback?.digest);
  const document = Buffer.from(JSON.stringify(announcement(plan.plan, {}, fallback)));
  expect(parseAnnouncement(document).fallback?.digest).toBe(plan.fallback?.digest);
});

describe('codecs that change values', () => {
  /** No device has the memory for all of the weights, and media are slow enough for codecs to pay. */
  const slow: Fleet = {
    ...three(),
    devices: three().devices.map((each) => ({ ...each, memoryBytes: 400_000 })),
    media: new Map([...three().media].map(([id, medium]) => [id, { ...medium, bytesPerMs: 500 }])),
  };
  let heavy: OpenedModel;
  beforeAll(async () => {
    const builder = new ModelBuilder().input('t0', [1, 64, 8, 8]);
    for (let i = 1; i <= 3; i++)
      builder
        .random(`w${i}`, [64, 64, 3, 3])
        .node('Conv', [`t${i - 1}`, `w${i}`], [`t${i}`], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
    const path = join(folder.path, 'heavy.onnx');
    writeFileSync(path, builder.output('t3', 'float32', [1, 64, 8, 8]).encode());
    heavy = await openAnalysed(path, {});
  });
  const refusal = (refused: readonly RefusedCodec[]) => new CodecsRefused('too much', refused);
  /** All it has of some codecs. */
  const refusedOf = ({ codecs = {} }: Pick<Draft, 'codecs'>, wanted: readonly string[]) =>
    Object.entries(codecs).flatMap(([tensor, codec]) =>
      codec !== 'raw' && wanted.includes(codec) ? [{ tensor, codec }] : [],
    );
  const lossyOf = ({ codecs = {} }: Pick<Draft, 'codecs'>) => new Set(Object.values(codecs));
  const LOSS = { samples: 3, relativeRms: 0.01, labels: 1, equalLabels: 3 };
  const accepted = ({ codecs = {} }: Pick<Draft, 'codecs'>) => ({
    ranges: Object.fromEntries(Object.keys(codecs).map((tensor) => [tensor, { min: -9, max: 9 }])),
    loss: LOSS,
  });
  const checked = (check: CodecCheck) =>
    new Planner({ model: heavy, pipeline: 'p', blobs, objective: 'throughput', check });

  test('are used where they are let, and looked at once', async () => {
    let looked = 0;
    const lenient = checked(async (draft) => {
      looked++;
      return accepted(draft);
    });
    const { draft, plan } = await lenient.settle(slow);
    expect(lossyOf(draft)).toContain('uint8');
    expect(Object.values(plan.plan.tensors).some(({ codec }) => codec?.codec === 'uint8')).toBe(true);
    expect((await lenient.prepare(draft)).digest).toBe(plan.digest);
    const elsewhere = checked(() => Promise.reject(new Error('looked at again')));
    elsewhere.learn(structuredClone(lenient.checked));
    expect((await elsewhere.prepare(draft)).digest).toBe(plan.digest);
    expect(looked).toBe(1);
    expect(plan.loss).toEqual(LOSS);
    expect(
      lossyOf(new Planner({ model: heavy, pipeline: 'p', blobs, objective: 'throughput' }).plan(slow)),
    ).toEqual(new Set());
  });

  test('are given up one after the other where they lose too much', async () => {
    const halves = checked(async (draft) => {
      const [first] = refusedOf(draft, ['uint8']);
      if (first !== undefined) throw refusal([first]);
      return accepted(draft);
    });
    expect(lossyOf((await halves.settle(slow)).draft)).toEqual(new Set(['fp16']));
    const none = checked((draft) => Promise.reject(refusal(refusedOf(draft, ['fp16', 'uint8']))));
    await expect(none.prepare(none.plan(slow))).rejects.toEqual(problem('accuracy-refused', 'too much'));
    expect(lossyOf((await none.settle(slow)).draft)).toEqual(new Set());
    await expect(checked(() => Promise.reject(new Error('no pictures'))).settle(slow)).rejects.toThrow(
      'no pictures',
    );
  });

  test('a refusal of what no plan has is no reason to look for ever', async () => {
    const strange = checked(() => Promise.reject(refusal([{ tensor: 'stranger', codec: 'uint8' }])));
    await expect(strange.settle(slow)).rejects.toEqual(problem('accuracy-refused', 'too much'));
  });

  test('one tensor may do without one that others keep', async () => {
    const [first] = refusedOf(checked(async (draft) => accepted(draft)).plan(slow), ['uint8']);
    const picky = checked(async (draft) => {
      const found = refusedOf(draft, ['uint8']).filter(({ tensor }) => tensor === first?.tensor);
      if (found.length > 0) throw refusal(found);
      return accepted(draft);
    });
    const { codecs = {} } = (await picky.settle(slow)).draft;
    expect(codecs[first?.tensor ?? '']).not.toBe('uint8');
    expect(Object.values(codecs)).toContain('uint8');
  });

  test('what a rehearsal learned of them passes on', () => {
    const other = checked(() => Promise.reject(new Error('looked at again')));
    const cuts = { positions: [], devices: [] };
    const refused = refusedOf(other.plan(slow), ['uint8']);
    expect(refused).not.toEqual([]);
    other.adopt({ cuts, written: [], outlines: [], checked: { refused: [refused], drafts: [] } });
    for (const { tensor } of refused) expect(other.plan(slow).codecs?.[tensor]).not.toBe('uint8');
  });
});
