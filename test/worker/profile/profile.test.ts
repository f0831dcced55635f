import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { EmbeddedBroker } from '../../../services/broker/embedded-broker.ts';
import { Connections } from '../../../services/core/bus/connections.ts';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import { everything } from '../../../services/core/planning/choose-blocks.ts';
import { computeMs } from '../../../services/core/planning/cost/fleet.ts';
import { deviceOf } from '../../../services/core/planning/cost/fleet-of.ts';
import { wholeWork } from '../../../services/core/planning/cost/work-of.ts';
import { createLog } from '../../../services/core/runtime/log.ts';
import { validator } from '../../../services/core/runtime/validate.ts';
import { type Profile, profileSchema } from '../../../services/core/schema/generated/profile.ts';
import { analyse } from '../../../services/core/tiling/analyse.ts';
import { OrtExecutor } from '../../../services/worker/executor/ort.ts';
import { ProfileCache } from '../../../services/worker/profile/cache.ts';
import { asCase, emptyModel, generalModels } from '../../../services/worker/profile/cases.ts';
import { limitsHere } from '../../../services/worker/profile/limits.ts';
import { measureCases, measureOne } from '../../../services/worker/profile/measure.ts';
import { meterOf } from '../../../services/worker/profile/meter.ts';
import { modelCases } from '../../../services/worker/profile/model-cases.ts';
import { GENERAL, hardwareHere } from '../../../services/worker/profile/profile.ts';
import { profileHere } from '../../../services/worker/profile/profile-here.ts';
import { RetainedProfile } from '../../../services/worker/profile/retained-profile.ts';
import { measureByteMs } from '../../../services/worker/profile/wire-cost.ts';
import { residualNetwork } from '../../support/networks.ts';

const folder = mkdtempSync(join(tmpdir(), 'tilepipe-profile-test-'));
const executor = new OrtExecutor({ threads: 1, optimised: join(folder, 'optimised') });
afterAll(async () => {
  await executor.stop();
  rmSync(folder, { recursive: true });
});

describe('measuring', () => {
  test('times single operators and runs of a model as the executor takes them', async () => {
    await executor.start();
    const deps = { executor, folder, meter: meterOf(1, undefined) };
    const taskMs = await measureOne(deps, await asCase(emptyModel()), 10);
    expect(taskMs).toBeGreaterThan(0);
    const graph = await readGraph(residualNetwork());
    const analysis = analyse(graph);
    const own = modelCases(graph, analysis);
    expect(own.length).toBeGreaterThan(10);
    expect(modelCases(graph, analysis).map(({ work }) => work)).toEqual(own.map(({ work }) => work));
    const single = await Promise.all(generalModels().slice(-6).map(asCase));
    const cases = [...single, ...own.slice(0, 6)];
    const samples = await measureCases(deps, cases, 0);
    expect(samples.map(({ work }) => work)).toEqual(cases.map(({ work }) => work));
    for (const { ms } of samples) expect(ms).toBeGreaterThan(0);
  });

  test('every case of the fixed list is of the kind it is made for', async () => {
    for (const { kind, work } of await Promise.all(generalModels().map(asCase)))
      expect(work.map((item) => item.kind)).toContain(kind);
  });

  test('a byte on the wire costs something', async () => {
    expect(await measureByteMs(meterOf(2, undefined))).toBeGreaterThan(0);
  });
});

describe('a worker that announces itself', () => {
  test('publishes its profile with the link, retained, from the cache where it is there', async () => {
    await executor.start();
    const id = `w-${randomUUID().slice(0, 8)}`;
    const hardware = hardwareHere(1, limitsHere());
    const key = { hardware, executor: executor.describe(), measuredFor: GENERAL };
    const other = { run: 0.01, mac: 1e-8, byte: 1e-7, weight: 1e-7 };
    const kept: Profile = {
      format: 1,
      device: 'another',
      hardware,
      executor: key.executor,
      measuredFor: GENERAL,
      estimated: false,
      idleBytes: 1e8,
      taskMs: 0.1,
      byteMs: 1e-6,
      kinds: { other },
    };
    new ProfileCache(folder).put(key, kept);
    const log = createLog('test', { level: 'silent' });
    const broker = new EmbeddedBroker({ port: 0, log });
    await broker.start();
    const channels = new Connections({ url: broker.url, service: id });
    try {
      await channels.start();
      const announced = await profileHere({ id, channels, executor, threads: 1, folder, log });
      await new RetainedProfile({ channels, log }).start(announced);
      const heard = await new Promise<Buffer>((resolve) => {
        void channels.control.subscribe(channels.topics.build('profile', { id }), ({ payload }) =>
          resolve(payload),
        );
      });
      const profile = validator<Profile>(profileSchema, 'config-invalid')(JSON.parse(heard.toString()));
      expect(profile).toEqual(announced);
      expect(profile).toMatchObject({ device: id, taskMs: 0.1 });
      expect(profile.link?.upBytesPerMs).toBeGreaterThan(0);
      const graph = await readGraph(residualNetwork());
      const work = wholeWork(graph, analyse(graph), everything(graph));
      expect(computeMs(deviceOf(profile), work)).toBeGreaterThan(0.1);
    } finally {
      await channels.stop();
      await broker.stop();
    }
  });
});
