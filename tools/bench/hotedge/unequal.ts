/**
 * One of four devices slows down to a quarter while frames run: tiles of one size against the plan that the running
 * controller finds from telemetry. The change is told to nobody.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { evenDraft } from '../../../services/core/planning/search/fixed.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { type FrameTimes, machineMs } from '../../emulate/hub-messages.ts';
import { bitRate, millicores } from '../../emulate/units.ts';
import { print } from '../../output.ts';
import { emulatedDevices, emulatedFleet } from '../emulated/fleet.ts';
import { medianInterval } from '../emulated/interval.ts';
import { planText } from '../emulated/plan-text.ts';
import { rounded } from '../report.ts';
import { UNEQUAL_CPU } from './cells.ts';
import { QUOTA } from './comparison.ts';
import type { Forms, WrittenPlans } from './plans.ts';
import { blocksText, DEVICES, FRAME_MS, FRAMES, type HotEdgeRig } from './rig.ts';
import type { CellResult, UnequalResult } from './targets.ts';

export interface UnequalDeps {
  readonly rig: HotEdgeRig;
  readonly forms: Forms;
  readonly written: WrittenPlans;
  readonly profile: Profile;
  /** The model file. */
  readonly file: string;
}

/** Of one link: what became of it, and the medians as rows of a table. */
export interface UnequalOutcome {
  readonly result: UnequalResult;
  readonly cells: readonly CellResult[];
}

const SLOW_DEVICE = DEVICES[1];
/** What the device has left of its share. */
const SLOW_SHARE = 1 / 4;
/** Frames run for so long before the change. */
const BEFORE_MS = 6_000;
/** A plan that has stayed for this long is taken for the last. */
const SETTLED_MS = 6_000;
const MOST_MS = 45_000;
/** Frames after each change of conditions that are not counted. */
const UNCOUNTED = 2;

export class Unequal {
  readonly #deps: UnequalDeps;

  constructor(deps: UnequalDeps) {
    this.#deps = deps;
  }

  async measure(link: string, repetitions: number): Promise<UnequalOutcome> {
    const folder = mkdtempSync(join(tmpdir(), 'tilepipe-unequal-'));
    try {
      return await this.#measureIn(folder, link, repetitions);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #measureIn(folder: string, link: string, repetitions: number): Promise<UnequalOutcome> {
    const { rig } = this.#deps;
    const { cluster } = rig;
    const share = millicores(UNEQUAL_CPU);
    cluster.unlimit();
    const adaptive = await this.#follow(folder, link);
    const even = await this.#even(link);
    // Sub-models are loaded, and the controller has planned ahead, as it would have in a running house.
    await cluster.whenQuiet();
    rig.limit(share, bitRate(link));
    const { inputs } = this.#deps.forms.pixels;
    for (let frame = 0; frame < UNCOUNTED; frame++)
      for (const pipeline of [even, adaptive]) await rig.frame(pipeline, inputs);
    const running = rig.hub.stream(adaptive, { settledMs: SETTLED_MS, mostMs: MOST_MS, limitMs: FRAME_MS });
    await delay(BEFORE_MS);
    cluster.setCpu(SLOW_DEVICE, SLOW_SHARE * share);
    const changedAt = machineMs();
    const frames = await running;
    const change = changeOf(frames, changedAt);
    const plans = new Set(frames.map(({ plan }) => plan)).size;
    print(
      `${link}: ${frames.length} frames on ${plans} plans, ${Math.round(change.beforeMs)} ms each before the change, ${Math.round(change.slowedMs)} ms after it`,
    );
    const last = frames.at(-1);
    if (last !== undefined) print(`the last: ${blocksText(last.timing.blocks)}`);
    await rig.frame(even, inputs);
    const times = { alone: [] as number[], even: [] as number[], adaptive: [] as number[] };
    for (let done = 0; done < repetitions; done++) {
      times.alone.push(await rig.bare());
      times.even.push((await rig.frame(even, inputs)).roundTripMs);
      times.adaptive.push((await rig.frame(adaptive, inputs)).roundTripMs);
    }
    cluster.setCpu(SLOW_DEVICE, share);
    await rig.hub.withdraw(adaptive);
    const cell = (plan: string, all: readonly number[]): CellResult => ({
      link,
      cpu: `${UNEQUAL_CPU}, one ${rounded(SLOW_SHARE * share)}m`,
      plan,
      medianMs: rounded(median(all)),
      interval: medianInterval(all),
      n: all.length,
    });
    return {
      result: {
        link,
        evenMs: median(times.even),
        adaptiveMs: median(times.adaptive),
        aloneMs: median(times.alone),
        ...change,
      },
      cells: [
        cell('one normal device', times.alone),
        cell('even', times.even),
        cell('adaptive', times.adaptive),
      ],
    };
  }

  /** Plans for devices that are as fast as each other, in the controller, which goes on looking at them. */
  async #follow(folder: string, link: string): Promise<string> {
    const { rig, file } = this.#deps;
    const name = `adaptive-${link}`;
    writeFileSync(join(folder, 'devices.json'), JSON.stringify(emulatedDevices(this.#conditions(link))));
    await rig.hub.follow(
      {
        name,
        model: file,
        plan: { devices: 'devices.json', objective: 'latency', pixels: true },
        answer: { task: 'tensors' },
        ...FRAMES,
      },
      folder,
    );
    return name;
  }

  /** The best plan with tiles of one size, which stays. */
  async #even(link: string): Promise<string> {
    const { rig, forms, written } = this.#deps;
    const form = forms.pixels;
    const draft = evenDraft(form.space, emulatedFleet(this.#conditions(link)));
    const { prepared } = await written.rollOut(rig, { plan: 'even', form, draft });
    print(`${link}, even: ${planText(prepared)}`);
    return prepared.plan.pipeline;
  }

  #conditions(link: string): Parameters<typeof emulatedDevices>[0] {
    return {
      profile: this.#deps.profile,
      quota: QUOTA,
      devices: DEVICES,
      millicores: millicores(UNEQUAL_CPU),
      bitsPerSecond: bitRate(link),
    };
  }
}

type Change = Pick<UnequalResult, 'foundMs' | 'longestGapMs' | 'beforeMs' | 'slowedMs'>;

/** What frames without a pause say of a change at `changedAt`. */
export function changeOf(
  frames: readonly Pick<FrameTimes, 'roundTripMs' | 'endedAt' | 'plan'>[],
  changedAt: number,
): Change {
  const before = frames.filter(({ endedAt }) => endedAt <= changedAt);
  const after = frames.filter(({ endedAt }) => endedAt > changedAt);
  const old = before.at(-1)?.plan;
  const found = after.find(({ plan }) => plan !== old);
  // The frame that was under way when it changed is partly of both.
  const slowed = after.slice(1).filter(({ plan }) => plan === old);
  const ends = [...before.slice(-1), ...after].map(({ endedAt }) => endedAt);
  const gaps = ends.slice(1).map((endedAt, at) => endedAt - (ends[at] ?? endedAt));
  const medianOf = (own: typeof frames): number => median(own.map(({ roundTripMs }) => roundTripMs));
  return {
    foundMs: found === undefined ? undefined : found.endedAt - changedAt,
    longestGapMs: Math.max(0, ...gaps),
    beforeMs: medianOf(before),
    slowedMs: slowed.length === 0 ? medianOf(after.slice(0, 1)) : medianOf(slowed),
  };
}

/** Rows for people. */
export function unequalRow({ result }: UnequalOutcome): (string | number)[] {
  const { link, foundMs, longestGapMs, beforeMs, slowedMs } = result;
  const seconds = foundMs === undefined ? 'none came' : `${(foundMs / 1000).toFixed(1)} s`;
  return [link, rounded(beforeMs), rounded(slowedMs), seconds, rounded(longestGapMs)];
}
