/**
 * A link that swings between 200 and 0.5 Mbit/s while frames of one pipeline run without a pause. The controller is told
 * nothing of it: it moves from plan to plan by what it measures. What that costs is compared with an oracle that knows the
 * link, and has the best fixed plan for each of its levels, measured before on the same devices.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from '../../../services/core/runtime/quantile.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import type { FrameTimes } from '../../emulate/hub-messages.ts';
import { machineMs } from '../../emulate/hub-messages.ts';
import { millicores } from '../../emulate/units.ts';
import { seededRandom } from '../../input.ts';
import { print, table } from '../../output.ts';
import { emulatedDevices } from '../emulated/fleet.ts';
import { rounded } from '../report.ts';
import { CPU } from './cells.ts';
import { Comparison, type ComparisonDeps } from './comparison.ts';
import type { Photos } from './photos.ts';
import { BUDGET, planMode } from './plans.ts';
import { DEVICES, FRAME_MS, FRAMES, QUOTA } from './rig.ts';
import { type Level, levelsFor, oracleMs } from './swing-levels.ts';
import type { SwingResult } from './targets.ts';

export interface SwingDeps extends ComparisonDeps {
  readonly photos: Photos;
  readonly profile: Profile;
  readonly slowdown: number;
}

const PIPELINE = 'swing';
/** Mbit/s. */
const LEVELS = [200, 50, 20, 5, 2, 1, 0.5] as const;
const SEED = 4;
const UNCOUNTED = 1;
const ORACLE_RUNS = 3;
const ATTEMPTS = 3;

/** The best fixed plan at one level. */
interface Best {
  readonly ms: number;
  readonly plan: string;
}

export class Swing {
  readonly #deps: SwingDeps;

  constructor(deps: SwingDeps) {
    this.#deps = deps;
  }

  async run(minutes: number): Promise<SwingResult> {
    const folder = mkdtempSync(join(tmpdir(), 'tilepipe-swing-'));
    try {
      return await this.#runIn(folder, minutes);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #runIn(folder: string, minutes: number): Promise<SwingResult> {
    const { rig, network } = this.#deps;
    rig.cluster.unlimit();
    const best = await this.#oracle();
    rig.cluster.unlimit();
    await rig.announced(PIPELINE);
    await this.#follow(folder);
    await rig.cluster.whenQuiet();
    rig.join({ name: '200mbit', mbit: LEVELS[0] });
    const sample = network.forms.at(-1)?.samples[0];
    for (let frame = 0; frame < UNCOUNTED; frame++) await rig.frame(PIPELINE, sample?.inputs);
    const levels = levelsFor(60_000 * minutes, LEVELS, seededRandom(SEED));
    const frames: FrameTimes[] = [];
    const lost: string[] = [];
    const began = machineMs();
    const timers = levels.map(({ from, mbit }) =>
      setTimeout(() => {
        for (const device of DEVICES) rig.cluster.setLink(device, mbit * 1e6);
        rig.cluster.setLink('hub', mbit * 1e6);
      }, from),
    );
    try {
      while (machineMs() - began < 60_000 * minutes)
        await rig.frame(PIPELINE).then(
          (frame) => frames.push(frame),
          (error: unknown) => lost.push(error instanceof Error ? error.message : String(error)),
        );
    } finally {
      for (const timer of timers) clearTimeout(timer);
    }
    const relative = frames.map((frame) => ({ ...frame, endedAt: frame.endedAt - began }));
    const changes = await this.#changes(relative, levels);
    showLevels(relative, levels, best);
    for (const [at, message] of lost.entries()) print(`lost ${at + 1}: ${message}`);
    rig.cluster.unlimit();
    await rig.hub.withdraw(PIPELINE);
    return {
      minutes,
      sent: frames.length + lost.length,
      results: frames.length,
      lost: lost.length,
      changes,
      spentMs: relative.reduce((sum, { roundTripMs }) => sum + roundTripMs, 0),
      oracleMs: oracleMs(relative, levels, (mbit) => best.get(mbit)?.ms ?? Number.NaN),
    };
  }

  /** Of every level: the best of what the planner would choose for any of them. */
  async #oracle(): Promise<Map<number, Best>> {
    const { rig } = this.#deps;
    const comparison = new Comparison(this.#deps);
    const plans = new Map<string, { mode: string; inputs: Parameters<typeof rig.frame>[1] }>();
    for (const mbit of LEVELS) {
      const plan = await comparison.rollOut({ wire: { name: '200mbit', mbit }, accuracy: 'budgeted' });
      if (plan === undefined) continue;
      const { prepared, form } = plan;
      plans.set(prepared.plan.pipeline, { mode: planMode(prepared.plan), inputs: form.samples[0]?.inputs });
    }
    const best = new Map<number, Best>();
    for (const mbit of LEVELS) {
      rig.join({ name: '200mbit', mbit });
      for (const [pipeline, { mode, inputs }] of plans) {
        const times: number[] = [];
        for (let run = -UNCOUNTED; run < ORACLE_RUNS; run++) {
          const { roundTripMs } = await rig.frame(pipeline, inputs);
          if (run >= 0) times.push(roundTripMs);
          // What takes far longer than the best need not be known better.
          if (roundTripMs > HOPELESS * (best.get(mbit)?.ms ?? Number.POSITIVE_INFINITY)) break;
        }
        const ms = times.length === 0 ? Number.POSITIVE_INFINITY : median(times);
        if (ms < (best.get(mbit)?.ms ?? Number.POSITIVE_INFINITY))
          best.set(mbit, { ms, plan: `${mode} (${pipeline})` });
      }
    }
    return best;
  }

  async #follow(folder: string): Promise<void> {
    const { rig, network, photos, profile, slowdown } = this.#deps;
    const share = millicores(CPU);
    const devices = emulatedDevices({
      profile,
      quota: QUOTA,
      devices: DEVICES,
      millicores: share,
      hubMillicores: share,
      bitsPerSecond: LEVELS[0] * 1e6,
      hubComputes: true,
      slowdown,
    });
    writeFileSync(join(folder, 'devices.json'), JSON.stringify(devices));
    await rig.hub.follow(
      {
        name: PIPELINE,
        model: network.file,
        plan: {
          devices: 'devices.json',
          objective: 'latency',
          pixels: network.forms.some(({ kind }) => kind === 'pixels'),
          accuracy: { samples: photos.folder, ...BUDGET },
        },
        answer: { task: 'tensors' },
        ...FRAMES,
        deadlineMs: FRAME_MS,
        attempts: ATTEMPTS,
      },
      folder,
    );
  }

  /** Prints when the plan changed, and to what; how often. */
  async #changes(frames: readonly FrameTimes[], levels: readonly Level[]): Promise<number> {
    const announced = await this.#deps.rig.announced(PIPELINE);
    const modes = new Map(announced.map(({ digest, plan }) => [digest, planMode(plan)]));
    let before: string | undefined;
    const rows: (string | number)[][] = [];
    for (const { plan, endedAt } of frames) {
      if (plan === before) continue;
      const level = levels.findLast(({ from }) => from <= endedAt);
      rows.push([(endedAt / 1000).toFixed(1), level?.mbit ?? '', modes.get(plan) ?? '', plan.slice(0, 8)]);
      before = plan;
    }
    print('\nplans of the swinging link');
    print(table(['first result at, s', 'Mbit/s then', 'mode', 'plan'], rows));
    return Math.max(0, rows.length - 1);
  }
}

/** Times the best of a level. */
const HOPELESS = 3;

function showLevels(
  frames: readonly FrameTimes[],
  levels: readonly Level[],
  best: ReadonlyMap<number, Best>,
): void {
  const rows = LEVELS.map((mbit) => {
    const own = frames.filter(({ endedAt }) => levels.findLast(({ from }) => from <= endedAt)?.mbit === mbit);
    const { ms = Number.NaN, plan = '' } = best.get(mbit) ?? {};
    const ours = own.length === 0 ? '-' : rounded(median(own.map(({ roundTripMs }) => roundTripMs)));
    return [mbit, own.length, ours, rounded(ms), plan];
  });
  print('\nby level of the link');
  print(table(['Mbit/s', 'frames', 'median ms', 'oracle ms', "oracle's plan"], rows));
}
