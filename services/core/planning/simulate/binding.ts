/**
 * Where tasks of a frame wait: with one of two dispatchers, among all devices the plan lists (late) or only the one
 * whose turn it is (static).
 */

import { TilepipeError } from '../../runtime/errors.ts';
import type { Fleet } from '../cost/fleet.ts';
import { type Group, type Outlook, Pool } from './pool.ts';
import type { FrameRun } from './task-run.ts';
import type { SimulatedTask } from './task-table.ts';
import type { SimulateOptions } from './types.ts';

/** Tasks a worker takes at once from each dispatcher where nothing else is said: services/worker/part.ts. */
export const SLOTS = 2;

export class Binding<T> {
  /** The splitter hands out what reads nothing but the frame, the merger the rest; each counts its own slots. */
  readonly #splitter: Pool<T>;
  readonly #merger: Pool<T>;
  readonly #late: boolean;
  /** By source: positions of its own devices; undefined where it has none. */
  readonly #own: readonly (ReadonlySet<number> | undefined)[];
  readonly #groups = new Map<SimulatedTask, Group<T>>();
  readonly #shared = new Map<string, readonly number[]>();

  /** Throws `config-invalid` where a source names a device the fleet does not have. */
  constructor(fleet: Fleet, { binding, sources = [], slots = SLOTS }: SimulateOptions, outlook: Outlook<T>) {
    const taken = fleet.devices.map((device) => device.slots ?? slots);
    this.#splitter = new Pool(taken, outlook);
    this.#merger = new Pool(taken, outlook);
    this.#late = binding === 'late';
    const positions = new Map(fleet.devices.map(({ id }, at) => [id, at]));
    this.#own = sources.map(({ devices }) => {
      if (devices === undefined) return undefined;
      return new Set(
        devices.map((id) => {
          const position = positions.get(id);
          if (position !== undefined) return position;
          throw new TilepipeError('config-invalid', `a source names a device "${id}" that is not there`);
        }),
      );
    });
  }

  /** The dispatcher of a task. */
  poolOf({ needs }: SimulatedTask): Pool<T> {
    return needs === 0 ? this.#splitter : this.#merger;
  }

  groupOf(task: SimulatedTask, frame: FrameRun): Group<T> {
    if (!this.#late) return this.poolOf(task).group([this.#turn(task, frame)]);
    let group = this.#groups.get(task);
    if (group === undefined) {
      group = this.poolOf(task).group(task.devices);
      this.#groups.set(task, group);
    }
    return group;
  }

  /** Static: the only device for this task of this frame. */
  #turn(task: SimulatedTask, frame: FrameRun): number {
    const own = this.#own[frame.source];
    if (own !== undefined) {
      const among = this.#among(task, frame.source, own);
      return among[(frame.sequence * task.parts + task.part) % among.length] as number;
    }
    const turn = task.parts === 1 ? frame.number % task.devices.length : 0;
    return task.devices[turn] as number;
  }

  /** The source's devices that may run the task; all its devices where the plan lists none of them. */
  #among(task: SimulatedTask, source: number, own: ReadonlySet<number>): readonly number[] {
    const key = `${source} ${task.index}`;
    let among = this.#shared.get(key);
    if (among === undefined) {
      const listed = task.devices.filter((device) => own.has(device));
      among = listed.length > 0 ? listed : [...own];
      this.#shared.set(key, among);
    }
    return among;
  }
}
