/** A worker's own broker as the worker sees it; what it is made of is up to whoever composes roles. */

import type { Bus } from '../core/bus/bus.ts';
import type { Log } from '../core/runtime/log.ts';
import type { Endpoint } from './neighbour.ts';

export interface Doorstep {
  /** Id of the worker. */
  readonly id: string;
  /** The only topic others may publish there. */
  readonly inbox: string;
  /** This machine's address that faces the pipeline's broker; undefined where that is on this machine. */
  readonly facing: string | undefined;
  readonly log: Log;
}

export interface Door {
  /** Listens; rejects with `port-taken`. `bus` is started, and what others publish there comes from it. */
  open(step: Doorstep): Promise<{ readonly bus: Bus; readonly endpoint: Endpoint }>;
  /** Undoes it; also called where it never was open. */
  close(): Promise<void>;
  /** For the worker's status. */
  counters(): Record<string, number>;
}
