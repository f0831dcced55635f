/** A worker as a dispatcher sees it, and what decides which tasks may go to it. */

import { extents } from '../tensor/region.ts';
import type { Task } from './plan-index.ts';

/** What a dispatcher must know of a worker; made from its status. */
export interface WorkerView {
  readonly id: string;
  /** Tasks it takes at once from this dispatcher. */
  readonly slots: number;
  /** Whether a sub-model of a plan is loaded. */
  readonly holds: (plan: string, model: string) => boolean;
  /** Codecs it takes; absent: raw alone. */
  readonly codecs?: ReadonlySet<string>;
  /** The only blocks, or tiles of blocks, it runs; absent: any. */
  readonly pins?: readonly { readonly block: number; readonly tile?: number }[] | undefined;
  /** Finishes what it has and takes no more. */
  readonly draining?: boolean;
}

/** What decides where a task may run. */
export interface Placement {
  readonly plan: string;
  readonly model: string;
  readonly block: number;
  /** Tile or shard within the block. */
  readonly tile: number;
  /** Workers the plan lists, the preferred first; absent: any. */
  readonly devices?: readonly string[] | undefined;
  /** Nobody else can: its inputs come to its device. */
  readonly bound?: boolean;
  /** Codecs, beside raw, that its inputs come in. */
  readonly codecs?: readonly string[];
}

/**
 * Whether a task goes to whoever of its devices is free first, the preferred before the others, or always to the
 * preferred, as long as that is there.
 */
export type Binding = 'late' | 'static';

/** Where a plan's task may run, and what sort of task it is: tiles of one sub-model and size take equally long. */
export function placementOf(
  plan: string,
  task: Task,
  binding: Binding = 'late',
): Placement & { readonly sort: string } {
  const { model = '', block = 0, index = 0, inputs } = task;
  const devices = binding === 'static' ? task.devices?.slice(0, 1) : task.devices;
  const sizes = inputs.map(({ region }) => extents(region).join('x')).join(' ');
  const bound = task.gather === 'worker' ? { bound: true } : {};
  return {
    plan,
    model,
    block,
    tile: index,
    devices,
    ...bound,
    sort: `block ${block} ${model.slice(0, 12)} ${sizes}`,
  };
}

/** One message sent to a worker and not answered. */
export interface Attempt {
  /** The item as it then was: one that ended may have been submitted again under the same key. */
  readonly owner: { readonly item: { readonly plan: string; readonly task?: string } };
  /** Of the item. */
  readonly sort: string;
  /** When the dispatcher stops counting on it. */
  expiresAt: number;
}

export class WorkerState {
  view: WorkerView;
  /** By key of the item; each holds one slot. */
  readonly active = new Map<string, Attempt>();
  done = 0;
  failures = 0;
  timeouts = 0;
  /** Failures and timeouts since the last success: a worker in trouble is asked last. */
  troubles = 0;
  /** When it began with the oldest of its tasks, as far as can be told from outside. */
  since = 0;

  constructor(view: WorkerView) {
    this.view = view;
  }

  /** What it is at, as far as can be told from outside. */
  get running(): { running?: { plan: string; task: string; since: number } } {
    const [oldest] = this.active.values();
    const { plan = '', task } = oldest?.owner.item ?? {};
    return task === undefined ? {} : { running: { plan, task, since: this.since } };
  }

  get idle(): boolean {
    return this.view.draining !== true && this.active.size < this.view.slots;
  }

  /** Whether it could run the task if it were idle. */
  suits(placement: Placement): boolean {
    const { plan, model, block, tile } = placement;
    const { holds, pins, draining } = this.view;
    if (draining === true || !holds(plan, model) || this.unread(placement) !== undefined) return false;
    return pins === undefined || pins.some((pin) => pin.block === block && (pin.tile ?? tile) === tile);
  }

  /** A codec of the task's inputs that it does not take. */
  unread({ codecs = [] }: Placement): string | undefined {
    for (const codec of codecs) if (this.view.codecs?.has(codec) !== true) return codec;
    return undefined;
  }
}
