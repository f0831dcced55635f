/**
 * One frame of a plan, device by device: when every message came and went, when every task ran, what the broker did, and
 * what the simulator expected. Tells where a plan loses what was predicted of it.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Fleet } from '../../../services/core/planning/cost/fleet.ts';
import { simulate } from '../../../services/core/planning/simulate/simulate.ts';
import type { TimelineEvent } from '../../../services/core/planning/simulate/types.ts';
import { entryPath } from '../../../services/core/runtime/entry.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import { HUB, HUB_WORKER } from '../../emulate/cluster.ts';
import { machineMs } from '../../emulate/hub-messages.ts';
import { print, table } from '../../output.ts';
import { rounded } from '../report.ts';
import { type Cell, cellName } from './cells.ts';
import type { RolledOut } from './comparison.ts';
import { DEVICES, QUOTA, type WireRig } from './rig.ts';
import { TRACE_FOLDER, type TraceEvent } from './trace-events.ts';

/** Frames before the one that is shown: sessions run for the first time, code is compiled. */
const BEFORE = 8;
/** Until every traced process has written. */
const WRITTEN_MS = 1_500;
const KB = 1000;

/** From now on services that are started are traced. */
export function beginTracing(): void {
  const folder = mkdtempSync(join(tmpdir(), 'tilepipe-trace-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  process.env[TRACE_FOLDER] = folder;
  const preload = pathToFileURL(entryPath('tools/bench/wire/trace-preload')).href;
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import ${preload}`.trim();
}

/** Runs frames of a plan that was rolled out, and prints the timeline of the last. */
export async function traceFrame(rig: WireRig, cell: Cell, plan: RolledOut, fleet: Fleet): Promise<void> {
  const { pipeline } = plan.prepared.plan;
  const { cluster } = rig;
  rig.join(cell.wire);
  const [sample] = plan.form.samples;
  const times: number[] = [];
  // The first is loaded and compiled for.
  await rig.frame(pipeline, sample?.inputs);
  const since = machineMs();
  for (let frame = 1; frame < BEFORE; frame++)
    times.push((await rig.frame(pipeline, sample?.inputs)).roundTripMs);
  await delay(WRITTEN_MS);
  const stats = (): Map<string, ReturnType<typeof cluster.cpuStat>> =>
    new Map([HUB, ...DEVICES].map((device) => [device, cluster.cpuStat(device)]));
  const before = stats();
  const began = machineMs();
  const { roundTripMs, timing } = await rig.frame(pipeline);
  const ended = machineMs();
  const after = stats();
  await delay(WRITTEN_MS);
  print(
    `\n${cellName(cell)}: one frame took ${rounded(roundTripMs)} ms (median before it ${rounded(median(times))}), of these ${rounded(timing.totalMs)} from splitter to result; predicted ${rounded(plan.draft.predicted.latencyMs)}`,
  );
  const simulation = simulate(plan.draft.blocks, fleet, {
    frames: 1,
    inFlight: 1,
    binding: 'late',
    timeline: true,
  });
  const { timeline = [] } = simulation;
  const all = new Map(
    [HUB, ...DEVICES].map((device) => {
      const events = cluster.pids(device).flatMap(eventsOf);
      const own = events.filter(({ at }) => at >= since && at <= ended + 1);
      return [device, own.sort((x, y) => x.at - y.at)];
    }),
  );
  print(
    table(
      ['device', 'processor ms', 'at its quota', 'simulated ms', 'periods throttled'],
      [HUB, ...DEVICES].map((device) => {
        const [first, last] = [before.get(device), after.get(device)];
        const used = (last?.usageMs ?? 0) - (first?.usageMs ?? 0);
        const periods = (last?.periods ?? 0) - (first?.periods ?? 0);
        const throttled = (last?.throttled ?? 0) - (first?.throttled ?? 0);
        return [
          device,
          rounded(used),
          rounded(used / QUOTA),
          rounded(busyMs(timeline, device)),
          periods === 0 ? '-' : `${Math.round((100 * throttled) / periods)} %`,
        ];
      }),
    ),
  );
  print(`computed in ${BEFORE} frames, the slowest first`);
  print(table(TASK_HEADS, taskRows(all, timeline)));
  for (const [device, events] of all)
    all.set(
      device,
      events.filter(({ at }) => at >= began),
    );
  const brokered = (all.get(HUB) ?? []).filter((event) => event.what === 'broker');
  const bytes = brokered.reduce((sum, event) => sum + event.bytes, 0);
  print(`the broker took ${brokered.length} messages of ${(bytes / 1e6).toFixed(2)} MB together`);
  print(table(BLOCK_HEADS, blockRows([...all.values()].flat(), timeline, began)));
  for (const [device, events] of all) {
    print(`\n${device}`);
    for (const line of linesOf(events, began)) print(line);
  }
  print('\nas simulated, what takes more than 2 ms');
  for (const event of timeline)
    if (event.to - event.from > 2)
      print(
        `${time(event.from)} - ${time(event.to)}  ${event.resource}  ${event.kind} of block ${event.block} for ${event.device}`,
      );
}

/** The hub's worker shares its processor. */
function busyMs(timeline: readonly TimelineEvent[], device: string): number {
  const names = device === HUB ? [HUB, HUB_WORKER] : [device];
  return timeline
    .filter(({ resource, kind }) => names.includes(resource) && kind !== 'transfer')
    .reduce((sum, { from, to }) => sum + to - from, 0);
}

const TASK_HEADS = ['task', 'device', 'median ms', 'least', 'most', 'simulated'];
/** Tasks that are worth a look. */
const MOST_TASKS = 16;

/** What tasks computed in every frame that was traced. */
function taskRows(
  all: ReadonlyMap<string, readonly TraceEvent[]>,
  timeline: readonly TimelineEvent[],
): (string | number)[][] {
  const rows: (string | number)[][] = [];
  for (const [device, events] of all) {
    const tasks = new Map<string, number[]>();
    for (const event of events)
      if (event.what === 'task')
        tasks.set(event.task, [...(tasks.get(event.task) ?? []), event.ended - event.started]);
    for (const [task, times] of tasks) {
      const [, block, part = '0'] = /^b(\d+)(?:\.[a-z](\d+))?$/.exec(task) ?? [];
      const expected = timeline.find(
        (event) => event.kind === 'compute' && event.block === Number(block) && event.part === Number(part),
      );
      rows.push([
        task,
        device,
        rounded(median(times)),
        rounded(Math.min(...times)),
        rounded(Math.max(...times)),
        expected === undefined ? '-' : rounded(expected.to - expected.from),
      ]);
    }
  }
  return rows.sort((a, b) => Number(b[2]) - Number(a[2])).slice(0, MOST_TASKS);
}

const BLOCK_HEADS = [
  'block',
  'last inputs there',
  'last start',
  'simulated',
  'slowest task, ms',
  'simulated',
  'last end',
  'simulated',
];

/** When each block began and ended, as it was and as it was expected. */
function blockRows(
  events: readonly TraceEvent[],
  timeline: readonly TimelineEvent[],
  began: number,
): (string | number)[][] {
  const blocks = new Map<number, (TraceEvent & { what: 'task' })[]>();
  for (const event of events) {
    if (event.what !== 'task') continue;
    const block = Number(/^b(\d+)/.exec(event.task)?.[1] ?? Number.NaN);
    blocks.set(block, [...(blocks.get(block) ?? []), event]);
  }
  return [...blocks]
    .sort(([a], [b]) => a - b)
    .map(([block, own]) => {
      const expected = timeline.filter((event) => event.kind === 'compute' && event.block === block);
      const most = (values: readonly number[]): string => Math.max(...values).toFixed(1);
      return [
        block,
        most(own.map(({ at }) => at - began)),
        most(own.map(({ started }) => started - began)),
        most(expected.map(({ from }) => from)),
        most(own.map(({ started, ended }) => ended - started)),
        most(expected.map(({ from, to }) => to - from)),
        most(own.map(({ ended }) => ended - began)),
        most(expected.map(({ to }) => to)),
      ];
    });
}

function eventsOf(pid: number): TraceEvent[] {
  const file = join(process.env[TRACE_FOLDER] ?? '', `${pid}.jsonl`);
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TraceEvent);
}

function linesOf(events: readonly TraceEvent[], began: number): string[] {
  const since = (at: number): string => time(at - began);
  return events.map((event) => {
    const { what, at } = event;
    if (what === 'broker')
      return `${since(at)}            broker took ${size(event.bytes)} for ${event.topic}`;
    const until = (end: number): string => `${since(at)} - ${since(end)}`;
    if (what === 'blocked') return `${until(event.until)}  event loop stood still`;
    if (what === 'run')
      return `${until(event.until)}  run   computed ${event.computeMs.toFixed(1)} ms of ${(event.until - at).toFixed(1)} ms`;
    if (what === 'out')
      return `${until(event.until)}  out   ${event.kind} of ${event.task || '-'} to ${event.to}, ${size(event.bytes)}`;
    if (what === 'in')
      return `${since(event.since)} - ${since(at)}  in    ${event.kind} of ${event.task || '-'} from ${event.from}, ${size(event.bytes)}`;
    const { started, ended, task } = event;
    return `${since(started)} - ${since(ended)}  TASK  ${task}: inputs there at ${since(at).trim()}, waited ${(started - at).toFixed(1)} ms, computed ${(ended - started).toFixed(1)} ms`;
  });
}

function time(ms: number): string {
  return ms.toFixed(1).padStart(7);
}

function size(bytes: number): string {
  return `${(bytes / KB).toFixed(1)} KB`;
}
