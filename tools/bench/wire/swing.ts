/**
 * A link that swings between 200 and 0.5 Mbit/s while frames of one pipeline run without a pause. The controller is told
 * nothing of it: it moves from plan to plan by what it measures. What that costs is compared with an oracle that knows the
 * link, and has the best fixed plan for each of its levels, measured before on the same devices.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { simulate } from '../../../services/core/planning/simulate/simulate.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import { seededRandom } from '../../../services/core/runtime/seeded-random.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import type { FrameTimes } from '../../emulate/hub-messages.ts';
import { machineMs } from '../../emulate/hub-messages.ts';
import { millicores } from '../../emulate/units.ts';
import { print, table } from '../../output.ts';
import { emulatedDevices } from '../emulated/fleet.ts';
import { rounded } from '../report.ts';
import { type Accuracy, CPU, type Wire } from './cells.ts';
import { Comparison, type ComparisonDeps, type RolledOut } from './comparison.ts';
import type { Photos } from './photos.ts';
import { planMode } from './plans.ts';
import { DEVICES, FRAME_MS, FRAMES, QUOTA } from './rig.ts';
import { type Level, levelsFor, oracleMs } from './swing-levels.ts';
import type { SwingResult } from './targets.ts';

export interface SwingDeps extends ComparisonDeps {
  readonly photos: Photos;
  readonly profile: Profile;
  readonly slowdown: number;
  /** Of the oracle's plans, and of the pipeline's. */
  readonly accuracy: Accuracy;
}

const PIPELINE = 'swing';
/** Mbit/s. */
const LEVELS = [200, 50, 20, 5, 2, 1, 0.5] as const;
const SEED = 4;
const UNCOUNTED = 1;
const ORACLE_RUNS = 3;
const ATTEMPTS = 3;
/** Plans for what may become of the devices are made beforehand, their codecs checked on photos. */
const REHEARSED_MS = 900_000;

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
    const started = machineMs();
    const took = (what: string): void =>
      print(`${what} after ${Math.round((machineMs() - started) / 1000)} s`);
    const best = await this.#oracle();
    took('oracle measured');
    rig.cluster.unlimit();
    await rig.announced(PIPELINE);
    await this.#follow(folder);
    await rig.cluster.whenQuiet(REHEARSED_MS);
    took('plans rehearsed');
    rig.join(wireOf(LEVELS[0]));
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
    const changes = await this.#changes(relative, levels, began);
    showLevels(relative, levels, best);
    print(DEFINITION);
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

  /** Of every level: the best of what the planner would choose for any of them, as measured. */
  async #oracle(): Promise<Map<number, Best>> {
    const { rig, plans: cells, accuracy } = this.#deps;
    const comparison = new Comparison(this.#deps);
    const plans = new Map<string, RolledOut>();
    for (const mbit of LEVELS) {
      const plan = await comparison.rollOut({ wire: wireOf(mbit), accuracy });
      if (plan !== undefined) plans.set(plan.prepared.plan.pipeline, plan);
    }
    const best = new Map<number, Best>();
    for (const mbit of LEVELS) {
      const fleet = cells.fleet(wireOf(mbit));
      const predicted = [...plans.values()]
        .map((plan) => ({ plan, ms: simulate(plan.draft.blocks, fleet, ONE_FRAME).latency.median }))
        .sort((a, b) => a.ms - b.ms);
      rig.join(wireOf(mbit));
      for (const { plan, ms: expected } of predicted) {
        // Minutes on a slow link, whose strips would be in the way of the next.
        if (expected > HOPELESS * (predicted[0]?.ms ?? 0)) break;
        const { plan: document } = plan.prepared;
        const times: number[] = [];
        for (let run = -UNCOUNTED; run < ORACLE_RUNS; run++) {
          const { roundTripMs } = await rig.frame(document.pipeline, plan.form.samples[0]?.inputs);
          if (run >= 0) times.push(roundTripMs);
        }
        const ms = median(times);
        if (ms < (best.get(mbit)?.ms ?? Number.POSITIVE_INFINITY))
          best.set(mbit, { ms, plan: `${planMode(document)} (${document.pipeline})` });
      }
    }
    return best;
  }

  async #follow(folder: string): Promise<void> {
    const { rig, network, photos, profile, slowdown, accuracy } = this.#deps;
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
          ...(accuracy === 'exact' ? {} : { accuracy: { samples: photos.folder, ...network.budget } }),
        },
        answer: { task: 'tensors' },
        ...FRAMES,
        deadlineMs: FRAME_MS,
        attempts: ATTEMPTS,
      },
      folder,
    );
  }

  /** Prints when the plan changed, to what and why, and when frames went on by a fallback; how many changes there were. */
  async #changes(frames: readonly FrameTimes[], levels: readonly Level[], began: number): Promise<number> {
    const { rig } = this.#deps;
    const announced = await rig.announced(PIPELINE);
    const modes = new Map<string, string>();
    for (const { fallback } of announced)
      if (fallback !== undefined) modes.set(fallback.digest, `fallback: ${planMode(fallback.plan)}`);
    for (const { digest, plan } of announced) modes.set(digest, planMode(plan));
    const named = (plan: string): string => `${modes.get(plan) ?? ''} ${plan.slice(0, 8)}`;
    const mbitAt = (at: number): number | string => levels.findLast(({ from }) => from <= at)?.mbit ?? '';
    const changes = (await rig.hub.changes(PIPELINE)).filter(({ at }) => at >= began);
    const rows = changes.map(({ at, digest, why, fromMs, toMs, factors }): [number, string[]] => {
      const links = DEVICES.map((device) =>
        ((LEVELS[0] / (factors[device]?.link ?? 1)) as number).toFixed(1),
      );
      const reason = `${why}: ${rounded(fromMs)} to ${rounded(toMs)} ms a frame`;
      return [at - began, ['announced', named(digest), reason, links.join(' ')]];
    });
    let before: string | undefined;
    for (const { plan, endedAt } of frames) {
      if (plan !== before) rows.push([endedAt, ['first result', named(plan), '', '']]);
      before = plan;
    }
    rows.sort(([a], [b]) => a - b);
    print('\nplans of the swinging link');
    print(
      table(
        ['at, s', 'Mbit/s then', '', 'plan', 'why', 'links taken for, Mbit/s'],
        rows.map(([at, texts]) => [(at / 1000).toFixed(1), mbitAt(at), ...texts]),
      ),
    );
    return changes.length;
  }
}

const DEFINITION =
  'time lost: what all frames took, beside what they would have taken had each run on the plan that is fastest at its level of ' +
  'the link from its first moment (the median of that plan, measured here before); a frame that saw several levels by its share in each.';
/** Times what the best is expected to take at a level. */
const HOPELESS = 3;
const ONE_FRAME = { frames: 1, inFlight: 1, binding: 'late' } as const;

/** Every device and the hub on a cable of that speed. */
const wireOf = (mbit: number): Wire => ({ name: '200mbit', mbit });

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
