/** Something that serves one job at a time, first come, first served: a processor, or one direction of a medium. */

import type { Clock, Timer } from './clock.ts';
import { Fifo } from './fifo.ts';
import type { TimelineEvent } from './types.ts';

/** What a server works for. */
export interface Job {
  /** Id of the device that runs its task. */
  readonly deviceId: string;
  readonly frame: number;
  readonly block: number;
  readonly part: number;
  /** Its turn has come; told once, also where it is interrupted later. */
  begun(server: Server): void;
  served(server: Server): void;
}

/** How long a resource has been busy so far. */
export interface Usage {
  readonly name: string;
  busyMs: number;
}

export interface ServerDeps {
  readonly clock: Clock;
  readonly name: string;
  readonly kind: TimelineEvent['kind'];
  /** Gets every interval. */
  readonly timeline?: TimelineEvent[] | undefined;
}

interface Entry {
  readonly job: Job;
  /** What is left of it. */
  ms: number;
  /** What it takes of the server when it has been served; undefined: it is that, and nobody's to see. */
  readonly afterMs: number | undefined;
  begun: boolean;
  /** Whom its time is counted for as well: set where it yields to jobs without one. */
  readonly guest: Usage | undefined;
}

export class Server implements Timer {
  readonly usage: Usage;
  readonly #deps: ServerDeps;
  readonly #queue = new Fifo<Entry>();
  readonly #guests = new Fifo<Entry>();
  #current: Entry | undefined;
  /** When the current entry began or went on, and up to when its time is counted. */
  #since = 0;
  #countedTo = 0;
  #turn = 0;

  constructor(deps: ServerDeps) {
    this.#deps = deps;
    this.usage = { name: deps.name, busyMs: 0 };
  }

  /** `afterMs`: how long nobody else is served when this job has been. */
  request(job: Job, ms: number, afterMs = 0): void {
    const entry: Entry = { job, ms, afterMs, begun: false, guest: undefined };
    const { guest } = this.#current ?? {};
    if (guest !== undefined) this.#interrupt();
    if (this.#current === undefined) this.#start(entry);
    else this.#queue.push(entry);
  }

  /**
   * A job that yields: whatever `request` brings interrupts it. A device on the hub computes so, because a scheduler
   * gives short jobs that wake up the processor at once.
   */
  requestGuest(job: Job, ms: number, guest: Usage, afterMs = 0): void {
    const entry: Entry = { job, ms, afterMs, begun: false, guest };
    if (this.#current === undefined) this.#start(entry);
    else this.#guests.push(entry);
  }

  fire(turn: number): void {
    const entry = this.#current;
    if (turn !== this.#turn || entry === undefined) return;
    this.#stop(entry);
    const { job, guest, afterMs = 0 } = entry;
    if (afterMs > 0) {
      const queue = guest === undefined ? this.#queue : this.#guests;
      queue.putBack({ ...entry, job: over(job), ms: afterMs, afterMs: undefined });
    }
    const next = this.#queue.shift() ?? this.#guests.shift();
    if (next !== undefined) this.#start(next);
    job.served(this);
  }

  /** Counts the time of what is being served up to now. */
  settle(): void {
    if (this.#current === undefined) return;
    const { now } = this.#deps.clock;
    const { guest } = this.#current;
    this.usage.busyMs += now - this.#countedTo;
    if (guest !== undefined) guest.busyMs += now - this.#countedTo;
    this.#countedTo = now;
  }

  #start(entry: Entry): void {
    const { clock } = this.#deps;
    this.#current = entry;
    this.#since = clock.now;
    this.#countedTo = clock.now;
    this.#turn++;
    clock.after(entry.ms, this, this.#turn);
    if (entry.begun) return;
    entry.begun = true;
    entry.job.begun(this);
  }

  #stop({ job, guest, afterMs }: Entry): void {
    this.settle();
    const { clock, name, kind, timeline } = this.#deps;
    this.#current = undefined;
    if (timeline === undefined || afterMs === undefined || clock.now === this.#since) return;
    const [resource, what] = guest === undefined ? [name, kind] : [guest.name, 'compute' as const];
    const { deviceId: device, frame, block, part } = job;
    timeline.push({ resource, device, kind: what, from: this.#since, to: clock.now, frame, block, part });
  }

  #interrupt(): void {
    const entry = this.#current as Entry;
    // The moment it would have ended is still to come; its turn is then over.
    entry.ms = Math.max(0, entry.ms - (this.#deps.clock.now - this.#since));
    this.#stop(entry);
    this.#guests.putBack(entry);
  }
}

/** The same, for what nobody waits for. */
function over({ deviceId, frame, block, part }: Job): Job {
  return { deviceId, frame, block, part, begun: () => {}, served: () => {} };
}
