/**
 * A discrete-event model of a plan on a fleet: what a stream of frames would do, where nobody can try it.
 *
 * The hub's processor serves messages one at a time, media carry one transfer at a time, devices compute one task at
 * a time and hold a second; credits, gathering and the order of dispatch are the runtime's. A plan of one task on the
 * hub is a model run without Tilepipe. Losses, failures and re-planning are not in it.
 */

import { TilepipeError } from '../../runtime/errors.ts';
import { deviceDeflate } from '../cost/deflate.ts';
import { computeMs, type Device, type Fleet, stripMs } from '../cost/fleet.ts';
import type { DraftBlock } from '../draft.ts';
import { Binding, SLOTS } from './binding.ts';
import { Clock } from './clock.ts';
import { type Arrival, FrameFeed, sourcesOf } from './frame-feed.ts';
import { legMs, Network, type Station } from './network.ts';
import { noise } from './noise.ts';
import { bottleneckOf, type Completion, type Snapshot, SteadyState, warmUp } from './steady-state.ts';
import { StripRun } from './strip-run.ts';
import { type FrameRun, TaskRun, type TaskRunDeps } from './task-run.ts';
import { type SimulatedStrip, type SimulatedTask, taskTable } from './task-table.ts';
import type { SimulateOptions, Simulation, TimelineEvent } from './types.ts';

export type { Quantiles, SimulatedSource, SimulateOptions, Simulation, TimelineEvent } from './types.ts';

/**
 * Runs `options.frames` frames through the blocks. Equal arguments give equal answers.
 * Throws `plan-invalid` where blocks and fleet do not fit, `config-invalid` for options without sense.
 */
export function simulate(blocks: readonly DraftBlock[], fleet: Fleet, options: SimulateOptions): Simulation {
  check(blocks, options);
  return new Run(blocks, fleet, options).run();
}

class Run {
  readonly #options: SimulateOptions;
  readonly #fleet: Fleet;
  readonly #clock = new Clock();
  readonly #timeline: TimelineEvent[] | undefined;
  readonly #network: Network;
  readonly #tasks: readonly SimulatedTask[];
  readonly #binding: Binding<TaskRun>;
  readonly #feed: FrameFeed;
  readonly #direct: boolean;
  readonly #taskDeps: TaskRunDeps;
  readonly #factor: () => number;
  /** Milliseconds by task and device, filled when first needed. */
  readonly #costs: readonly Float64Array[];
  readonly #completions: Completion[] = [];
  readonly #drops: number[];
  #started = 0;
  #sentBytes = 0;
  #warm: Snapshot | undefined;
  #exhausted: Snapshot | undefined;

  constructor(blocks: readonly DraftBlock[], fleet: Fleet, options: SimulateOptions) {
    const { jitter = 0, seed = 1 } = options;
    this.#options = options;
    this.#fleet = fleet;
    this.#timeline = options.timeline ? [] : undefined;
    this.#network = new Network({ clock: this.#clock, fleet, timeline: this.#timeline });
    this.#tasks = taskTable(blocks, fleet);
    this.#direct = this.#runsWhereFramesAre();
    this.#costs = this.#tasks.map(() => new Float64Array(fleet.devices.length).fill(Number.NaN));
    this.#binding = new Binding(fleet, options, {
      paceMs: ({ task }, device) => this.#paceOf(task, device),
      now: () => this.#clock.now,
    });
    this.#factor = jitter > 0 ? noise(jitter, seed) : () => 1;
    this.#drops = sourcesOf(options).map(() => 0);
    this.#taskDeps = {
      network: this.#network,
      direct: this.#direct,
      computeMs: (task, device) => this.#costOf(task, device) * this.#factor(),
      sent: (bytes) => {
        this.#sentBytes += bytes;
      },
      computed: (run) => this.#passOn(run),
      gathered: (run) => this.#gathered(run),
    };
    this.#feed = new FrameFeed({
      clock: this.#clock,
      options,
      devices: fleet.devices.length,
      start: (arrival) => this.#start(arrival),
      dropped: ({ source }) => {
        this.#drops[source] = (this.#drops[source] as number) + 1;
      },
      exhausted: () => {
        this.#exhausted = this.#snapshot();
      },
    });
  }

  run(): Simulation {
    const start = this.#snapshot();
    this.#feed.begin();
    this.#clock.run();
    const end = this.#snapshot();
    const steady = new SteadyState(this.#completions, start, end, this.#warm, this.#exhausted);
    const { sources } = this.#options;
    const finished = this.#completions.length;
    const utilisation = steady.utilisation();
    return {
      finished,
      dropped: this.#drops.reduce((sum, count) => sum + count, 0),
      elapsedMs: end.at,
      framesPerSecond: steady.framesPerSecond(),
      latency: steady.latency(),
      utilisation,
      bottleneck: bottleneckOf(utilisation, this.#network.onHub),
      bytesPerFrame: finished === 0 ? 0 : this.#sentBytes / finished,
      ...(sources === undefined ? {} : { sources: steady.bySource(this.#drops) }),
      ...(this.#timeline === undefined ? {} : { timeline: this.#timeline }),
    };
  }

  #start({ source, sequence, at }: Arrival): void {
    const frame: FrameRun = {
      number: this.#started++,
      source,
      sequence,
      arrivedAt: at,
      left: this.#tasks.length,
      missing: Int32Array.from(this.#tasks, ({ needs }) => needs),
    };
    for (const task of this.#tasks) {
      if (task.needs === 0) this.#submit(task, frame);
      else if (task.supplied !== undefined) this.#pass(undefined, task.index, task.supplied, frame);
    }
  }

  /** What a task made for tasks that gather themselves goes to their devices, through the hub's broker. */
  #passOn({ device, task, of: frame }: TaskRun): void {
    for (const strip of task.strips) {
      const receiver = (this.#tasks[strip.to] as SimulatedTask).devices[0];
      if (receiver === device) this.#arrived(strip.to, frame);
      else this.#pass(device, strip.to, strip, frame);
    }
  }

  #pass(from: number | undefined, to: number, strip: Omit<SimulatedStrip, 'to'>, frame: FrameRun): void {
    const task = this.#tasks[to] as SimulatedTask;
    const deps = {
      network: this.#network,
      sent: this.#taskDeps.sent,
      arrived: () => this.#arrived(to, frame),
    };
    new StripRun(deps, { from, to: task.devices[0] as number, strip, frame: frame.number, task }).send();
  }

  #arrived(to: number, frame: FrameRun): void {
    const missing = (frame.missing[to] as number) - 1;
    frame.missing[to] = missing;
    if (missing > 0) return;
    const task = this.#tasks[to] as SimulatedTask;
    new TaskRun(this.#taskDeps, task, frame).begin(task.devices[0] as number);
  }

  #submit(task: SimulatedTask, frame: FrameRun): void {
    const run = new TaskRun(this.#taskDeps, task, frame);
    const order = frame.number * this.#tasks.length + task.index;
    const device = this.#binding.poolOf(task).submit(run, order, this.#binding.groupOf(task, frame));
    if (device !== undefined) run.send(device);
  }

  #gathered({ device, task, of: frame }: TaskRun): void {
    // As in the runtime: the freed slot goes to what waits already, then what this answer makes ready is submitted.
    if (!task.own)
      for (const given of this.#binding.poolOf(task).release(device)) given.task.send(given.device);
    for (const next of task.feeds) {
      const missing = (frame.missing[next] as number) - 1;
      frame.missing[next] = missing;
      if (missing === 0) this.#submit(this.#tasks[next] as SimulatedTask, frame);
    }
    if (--frame.left === 0) this.#ended(frame);
  }

  #ended({ source, arrivedAt }: FrameRun): void {
    const { frames, inFlight } = this.#options;
    const at = this.#clock.now;
    this.#completions.push({ source, at, latencyMs: at - arrivedAt });
    if (this.#completions.length === warmUp(frames, inFlight)) this.#warm = this.#snapshot();
    this.#feed.ended(source);
  }

  #costOf(task: SimulatedTask, device: number): number {
    const costs = this.#costs[task.index] as Float64Array;
    let cost = costs[device] as number;
    if (Number.isNaN(cost)) {
      const found = this.#fleet.devices[device] as Device;
      cost = computeMs(found, task.work) + (this.#direct ? 0 : movedMs(found, task));
      costs[device] = cost;
    }
    return cost;
  }

  /** What a dispatcher has seen a device take for such tasks: sending, computing, answering. */
  #paceOf(task: SimulatedTask, device: number): number {
    const { in: down, out: up } = this.#network.stations[device] as Station;
    const longest = (legs: Station['in'], bytes: number): number =>
      legs.reduce((most, leg) => Math.max(most, legMs(leg, bytes)), 0);
    return this.#costOf(task, device) + longest(down, task.bytesIn) + longest(up, task.bytesOut);
  }

  /** One task, on one device, on the hub: the plan to stay on one device, which no bus is needed for. */
  #runsWhereFramesAre(): boolean {
    const [only, ...others] = this.#tasks;
    const [device, ...more] = only?.devices ?? [];
    if (device === undefined || others.length + more.length > 0) return false;
    return this.#fleet.devices[device]?.medium === undefined;
  }

  #snapshot(): Snapshot {
    return { at: this.#clock.now, completions: this.#completions.length, usage: this.#network.usage() };
  }
}

/** Milliseconds of a device's processor for what it takes in and sends. */
function movedMs(
  device: Device,
  { bytesIn, bytesOut, packedIn, packedOut, strips, received }: SimulatedTask,
): number {
  const { deflateMs, inflateMs } = deviceDeflate(device);
  const leaving = strips.filter(({ bytes }) => bytes > 0);
  const sent = leaving.reduce((sum, { bytes }) => sum + bytes, bytesOut);
  const deflated = leaving.reduce((sum, { packed = 0 }) => sum + packed, packedOut);
  return (
    stripMs(device) * (leaving.length + received) +
    device.byteMs * (bytesIn + sent) +
    inflateMs * packedIn +
    deflateMs * deflated
  );
}

function check(blocks: readonly DraftBlock[], options: SimulateOptions): void {
  const { frames, inFlight, slots = SLOTS, jitter = 0 } = options;
  const periods = sourcesOf(options).map(({ periodMs }) => periodMs ?? 1);
  const sound =
    Number.isSafeInteger(frames) &&
    frames >= 1 &&
    inFlight >= 1 &&
    slots >= 1 &&
    jitter >= 0 &&
    jitter < 1 &&
    periods.length > 0 &&
    periods.every((period) => period > 0);
  if (!sound)
    throw new TilepipeError('config-invalid', 'a simulation needs frames, credit, slots and periods above 0');
  if (blocks.every(({ parts }) => parts.length === 0))
    throw new TilepipeError('plan-invalid', 'the plan has no task');
}
