/** A device measures itself. */

import { mkdtempSync, rmSync } from 'node:fs';
import { arch, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Graph } from '../../core/graph/types.ts';
import { fitCosts } from '../../core/planning/cost/regression.ts';
import type { Profile } from '../../core/schema/generated/profile.ts';
import type { Analysis } from '../../core/tiling/analyse.ts';
import { OrtExecutor } from '../executor/ort.ts';
import { asCase, emptyModel, generalCases } from './cases.ts';
import { type Limits, limitsHere } from './limits.ts';
import { measureCases, measureOne } from './measure.ts';
import { meterOf } from './meter.ts';
import { modelCases } from './model-cases.ts';
import { measureByteMs } from './wire-cost.ts';

export interface ProfileOptions {
  /** Id the profile is for. */
  readonly device: string;
  /** Threads of one run, as the worker's. */
  readonly threads: number;
  /** Also measured: nodes of this model. */
  readonly model?:
    | { readonly digest: string; readonly graph: Graph; readonly analysis: Analysis }
    | undefined;
  /** What the process may use; found out by default. */
  readonly limits?: Limits;
  readonly progress?: (done: number, total: number) => void;
}

/** Name of what is measured where no model is given. */
export const GENERAL = 'general';
const EMPTY_ROUNDS = 100;
/** Of the fixed list beside a model's own layers. */
const GENERAL_TRUST = 0.3;

/** What this machine is, as far as it changes what is measured. */
export function hardwareHere(threads: number, { quota }: Limits): Profile['hardware'] {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    arch: arch(),
    threads,
    ...(quota === undefined ? {} : { quota }),
  };
}

/**
 * Measures everything but the link, on an executor of its own: single operators over varied shapes, and, where a model
 * is given, runs of its nodes as tiles of several sizes. Takes under 30 s on one free core.
 */
export async function measureProfile(options: ProfileOptions): Promise<Profile> {
  const { device, threads, model, limits = limitsHere(), progress } = options;
  const folder = mkdtempSync(join(tmpdir(), 'tilepipe-profile-'));
  const executor = new OrtExecutor({ threads, optimised: join(folder, 'optimised') });
  try {
    await executor.start();
    const idleBytes = process.memoryUsage.rss();
    const deps = { executor, folder, meter: meterOf(threads, limits.quota) };
    const taskMs = await measureOne(deps, await asCase(emptyModel()), EMPTY_ROUNDS);
    const general = await generalCases();
    const own = model === undefined ? [] : modelCases(model.graph, model.analysis);
    const samples = await measureCases(deps, [...general, ...own], taskMs, progress);
    // The model's own layers decide where there are any; the fixed list bears what they say nothing of.
    const trusted = samples.map((sample, at) =>
      own.length > 0 && at < general.length ? { ...sample, trust: GENERAL_TRUST } : sample,
    );
    return {
      format: 1,
      device,
      hardware: hardwareHere(threads, limits),
      executor: executor.describe(),
      measuredFor: model?.digest ?? GENERAL,
      estimated: false,
      memoryBytes: limits.memoryBytes,
      idleBytes,
      taskMs,
      byteMs: await measureByteMs(deps.meter),
      kinds: Object.fromEntries(fitCosts(trusted)),
    };
  } finally {
    await executor.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
