/** Times tasks on the real executor, as a worker runs them. */

import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sample } from '../../core/planning/cost/regression.ts';
import { tensorBytes } from '../../core/tensor/dtype.ts';
import type { TensorData } from '../../core/wire/message.ts';
import type { Executor } from '../executor/executor.ts';
import type { Case } from './case.ts';
import type { Meter } from './meter.ts';

export interface MeasureDeps {
  /** Started; as the worker's own. */
  readonly executor: Executor;
  /** For model files, each removed after its turn. */
  readonly folder: string;
  readonly meter: Meter;
}

interface Loaded {
  readonly item: Case;
  readonly session: number;
  readonly inputs: readonly TensorData[];
  readonly paths: readonly string[];
  readonly times: number[];
}

/** Timed runs of each case. */
const ROUNDS = 7;
/** What cannot be told from a task of nothing. */
const SHORTEST_MS = 0.01;
/** Bytes of models held at once: small devices have little memory. */
const BATCH_BYTES = 24 << 20;

/**
 * Times every case, one sample each, in order. Cases of a batch take turns, and each runs twice and is timed the second
 * time: its code is then warm, as in a stream of frames, and of the weights only what the caches hold.
 */
export async function measureCases(
  deps: MeasureDeps,
  cases: readonly Case[],
  taskMs: number,
  progress: (done: number, total: number) => void = () => {},
): Promise<Sample[]> {
  const samples: Sample[] = [];
  let done = 0;
  for (const batch of batches(cases)) {
    const loaded: Loaded[] = [];
    for (const item of batch) loaded.push(await load(deps, item));
    for (let round = 0; round < ROUNDS; round++) for (const item of loaded) await timeOne(deps, item);
    for (const item of loaded) {
      await unload(deps, item);
      const ms = typical(item.times) * deps.meter.factor - taskMs;
      const { kind, group, work } = item.item;
      const sample = { kind, work, ms: Math.max(ms, SHORTEST_MS) };
      samples.push(group === undefined ? sample : { ...sample, group });
    }
    done += batch.length;
    progress(done, cases.length);
  }
  return samples;
}

/** Milliseconds of one case, of `rounds` runs. */
export async function measureOne(deps: MeasureDeps, item: Case, rounds: number): Promise<number> {
  const loaded = await load(deps, item);
  for (let round = 0; round < rounds; round++) await timeOne(deps, loaded);
  await unload(deps, loaded);
  return typical(loaded.times) * deps.meter.factor;
}

/** The lower quartile: what disturbs a run only adds to it. */
function typical(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 2] ?? Number.NaN;
}

function batches(cases: readonly Case[]): Case[][] {
  const found: Case[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const item of cases) {
    if (bytes + item.bytes > BATCH_BYTES) {
      found.push([]);
      bytes = 0;
    }
    bytes += item.bytes;
    found.at(-1)?.push(item);
  }
  return found;
}

async function load({ executor, folder }: MeasureDeps, item: Case): Promise<Loaded> {
  const name = createHash('sha256')
    .update(JSON.stringify([item.work, item.inputs]))
    .digest('hex');
  const { model, weights } = item.files(name);
  // Named by a digest, as in a worker's cache: only then the executor keeps an optimised form.
  const path = join(folder, createHash('sha256').update(model).digest('hex'));
  writeFileSync(path, model);
  const paths = [path];
  if (weights !== undefined) {
    paths.push(join(folder, weights.location));
    writeFileSync(join(folder, weights.location), weights.bytes);
  }
  const session = await executor.load(path);
  return { item, session, inputs: item.inputs.map(noise), paths, times: [] };
}

async function unload({ executor }: MeasureDeps, { session, paths }: Loaded): Promise<void> {
  await executor.unload(session);
  for (const path of paths) rmSync(path, { force: true });
}

/** Numbers that are neither all zero nor denormal, at no cost worth mentioning. */
function noise({ name, dtype, shape }: Case['inputs'][number]): TensorData {
  const bytes = new Uint8Array(tensorBytes(dtype, shape));
  if (dtype === 'float32') {
    const values = new Float32Array(bytes.buffer);
    for (let i = 0; i < values.length; i++) values[i] = ((i * 7919) % 1009) / 1009 - 0.5;
  }
  return { name, dtype, shape, bytes };
}

async function timeOne(
  { executor, meter }: MeasureDeps,
  { item, session, inputs, times }: Loaded,
): Promise<void> {
  // The executor takes the bytes it is given.
  const copies = () => inputs.map((input) => ({ ...input, bytes: Uint8Array.from(input.bytes) }));
  const [first, second] = [copies(), copies()];
  await executor.run(session, first, item.outputs);
  const started = meter.now();
  await executor.run(session, second, item.outputs);
  times.push(meter.now() - started);
}
