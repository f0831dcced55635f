/**
 * Devices that slow down, vanish and come in the middle of a stream: the plan follows, and no frame is lost or wrong.
 * What tasks took is made up, for what they really take depends on what else this machine does.
 */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OpenedModel, type PreparedPlan, prepareDraft } from '../../services/controller/prepare.ts';
import { type PlanChange, Replanning } from '../../services/controller/replan/replanning.ts';
import { TelemetryWatch } from '../../services/controller/replan/telemetry-watch.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import { computeMs } from '../../services/core/planning/cost/fleet.ts';
import type { Draft } from '../../services/core/planning/draft.ts';
import { expectationsOf, type PlanExpectations } from '../../services/core/planning/replan/readings.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import type { Telemetry } from '../../services/core/schema/generated/telemetry.ts';
import { settle } from '../../services/core/vision/settings.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { compare } from '../../tools/compare.ts';
import { FRAMES, PIPELINE, startCluster, type TestCluster } from '../support/cluster.ts';
import { ModelBuilder } from '../support/model-builder.ts';
import { wholeModel } from '../support/ort.ts';
import { randomValues } from '../support/random-values.ts';
import { loadOf, RowPlanner, rowDevice, rowFleet } from '../support/row-planner.ts';
import { floatTensor } from '../support/tensors.ts';

const SHAPE = [1, 3, 128, 128];
const LIMIT_MS = 180_000;
/** Its workers have no links. */
const NO_GLANCES = {
  want: () => {},
  inDoubt: () => false,
  together: () => false,
  unsettled: () => false,
  onGlance: () => () => {},
  onTogether: () => () => {},
};
const IDS = ['worker-0', 'worker-1', 'worker-2'];
const SETTINGS = { ...settle({ answer: { task: 'tensors' } }) };

/** Enough work for a slow device to show: some 700 million multiply-accumulates, 5 rows of halo. */
function convolutions(): Uint8Array {
  const builder = new ModelBuilder().input('t0', SHAPE);
  const channels = [3, 40, 40, 40, 40, 2];
  for (let i = 1; i < channels.length; i++) {
    builder
      .random(`w${i}`, [channels[i] as number, channels[i - 1] as number, 3, 3])
      .node('Conv', [`t${i - 1}`, `w${i}`], [`c${i}`], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
      .node('Tanh', [`c${i}`], [`t${i}`]);
  }
  return builder.output('t5', 'float32', [1, 2, 128, 128]).encode();
}

let it: TestCluster;
let model: OpenedModel;
let planner: RowPlanner;
let listener: Connections;
let telemetry: TelemetryWatch;
let replanning: Replanning;
const changes: PlanChange[] = [];
const waiting = new Set<() => void>();
/** Of a frame. */
let failure: unknown;
/** Digests of the plans that results came from, in order. */
const plansSeen: string[] = [];
const frames: { input: TensorData; right: TensorData[] }[] = [];

/** Resolves when something has happened after which the condition holds. */
async function when(condition: () => boolean): Promise<void> {
  while (!condition()) {
    if (failure !== undefined) throw failure;
    await new Promise<void>((resolve) => {
      waiting.add(resolve);
    });
  }
}
function happened(): void {
  for (const wake of waiting) wake();
  waiting.clear();
}

/** Frames one after the other, `inFlight` at a time, each compared, until it is told to end. */
function stream(inFlight = 2): { end: () => Promise<void> } {
  let over = false;
  let count = 0;
  const lane = async (): Promise<void> => {
    while (!over) {
      const { input, right } = frames[count++ % frames.length] as (typeof frames)[number];
      const { result, tensors } = await it.client.send([input], 50_000);
      expect(result.error).toBeUndefined();
      expect(compare(tensors, right).maxRelDiff).toBeLessThanOrEqual(1e-4);
      if (result.plan !== undefined && plansSeen.at(-1) !== result.plan) plansSeen.push(result.plan);
      happened();
    }
  };
  const lanes = Promise.all(Array.from({ length: inFlight }, lane)).catch((error: unknown) => {
    failure = error;
    happened();
    throw error;
  });
  // Whoever waits for something else is told first.
  lanes.catch(() => undefined);
  return {
    end: async () => {
      over = true;
      await lanes;
    },
  };
}

/** Who is how many times slower than profiled. */
const load = new Map<string, number>();
const expected = new Map<string, PlanExpectations>();

/** Who did which task is told as it was, and that it took as long as the device's load says. */
class MadeUpTimes extends TelemetryWatch {
  override onTelemetry(listener: (telemetry: Telemetry) => void): () => void {
    return super.onTelemetry((telemetry) => {
      const tasks = telemetry.tasks.flatMap(({ restMs: _, ...row }) => {
        const task = expected.get(row.plan)?.tasks.get(row.task);
        if (task === undefined) return [];
        return [
          { ...row, computeMs: (load.get(row.worker) ?? 1) * computeMs(rowDevice(row.worker), task.work) },
        ];
      });
      listener({ ...telemetry, tasks, workers: [] });
    });
  }
}

async function prepare(draft: Draft): Promise<PreparedPlan> {
  const prepared = await prepareDraft(model, PIPELINE, draft, it.blobs);
  expected.set(prepared.digest, expectationsOf(prepared.digest, prepared.plan, draft));
  return prepared;
}
const created = (): Record<string, number> =>
  Object.fromEntries(
    it.cluster.controller.workers().map(({ id, counters }) => [id, counters?.['sessions.created'] ?? 0]),
  );
const seen = (digest: string | undefined) => () => digest !== undefined && plansSeen.at(-1) === digest;

beforeAll(async () => {
  it = await startCluster({ workers: IDS.length, threads: 1 });
  const bytes = convolutions();
  model = await it.open(bytes, 'replan');
  planner = new RowPlanner(model, IDS.length);
  const uncut = await wholeModel(bytes);
  for (let i = 0; i < 4; i++) {
    const input = floatTensor('t0', SHAPE, randomValues(`replan ${i}`, SHAPE));
    frames.push({ input, right: await uncut.run([input]) });
  }
  const fleet = rowFleet(IDS);
  const draft = planner.plan(fleet);
  const prepared = await prepare(draft);
  await it.cluster.deploy(prepared, SETTINGS, FRAMES);
  listener = new Connections({ ...it.cluster.address, service: 'replanning' });
  await listener.start();
  telemetry = new MadeUpTimes(listener);
  await telemetry.start();
  replanning = new Replanning(
    { telemetry, glances: NO_GLANCES, log: createLog('replan'), controller: it.cluster.controller },
    {
      fleet,
      objective: 'latency',
      plan: planner.plan,
      predict: planner.predict,
      prepare,
      // The times have no noise to be patient with.
      policy: { sensitivity: 10 },
      switchMs: 0,
      running: { draft, plan: prepared, settings: SETTINGS, frames: FRAMES },
      changed: (change) => {
        changes.push(change);
        happened();
      },
    },
  );
  replanning.start();
});

afterAll(async () => {
  await replanning.stop();
  await telemetry.stop();
  await listener.stop();
  await it.stop();
});

test(
  'a device that slows down gets less, one that vanishes nothing, one that comes back its share',
  async () => {
    const pids = it.cluster.workers.map(({ pid }) => pid);
    const sessions = created();
    const even = loadOf(planner.plan(rowFleet(IDS)));
    const frames = stream();

    load.set('worker-2', 8);
    const slowed = () => {
      const last = changes.at(-1)?.draft;
      return last !== undefined && (loadOf(last)['worker-2'] ?? 0) < 0.7 * (even['worker-2'] as number);
    };
    await when(slowed);
    await when(() => seen(replanning.digest)() && slowed());
    // The tiles have other sizes and the same pad patterns, so every sub-model was there.
    expect(created()).toEqual(sessions);
    expect(it.cluster.workers.map(({ pid }) => pid)).toEqual(pids);

    const before = changes.length;
    it.cluster.workers[1]?.kill('SIGKILL');
    const without = () => changes.slice(before).some(({ draft }) => loadOf(draft)['worker-1'] === undefined);
    await when(without);
    await when(() => seen(replanning.digest)() && without());

    const gone = changes.length;
    it.cluster.addWorkers([{ id: 'worker-1' }]);
    const back = () => changes.slice(gone).some(({ draft }) => loadOf(draft)['worker-1'] !== undefined);
    await when(back);
    await when(() => seen(replanning.digest)() && back());

    await frames.end();
    // No change is half done.
    await replanning.stop();
    expect(it.cluster.workers.filter(({ running }) => running).map(({ pid }) => pid)).toEqual([
      pids[0],
      pids[2],
      expect.any(Number),
    ]);
    expect(replanning.counters()[`replan.${PIPELINE}.changes`]).toBe(changes.length);
  },
  LIMIT_MS,
);
