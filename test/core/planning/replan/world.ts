/**
 * A made-up cluster for the replanner: devices whose load changes, frames that follow each other, telemetry twice
 * a second, all by a clock of its own; and a planner that shares rows by speed.
 */

import { TelemetryWindow } from '../../../../services/core/control/telemetry.ts';
import type { WorkerSummary } from '../../../../services/core/flow/dispatch.ts';
import { computeMs, type Device, type Fleet } from '../../../../services/core/planning/cost/fleet.ts';
import type { Draft, DraftPart } from '../../../../services/core/planning/draft.ts';
import {
  expectationsOf,
  type PlanExpectations,
  readingsOf,
} from '../../../../services/core/planning/replan/readings.ts';
import {
  type Decision,
  Replanner,
  type ReplanPolicy,
} from '../../../../services/core/planning/replan/replanner.ts';
import type { Plan } from '../../../../services/core/schema/generated/plan.ts';

const ROWS = 56;
const BLOCKS = 3;
/** Milliseconds of one row of one block on a device as profiled, and of a task beside its rows. */
const ROW_MS = 10;
const TASK_MS = 4;
/** From the decision to the first frame that may start on the new plan. */
const PREPARE_MS = 300;
const TRANSFER_MS = 8;
const WINDOW_MS = 500;
const HASTE_MS = 50;
const SHORTEST_MS = 150;
const LOOK_MS = 50;
const NO_TROUBLE = { active: 1, done: 0, failures: 0, timeouts: 0, troubles: 0 };

export function toyDevice(id: string, speed = 1, more: Partial<Device> = {}): Device {
  return {
    id,
    kinds: new Map([['other', { run: 0, mac: ROW_MS / speed, byte: 0, weight: 0 }]]),
    taskMs: TASK_MS,
    byteMs: 0,
    memoryBytes: Number.POSITIVE_INFINITY,
    idleBytes: 0,
    estimated: false,
    ...more,
  };
}

export function toyFleet(devices: readonly Device[]): Fleet {
  return { hub: { messageMs: 0, byteMs: 0 }, media: new Map(), devices };
}

/** Rows by speed, the remainder to whoever is done first: the best plan of its kind. Devices without rows take no part. */
export function toyPlan(fleet: Fleet): Draft {
  if (fleet.devices.length === 0) throw new Error('no device');
  const rows = fleet.devices.map(() => 0);
  const ms = (device: Device, count: number) => computeMs(device, toyWork(count));
  for (let row = 0; row < ROWS; row++) {
    let best = 0;
    for (const [i, device] of fleet.devices.entries()) {
      const after = ms(device, (rows[i] as number) + 1);
      if (after < ms(fleet.devices[best] as Device, (rows[best] as number) + 1)) best = i;
    }
    rows[best] = (rows[best] as number) + 1;
  }
  return toyDraft(
    fleet.devices.flatMap(({ id }, i) => ((rows[i] as number) > 0 ? [[id, rows[i] as number]] : [])),
  );
}

export const toyWork = (rows: number) => [{ kind: 'other', runs: 1, macs: rows, bytes: 0, weights: 0 }];

/** A draft of equal blocks in which each device makes so many rows. */
export function toyDraft(
  shares: readonly (readonly [device: string, rows: number])[],
  spare: readonly string[] = [],
): Draft {
  const blocks = Array.from({ length: BLOCKS }, (_, id) => {
    let at = 0;
    const parts = shares.map(([device, rows], index): DraftPart => {
      const outputs = new Map([[`t${id}`, [[at, at + rows] as const]]]);
      at += rows;
      const tile = { block: id, index, inputs: outputs, outputs, pattern: 'p', macs: rows };
      const sizes = { bytesIn: 0, bytesOut: 0, activationBytes: 0, weightBytes: 0 };
      return {
        tile,
        devices: [device, ...spare.filter((each) => each !== device)],
        work: toyWork(rows),
        ...sizes,
      };
    });
    const block = { id, kind: 'tile' as const, nodes: [], inputs: [], outputs: [`t${id}`] };
    return { block, mode: 'tile' as const, parts };
  });
  const predicted = { latencyMs: 0, framesPerSecond: 0, bytesPerFrame: 0, bottleneck: '', memoryBytes: {} };
  return { strategy: 'parallel', blocks, inFlight: 1, predicted };
}

export function toyPredict(draft: Draft, fleet: Fleet): { latencyMs: number; framesPerSecond: number } {
  const devices = new Map(fleet.devices.map((device) => [device.id, device]));
  let latencyMs = 0;
  for (const { parts } of draft.blocks) {
    const busy = new Map<string, number>();
    for (const {
      devices: [id = ''],
      work,
    } of parts)
      busy.set(id, (busy.get(id) ?? 0) + computeMs(devices.get(id) as Device, work));
    latencyMs += TRANSFER_MS + Math.max(...busy.values());
  }
  return { latencyMs, framesPerSecond: 1000 / latencyMs };
}

/** The part of a plan that telemetry is joined by. */
function planOf(draft: Draft): Plan {
  const tasks = draft.blocks.flatMap(({ block, parts }) =>
    parts.map(({ tile }) => ({
      id: `b${block.id}.t${tile.index}`,
      kind: 'run',
      block: block.id,
      index: tile.index,
    })),
  );
  return { tasks } as unknown as Plan;
}

/** What telemetry of a draft's tasks is judged by. */
export function toyExpectations(digest: string, draft: Draft): PlanExpectations {
  return expectationsOf(digest, planOf(draft), draft);
}

export interface WorldOptions {
  readonly fleet: Fleet;
  /** Times by which a device is slower than profiled, at a time in milliseconds; Infinity: it does not answer. */
  readonly load: (device: string, at: number) => number;
  readonly policy?: ReplanPolicy;
  readonly running?: Draft;
  /** Milliseconds between the starts of frames; 0: one after the other. */
  readonly periodMs?: number;
}

export interface Change extends Decision {
  readonly at: number;
  /** When the first frame on the new plan was finished. */
  firstResultAt?: number;
}

export class World {
  readonly changes: Change[] = [];
  /** Milliseconds of every frame. */
  readonly latencies: number[] = [];
  readonly replanner: Replanner;
  readonly #options: WorldOptions;
  readonly #window = new TelemetryWindow();
  readonly #plans = new Map<string, PlanExpectations>();
  #draft: Draft;
  #plan = 'p0';
  #coming: { at: number; draft: Draft; change: Change } | undefined;
  #now = 0;
  #told = 0;
  #tellAt = WINDOW_MS;
  #lookedAt = 0;
  /** Workers with a task that has not ended. */
  readonly #out = new Map<string, WorkerSummary>();

  constructor(options: WorldOptions) {
    this.#options = options;
    const { fleet, policy, running = toyPlan(fleet) } = options;
    this.#draft = running;
    this.replanner = new Replanner({
      now: () => this.#now,
      fleet,
      running,
      objective: 'latency',
      plan: toyPlan,
      predict: toyPredict,
      policy,
    });
    this.replanner.online(fleet.devices.map(({ id }) => id));
    this.#expect();
  }

  get now(): number {
    return this.#now;
  }

  get running(): Draft {
    return this.#draft;
  }

  /** Rows of the running plan by device. */
  get rows(): Record<string, number> {
    return Object.fromEntries(
      (this.#draft.blocks[0]?.parts ?? []).map(({ devices: [id = ''], tile }) => [id, tile.macs]),
    );
  }

  runUntil(end: number): void {
    while (this.#now < end) this.#frame();
  }

  #expect(): void {
    this.#plans.set(this.#plan, toyExpectations(this.#plan, this.#draft));
  }

  #frame(): void {
    const { fleet, load, periodMs = 0 } = this.#options;
    const started = this.#now;
    const first = this.#switch();
    for (const { block, parts } of this.#draft.blocks) {
      const began = this.#now;
      const durations = parts.map(({ devices: [id = ''], work, tile }) => {
        const device = fleet.devices.find((each) => each.id === id) as Device;
        const ms = computeMs(device, work) * load(id, began);
        const running = { plan: this.#plan, task: `b${block.id}.t${tile.index}`, since: began };
        this.#out.set(id, { ...NO_TROUBLE, id, running });
        return { id, tile, ms };
      });
      const answered = durations.sort((a, b) => a.ms - b.ms);
      for (const { id, tile, ms } of answered) {
        this.#wait(began + ms);
        this.#out.delete(id);
        const stamps = { receivedMs: 0, startedMs: 0, endedMs: ms };
        const unusual = this.#window.add({
          worker: id,
          plan: this.#plan,
          task: `b${block.id}.t${tile.index}`,
          totalMs: ms + TRANSFER_MS,
          bytes: 1,
          ...stamps,
        });
        if (unusual)
          this.#tellAt = Math.min(this.#tellAt, Math.max(this.#now + HASTE_MS, this.#told + SHORTEST_MS));
      }
      this.#wait(this.#now + TRANSFER_MS);
    }
    this.latencies.push(this.#now - started);
    if (first !== undefined) first.firstResultAt = this.#now;
    this.#wait(started + periodMs);
  }

  /** A new plan begins with a frame. */
  #switch(): Change | undefined {
    const coming = this.#coming;
    if (coming === undefined || this.#now < coming.at) return undefined;
    this.#coming = undefined;
    this.#draft = coming.draft;
    this.#plan = `p${this.changes.length}`;
    this.#expect();
    return coming.change;
  }

  /** Telemetry comes while time goes by. */
  #wait(until: number): void {
    for (; this.#lookedAt + LOOK_MS <= until; this.#lookedAt += LOOK_MS) {
      const now = this.#lookedAt + LOOK_MS;
      this.#tellUntil(now);
      if (this.#window.running([...this.#out.values()], now).length > 0)
        this.#tellAt = Math.min(this.#tellAt, Math.max(now + HASTE_MS, this.#told + SHORTEST_MS));
    }
    this.#tellUntil(until);
  }

  #tellUntil(until: number): void {
    while (until >= this.#tellAt) {
      this.#told = this.#tellAt;
      this.#tellAt += WINDOW_MS;
      this.#now = Math.max(this.#now, this.#told);
      this.#tell();
    }
    this.#now = Math.max(this.#now, until);
  }

  #tell(): void {
    const { replanner } = this;
    const running = this.#window.running([...this.#out.values()], this.#now);
    const told = this.#window.take([]);
    const devices = new Map(this.#options.fleet.devices.map((device) => [device.id, device]));
    const telemetry = { ...(told ?? { tasks: [], workers: [] }), running };
    const { readings, frames, running: overdue } = readingsOf(telemetry, this.#plans, devices);
    replanner.read(readings);
    replanner.overdue(overdue);
    replanner.finished(frames);
    if (this.#coming !== undefined) return;
    const decision = replanner.decide();
    if (decision === undefined) return;
    const change = { ...decision, at: this.#now };
    this.changes.push(change);
    replanner.changed(decision);
    this.#coming = { at: this.#now + PREPARE_MS, draft: decision.draft, change };
  }
}

/** Numbers of a normal distribution around 0, the same for the same seed. */
export function normal(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
