/**
 * Direct links: strips go to the own brokers of the workers that wait for them, one hop instead of two. It is the plan
 * that asks for it; the address is in the other's status. Whatever cannot go this way goes through the pipeline's broker.
 */

import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { sendMessage } from '../core/control/send.ts';
import { Counters } from '../core/runtime/counters.ts';
import type { Log } from '../core/runtime/log.ts';
import type { LaidMessage } from '../core/wire/encode.ts';
import { type Endpoint, Neighbour } from './neighbour.ts';

export interface NeighboursDeps {
  readonly control: Bus;
  readonly topics: Topics;
  readonly log: Log;
  /** A bus to a worker's own broker, not started yet. */
  readonly connect: (endpoint: Endpoint) => Bus;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Connections at once; what is for further workers goes through the hub. */
const MOST_OPEN = 32;
/** A connection that nothing was sent on for so long is closed. */
const IDLE_MS = 60_000;

export class Neighbours {
  readonly #counters = new Counters();
  readonly #deps: NeighboursDeps;
  readonly #neighbours = new Map<string, Neighbour>();

  constructor(deps: NeighboursDeps) {
    this.#deps = deps;
  }

  /** The connection by which a message goes to the worker's own broker, and is given up; if none, it must go another way. */
  async send(worker: string, message: LaidMessage): Promise<Bus | undefined> {
    const bus = this.#neighbour(worker).bus();
    const topic = this.#deps.topics.build('inbox', { role: 'worker', id: worker });
    // A connection that is lost meanwhile is counted as one that was not there.
    const sent = await (bus &&
      sendMessage(bus, topic, message).then(
        () => true,
        () => false,
      ));
    this.#counters.add(sent ? 'direct.sent' : 'direct.by-hub');
    if (sent) message.release();
    return sent ? bus : undefined;
  }

  /** Something that was meant to go directly to this worker has not come there. */
  doubt(worker: string): void {
    void this.#neighbours.get(worker)?.doubt();
  }

  /** Closes what nobody uses: its plan has gone. */
  tidy(): void {
    const oldest = this.#deps.now() - IDLE_MS;
    for (const [worker, neighbour] of this.#neighbours) {
      if (neighbour.usedAt > oldest) continue;
      this.#neighbours.delete(worker);
      void neighbour.stop();
    }
  }

  async stop(): Promise<void> {
    const all = [...this.#neighbours.values()];
    this.#neighbours.clear();
    await Promise.all(all.map((neighbour) => neighbour.stop()));
  }

  counters(): Record<string, number> {
    const open = this.#openCount();
    return { ...this.#counters.snapshot(), ...(open === 0 ? {} : { 'direct.connections': open }) };
  }

  #neighbour(worker: string): Neighbour {
    const known = this.#neighbours.get(worker);
    if (known !== undefined) return known;
    const { control, topics, connect, log, now } = this.#deps;
    const made = new Neighbour({
      id: worker,
      statusTopic: topics.build('status', { role: 'worker', id: worker }),
      control,
      connect,
      room: () => this.#openCount() < MOST_OPEN,
      counters: this.#counters,
      log,
      now,
    });
    this.#neighbours.set(worker, made);
    made.start();
    return made;
  }

  #openCount(): number {
    let open = 0;
    for (const neighbour of this.#neighbours.values()) if (neighbour.open) open++;
    return open;
  }
}
