/** Codecs through real services: bytes inside the sub-models, deflated on the wire in both directions; pictures of pixels. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openAnalysed, prepareDraft } from '../../services/controller/prepare.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import { withCutCodecs } from '../../services/core/graph/cut-codecs.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { settle } from '../../services/core/vision/settings.ts';
import { Assembler } from '../../services/core/wire/assembler.ts';
import type { MessageMeta, TensorData } from '../../services/core/wire/message.ts';
import { OrtExecutor } from '../../services/worker/executor/ort.ts';
import { openPlan } from '../../tools/accuracy/plan-runner.ts';
import { compare } from '../../tools/compare.ts';
import { FRAMES, PIPELINE, startCluster, type TestCluster, temporaryFolder } from '../support/cluster.ts';
import { draftOf } from '../support/drafts.ts';
import { encodeGraph } from '../support/encode-graph.ts';
import { residualNetwork } from '../support/networks.ts';
import { wholeModel } from '../support/ort.ts';
import { randomValues } from '../support/random-values.ts';
import { floatTensor } from '../support/tensors.ts';

const SHAPE = [1, 3, 24, 32];
const LIMIT_MS = 30_000;
/** A sum that differs in its last bit may round to the next step; one step moves the output by less. */
const TOLERANCE = 0.02;

const folder = temporaryFolder();
let it: TestCluster;
let listener: Connections;
/** Metadata of the messages with tensors that came past. */
const seen: MessageMeta[] = [];
const waiting = new Set<() => void>();

/** Resolves when a message of a task has come past whose tensors have these codecs. */
function came(task: string, kind: string, codecs: Record<string, string>): Promise<void> {
  const wanted = JSON.stringify(codecs);
  const there = () =>
    seen.some(
      (meta) => meta.task === task && meta.kind === kind && JSON.stringify(meta.codecs ?? {}) === wanted,
    );
  return new Promise((resolve) => {
    const look = () => {
      if (!there()) return;
      waiting.delete(look);
      resolve();
    };
    waiting.add(look);
    look();
  });
}

beforeAll(async () => {
  it = await startCluster({ workers: 2, threads: 1 });
  listener = new Connections({ ...it.cluster.address, service: 'listener' });
  await listener.start();
  const assembler = new Assembler({ now: () => 0, pictures: true });
  await listener.data.subscribe('tilepipe/+/+/in', ({ topic, payload }) => {
    const message = assembler.accept(topic, payload);
    if (message === undefined || message.tensors.length === 0) return;
    seen.push(message.meta);
    for (const look of waiting) look();
  });
});
afterAll(async () => {
  folder.remove();
  await listener.stop();
  await it.stop();
});

/** Outputs of a plan as budgets are checked: carried out in this process, bit for bit what services answer. */
async function here(plan: Plan, inputs: readonly TensorData[]): Promise<Buffer[]> {
  const executor = new OrtExecutor({ threads: 1 });
  await executor.start();
  try {
    const runner = await openPlan({ executor, blobs: it.blobs }, plan);
    return (await runner.run(inputs)).map(({ bytes }) => Buffer.from(bytes));
  } finally {
    await executor.stop();
  }
}

test('a cut in bytes, deflated, and an input that is deflated', async () => {
  const model = residualNetwork();
  const opened = await it.open(model, 'coded');
  const codecs = { b: 'uint8', f: 'fp16' } as const;
  const ranges = { b: { min: -1, max: 1 } };
  const draft = draftOf(opened, [
    { upTo: 'Tanh', mode: 'tile', shares: [1, 1] },
    { upTo: 'Add', mode: 'tile', shares: [1, 1] },
    { mode: 'tile', shares: [1, 1] },
  ]);
  const prepared = await prepareDraft(
    opened,
    PIPELINE,
    { ...draft, codecs, ranges, packed: ['image', 'b'] },
    it.blobs,
  );
  await it.cluster.deploy(prepared, { ...settle({ answer: { task: 'tensors' } }) }, FRAMES);
  const coded = withCutCodecs(opened.graph, codecs, ranges);
  const whole = await wholeModel(encodeGraph(coded.graph));
  const uncut = await wholeModel(model);
  const wire = coded.cuts.get('b')?.wire ?? '';
  for (const seed of [1, 2, 3]) {
    // Large even patches, so that both the input and the bytes get smaller.
    const noise = randomValues(`codecs ${seed}`, [96]);
    const values = Array.from({ length: 3 * 24 * 32 }, (_, i) => noise[i >> 5] as number);
    const input = floatTensor('image', SHAPE, values);
    const { result, tensors } = await it.client.send([input], LIMIT_MS);
    expect(result.error).toBeUndefined();
    expect(compare(tensors, await whole.run([input])).maxRelDiff).toBeLessThanOrEqual(TOLERANCE);
    expect(compare(tensors, await uncut.run([input])).maxRelDiff).toBeGreaterThan(1e-5);
    expect(await here(prepared.plan, [input])).toEqual(tensors.map(({ bytes }) => Buffer.from(bytes)));
  }
  await came('b0.t0', 'task', { image: 'deflate' });
  await came('b0.t1', 'data', { [wire]: 'deflate' });
  await came('b1.t0', 'task', { [wire]: 'deflate' });
  await came('b1.t0', 'data', {});
});

test.each([
  ['png', {}, 1e-5],
  ['webp', {}, 1e-5],
  ['jpeg', { b: 'uint8' }, 0.1],
] as const)('pixels as %s, other tensors by %j', async (picture, more, tolerance) => {
  const model = residualNetwork();
  const path = join(folder.path, 'pixels.onnx');
  writeFileSync(path, model);
  const opened = await openAnalysed(path, { pixels: { preprocess: { divide: 255 } } });
  const [input] = opened.graph.inputs.map(({ name }) => name) as [string];
  const draft = draftOf(opened, [
    { upTo: 'Tanh', mode: 'tile', shares: [1, 1] },
    { mode: 'tile', shares: [1, 1] },
  ]);
  const wire = { [input]: picture, ...more };
  const prepared = await prepareDraft(opened, PIPELINE, { ...draft, wire }, it.blobs);
  expect(prepared.plan.accuracy).toBe(picture === 'jpeg' ? 'budgeted' : undefined);
  await it.cluster.deploy(prepared, { ...settle({ answer: { task: 'tensors' } }) }, FRAMES);
  const bytes = Uint8Array.from({ length: 24 * 32 * 3 }, (_, i) => 128 + 90 * Math.sin(i / 200));
  const frame = { name: input, dtype: 'uint8', shape: [1, 24, 32, 3], bytes } as const;
  const { result, tensors } = await it.client.send([frame], LIMIT_MS);
  expect(result.error).toBeUndefined();
  const whole = await wholeModel(encodeGraph(opened.graph));
  expect(compare(tensors, await whole.run([frame])).maxRelDiff).toBeLessThanOrEqual(tolerance);
  expect(await here(prepared.plan, [frame])).toEqual(tensors.map(({ bytes }) => Buffer.from(bytes)));
  await came('b0.t0', 'task', { [input]: picture });
  await came('b0.t1', 'data', more);
});
