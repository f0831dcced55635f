/** One task of one frame on its way: hub, media, device, media, hub. */

import type { Network, Station } from './network.ts';
import { legMs } from './network.ts';
import type { Job, Server } from './server.ts';
import type { SimulatedTask } from './task-table.ts';

/** A frame that has started. */
export interface FrameRun {
  /** Running number in order of start. */
  readonly number: number;
  readonly source: number;
  /** Running number at its source. */
  readonly sequence: number;
  readonly arrivedAt: number;
  /** Tasks not gathered yet. */
  left: number;
  /** By task: how many of those it waits for are missing. */
  readonly missing: Int32Array;
}

export interface TaskRunDeps {
  readonly network: Network;
  /** The whole model runs where the frames are: no message is needed. */
  readonly direct: boolean;
  /** Milliseconds of the device's processor for the task, bytes included. */
  readonly computeMs: (task: SimulatedTask, device: number) => number;
  /** Bytes have been handed to a link. */
  readonly sent: (bytes: number) => void;
  /** A task has been computed: its strips go on their way. */
  readonly computed: (run: TaskRun) => void;
  /** The merger has the task's outputs, or knows that it has run. */
  readonly gathered: (run: TaskRun) => void;
}

type Stage = 'task' | 'in' | 'compute' | 'out' | 'result';

export class TaskRun implements Job {
  readonly task: SimulatedTask;
  readonly of: FrameRun;
  readonly #deps: TaskRunDeps;
  #device = -1;
  #stage: Stage = 'task';
  #legsLeft = 0;

  constructor(deps: TaskRunDeps, task: SimulatedTask, of: FrameRun) {
    this.#deps = deps;
    this.task = task;
    this.of = of;
  }

  get frame(): number {
    return this.of.number;
  }

  get block(): number {
    return this.task.block;
  }

  get part(): number {
    return this.task.part;
  }

  /** Position of the device it was sent to. */
  get device(): number {
    return this.#device;
  }

  get deviceId(): string {
    return this.#station.device.id;
  }

  /** Runs on the device that has collected its inputs. */
  begin(device: number): void {
    this.#device = device;
    this.#compute();
  }

  send(device: number): void {
    this.#device = device;
    if (this.#deps.direct) this.#compute();
    else this.#message('task');
  }

  /** Cut-through: the next medium carries the message's head while this one still carries its tail. */
  begun(server: Server): void {
    if (this.#stage !== 'in' && this.#stage !== 'out') return;
    const [first, second] = this.#station[this.#stage];
    if (second !== undefined && first?.lane === server) second.lane.request(this, legMs(second, this.#bytes));
  }

  served(): void {
    switch (this.#stage) {
      case 'task':
        this.#transfer('in');
        return;
      case 'in':
        if (--this.#legsLeft === 0) this.#compute();
        return;
      case 'compute':
        this.#deps.computed(this);
        // Nobody dispatched what collected its inputs itself, and nobody is told.
        if (this.#deps.direct || (this.task.own && !this.task.merged)) this.#deps.gathered(this);
        else if (this.task.merged) this.#transfer('out');
        else this.#message('result');
        return;
      case 'out':
        if (--this.#legsLeft === 0) this.#message('result');
        return;
      case 'result':
        this.#deps.gathered(this);
    }
  }

  get #station(): Station {
    return this.#deps.network.stations[this.#device] as Station;
  }

  get #bytes(): number {
    return this.#stage === 'in' ? this.task.bytesIn : this.task.bytesOut;
  }

  #message(stage: 'task' | 'result'): void {
    const { hub, hubCost, hubDeflate } = this.#deps.network;
    const { bytesIn, bytesOut, packedIn, packedOut } = this.task;
    this.#stage = stage;
    const ms =
      stage === 'task'
        ? hubCost.byteMs * bytesIn + hubDeflate.deflateMs * packedIn
        : hubCost.byteMs * bytesOut + hubDeflate.inflateMs * packedOut;
    hub.request(this, hubCost.messageMs + ms);
  }

  #transfer(stage: 'in' | 'out'): void {
    this.#stage = stage;
    const [first, second] = this.#station[stage];
    this.#legsLeft = second === undefined ? 1 : 2;
    if (first === undefined) this.served();
    else {
      this.#deps.sent(this.#bytes);
      first.lane.request(this, legMs(first, this.#bytes));
    }
  }

  #compute(): void {
    this.#stage = 'compute';
    const { computeMs, direct } = this.#deps;
    const { compute, device } = this.#station;
    compute(this, computeMs(this.task, this.#device), direct ? 0 : device.afterMs);
  }
}
