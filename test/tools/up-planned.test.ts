/** `up` without a grid: planned for the workers that come, with their profiles; the plan follows them. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { openAnalysed } from '../../services/controller/prepare.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import type { Announcement } from '../../services/core/schema/generated/announcement.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { Client } from '../../tools/client.ts';
import { compare } from '../../tools/compare.ts';
import { readConfig } from '../../tools/config.ts';
import { encodeJpeg } from '../../tools/demo/jpeg.ts';
import { pictureInput } from '../../tools/input.ts';
import { modelSettings } from '../../tools/settings.ts';
import { Up } from '../../tools/up.ts';
import { WorkerProcess } from '../../tools/worker-process.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { residualNetwork } from '../support/networks.ts';
import { wholeModel } from '../support/ort.ts';
import { seedProfile, slowProfile } from '../support/profiles.ts';
import { randomValues } from '../support/random-values.ts';
import { floatTensor } from '../support/tensors.ts';

const folder = temporaryFolder();
const SHAPE = [1, 3, 24, 32];
const LIMIT_MS = 60_000;
const INPUT = floatTensor('image', SHAPE, randomValues('up planned', SHAPE));
/** Undone after each test, the last first. */
const ends: (() => unknown)[] = [];

let broker: EmbeddedBroker;
let listener: Connections;
let client: Client;
/** The plan in force, as it was announced. */
let announced: Announcement | undefined;
let wake = (): void => {};

beforeAll(async () => {
  process.env.TILEPIPE_CACHE = folder.path;
  await seedProfile(folder.path);
  writeFileSync(join(folder.path, 'network.onnx'), residualNetwork());
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => {
  delete process.env.TILEPIPE_CACHE;
  folder.remove();
});

interface Wanted {
  readonly workers: number;
  readonly grid?: string;
  readonly plan?: Record<string, unknown>;
}

function configure({ workers, ...how }: Wanted, url = 'mqtt://127.0.0.1'): string {
  const file = join(folder.path, 'tilepipe.yaml');
  const pipeline = { name: 'p', model: 'network.onnx', answer: { task: 'tensors' }, ...how };
  writeFileSync(
    file,
    JSON.stringify({ broker: { url }, workers: { count: workers }, pipelines: [pipeline] }),
  );
  return file;
}

async function prepare(wanted: Wanted): Promise<Up> {
  announced = undefined;
  broker = new EmbeddedBroker({ port: 0 });
  await broker.start();
  ends.push(() => broker.stop());
  listener = new Connections({ url: broker.url, service: 'listener' });
  await listener.start();
  ends.push(() => listener.stop());
  await listener.control.subscribe('tilepipe/plan/p', ({ payload }) => {
    announced = JSON.parse(payload.toString());
    wake();
  });
  client = new Client(listener, 'p', 'test');
  await client.start();
  ends.push(() => client.stop());
  const file = configure(wanted, broker.url);
  const up = new Up(readConfig(file), file);
  ends.push(() => up.stop());
  return up;
}

/** A worker of another machine, as far as anybody can tell. */
function startWorker(id: string): WorkerProcess {
  const worker = new WorkerProcess({ id, broker: { url: broker.url }, threads: 1, profile: true });
  worker.start();
  ends.push(() => worker.stop());
  return worker;
}

async function whenAnnounced(right = (_: Announcement): boolean => true): Promise<Announcement> {
  for (;;) {
    if (announced !== undefined && right(announced)) return announced;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

async function expectRightAnswer(): Promise<void> {
  const { result, tensors } = await client.send([INPUT], LIMIT_MS);
  expect(result.error).toBeUndefined();
  const right = await (await wholeModel(residualNetwork())).run([INPUT]);
  expect(compare(tensors, right).maxRelDiff).toBeLessThanOrEqual(1e-4);
}

const devicesIn = ({ plan }: Announcement) =>
  [...new Set(plan.tasks.flatMap(({ devices = [] }) => devices))].sort();

test('it waits for the workers, spreads the model over them, says so, and follows them', async () => {
  const up = await prepare({ workers: 1, plan: { waitForWorkers: 1, waitSeconds: 600 } });
  const said = vi.spyOn(up.log, 'info');
  const garage = startWorker('garage');
  await up.start();
  const planned = await whenAnnounced();
  expect(devicesIn(planned)).toEqual(['garage', 'worker-0']);
  expect(planned.plan.predicted?.latencyMs).toBeGreaterThan(0);
  const verdicts = said.mock.calls.filter(([, text]) =>
    /^Spread over 2 devices.*: .* faster/.test(`${text}`),
  );
  expect(verdicts).toEqual([
    [expect.objectContaining({ pipeline: 'p', devices: ['garage', 'worker-0'], of: 2 }), expect.anything()],
  ]);
  await expectRightAnswer();
  garage.kill('SIGKILL');
  await whenAnnounced((next) => devicesIn(next).join() === 'worker-0');
  await expectRightAnswer();
});

test('where no profile comes it is cut 2x2, until one does', async () => {
  const up = await prepare({ workers: 0, plan: { waitSeconds: 0.05, objective: 'throughput' } });
  const warned = vi.spyOn(up.log, 'warn');
  await up.start();
  const { plan: makeshift } = await whenAnnounced();
  expect(makeshift.tasks.filter(({ shape }) => shape === 'tile').length).toBeGreaterThanOrEqual(4);
  expect(makeshift.predicted).toBeUndefined();
  expect(warned.mock.calls.map(([, text]) => text)).toEqual([
    'not planned, cut 2x2 for any worker: of 1 workers with a profile 0 came within 0.05 s',
  ]);
  startWorker('late');
  await whenAnnounced(({ plan }) => plan.predicted !== undefined);
  await expectRightAnswer();
});

test('nor does one that is too small end the makeshift: another may fit', async () => {
  const devices = { devices: [{ name: 'small', memory: '1MB', profile: slowProfile('small') }] };
  writeFileSync(join(folder.path, 'devices.yaml'), JSON.stringify(devices));
  const up = await prepare({ workers: 0, plan: { devices: 'devices.yaml', waitSeconds: 0.05 } });
  const impossible = new Promise<void>((resolve) => {
    vi.spyOn(up.log, 'warn').mockImplementation((what) => {
      if ((what as { code?: string }).code === 'plan-impossible') resolve();
    });
  });
  await up.start();
  startWorker('small');
  await impossible;
  startWorker('big');
  const { plan } = await whenAnnounced(({ plan }) => plan.predicted !== undefined);
  expect(plan.tasks.length).toBeGreaterThan(0);
});

test('devices of a file need not measure themselves', async () => {
  const devices = {
    media: [{ name: 'cable', mbit: 1000 }],
    devices: ['worker-0', 'worker-1'].map((name) => ({ name, medium: 'cable', profile: slowProfile(name) })),
  };
  writeFileSync(join(folder.path, 'devices.yaml'), JSON.stringify(devices));
  const up = await prepare({
    workers: 2,
    plan: { devices: 'devices.yaml', replan: false, waitSeconds: 600 },
  });
  const profiled = vi.fn();
  await listener.control.subscribe('tilepipe/profile/+', profiled);
  await up.start();
  expect(devicesIn(await whenAnnounced())).toEqual(['worker-0', 'worker-1']);
  await expectRightAnswer();
  expect(profiled).not.toHaveBeenCalled();
});

test('with a budget of accuracy tensors travel in fewer bits, and answers keep to it', async () => {
  const profile = { ...slowProfile('any'), kinds: { other: { run: 0, mac: 1e-3, byte: 0, weight: 0 } } };
  const devices = ['worker-0', 'worker-1'].map((name) => ({ name, mbit: 20, profile }));
  writeFileSync(join(folder.path, 'devices.yaml'), JSON.stringify({ devices }));
  const samples = join(folder.path, 'samples');
  mkdirSync(samples);
  const picture = join(samples, 'noise.jpg');
  const pixels = Uint8Array.from(randomValues('budget', [24, 32, 3]), (value) => 127 + 100 * value);
  writeFileSync(picture, await encodeJpeg(pixels, 32, 24));
  const budget = 0.02;
  const up = await prepare({
    workers: 2,
    plan: { devices: 'devices.yaml', replan: false, waitSeconds: 600, accuracy: { samples: 'samples' } },
  });
  await up.start();
  const { plan } = await whenAnnounced();
  // By sub-models that make and read the short form, or by the messages of tiles that stay where they are.
  const coded = [...Object.values(plan.tensors), ...plan.transfers].filter(
    ({ codec }) => codec !== undefined,
  );
  expect(coded.length).toBeGreaterThan(0);
  const { result, tensors } = await client.send(readFileSync(picture), LIMIT_MS);
  expect(result.error).toBeUndefined();
  const model = await openAnalysed(join(folder.path, 'network.onnx'), {});
  const { settings } = modelSettings(model, { answer: { task: 'tensors' } });
  const input = await pictureInput(picture, model.graph.inputs, settings);
  const [right] = await (await wholeModel(residualNetwork())).run(input);
  expect(relativeRms(tensors[0], right)).toBeLessThanOrEqual(budget);
});

/** Root mean square of the difference over that of the right values. */
function relativeRms(given: TensorData | undefined, right: TensorData | undefined): number {
  const [a, b] = [given, right].map(
    (tensor) => new Float32Array(Uint8Array.from(tensor?.bytes ?? []).buffer),
  ) as [Float32Array, Float32Array];
  const squares = (of: (at: number) => number): number => b.reduce((sum, _, at) => sum + of(at) ** 2, 0);
  return Math.sqrt(
    squares((at) => (a[at] ?? Number.NaN) - (b[at] as number)) / squares((at) => b[at] as number),
  );
}

test('a grid is one fixed plan, and asks nobody for a profile', async () => {
  const up = await prepare({ workers: 1, grid: '1x2' });
  await up.start();
  expect(devicesIn(await whenAnnounced())).toEqual([]);
  await expectRightAnswer();
});

test('it can be stopped while it waits', async () => {
  const up = await prepare({ workers: 0 });
  const starting = up.start();
  await up.stop();
  await expect(starting).rejects.toMatchObject({ code: 'interrupted' });
});

test.each([
  [{ plan: { objective: 'fast' } }, /pipelines\[0\].plan.objective: must be one of latency, throughput$/],
  [{ plan: { replan: 'no' } }, /pipelines\[0\].plan.replan: must be boolean$/],
  [{ plan: { sensitivity: 0 } }, /pipelines\[0\].plan.sensitivity: must be >= 0.1$/],
  [{ plan: { waitForWorkers: -1 } }, /pipelines\[0\].plan.waitForWorkers: must be >= 0$/],
  [
    { plan: { objectiv: 'latency' } },
    /pipelines\[0\].plan.objectiv: unknown key, did you mean "objective"\?$/,
  ],
  [{ plan: {}, grid: '2x2' }, /pipelines\[0\]: grid and plan exclude each other: grid is one fixed plan$/],
])('refuses %j', (how, reason) => {
  expect(() => readConfig(configure({ workers: 1, ...how }))).toThrow(reason);
});
