/**
 * Plans in a process of its own: to search all cuts, for the devices as they are and for every one slow or away, takes
 * seconds on a slow hub, in which its broker would answer nobody and no frame would move.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Checked, Rehearsed } from '../../services/controller/replan/planner.ts';
import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import { entryPath } from '../../services/core/runtime/entry.ts';
import type { Log } from '../../services/core/runtime/log.ts';
import { hasEnded } from '../child-service.ts';
import type { ModelSource } from './model-source.ts';

/** What the process is told; it answers with `Rehearsed`. */
export interface RehearsalOrder {
  readonly source: ModelSource;
  readonly pipeline: string;
  readonly objective: 'latency' | 'throughput';
  readonly inFlight?: number;
  /** Folder of the model store's files. */
  readonly blobs: string;
  readonly fleet: Fleet;
  /** What sample frames have said before. */
  readonly checked: Checked;
}

export interface RehearsalDeps {
  readonly order: Omit<RehearsalOrder, 'fleet' | 'checked'>;
  /** Asked at each beginning. */
  readonly checked: () => Checked;
  readonly told: (rehearsed: Rehearsed) => void;
  readonly log: Log;
}

export class Rehearsal {
  readonly #deps: RehearsalDeps;
  #child: ChildProcess | undefined;
  #stopped = false;

  constructor(deps: RehearsalDeps) {
    this.#deps = deps;
  }

  /**
   * Takes the place of one under way. Resolves once the fleet as it is was planned for, or nothing more comes; with
   * false where it was stopped, or another took its place.
   */
  begin(fleet: Fleet): Promise<boolean> {
    this.#end();
    if (this.#stopped) return Promise.resolve(false);
    const { order, checked, told, log } = this.#deps;
    const child = fork(entryPath('tools/planned/rehearsal-process'), {
      // Fleets have maps, and memory without a limit.
      serialization: 'advanced',
      // As other children: Ctrl-C reaches only the parent.
      detached: true,
      execArgv: [],
    });
    this.#child = child;
    return new Promise((resolve) => {
      const ended = (why: object | undefined): void => {
        const own = this.#child === child;
        if (own) this.#child = undefined;
        if (own && why !== undefined)
          log.warn(
            { pipeline: order.pipeline, ...why },
            'plans for devices that slow down or go are not made',
          );
        resolve(own);
      };
      child.on('message', (rehearsed) => {
        if (this.#child !== child) return;
        told(rehearsed as Rehearsed);
        resolve(true);
      });
      child.once('exit', (code, signal) => ended(code === 0 ? undefined : { code, signal }));
      child.once('error', (error) => ended({ error: error.message }));
      // Where that fails the process has ended, or never began: both are heard of.
      child.send({ ...order, fleet, checked: checked() } satisfies RehearsalOrder, () => {});
    });
  }

  /** Ends it for good; what it has written stays. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const child = this.#end();
    if (child !== undefined && child.pid !== undefined && !hasEnded(child)) await once(child, 'exit');
  }

  /** It writes files whole or not at all, so it can be ended anywhere. */
  #end(): ChildProcess | undefined {
    const child = this.#child;
    this.#child = undefined;
    child?.kill('SIGKILL');
    return child;
  }
}
