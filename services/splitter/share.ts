/**
 * Several splitters of one pipeline share its cameras: each camera is the splitter's whose hash with it is highest
 * (rendezvous hashing), so that one more or one fewer moves that one's cameras only. Where two do not know of each
 * other yet, a frame runs twice rather than not at all.
 */

import { createHash } from 'node:crypto';
import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { Roster } from '../core/control/roster.ts';
import type { Log } from '../core/runtime/log.ts';
import { parseStatus } from '../core/runtime/status.ts';
import type { Status } from '../core/schema/generated/status.ts';

export interface ShareDeps {
  readonly id: string;
  readonly control: Bus;
  readonly topics: Topics;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Digests of a pipeline's plans: another splitter that knows one of them takes its frames too. */
  readonly plans: (pipeline: string) => readonly string[];
  /** Another splitter has come: it must hear of this one. */
  readonly met: () => void;
}

/** After two of its statuses are missing a splitter is not counted on any more. */
const SILENT_MS = 75_000;
/** Both take every frame for as long, so that what was on its way when the other came is whole at one of them. */
const OVERLAP_MS = 2_000;

/** When another splitter said itself that it is there, first and last: what is retained may be long gone. */
interface Heard {
  readonly first: number;
  last: number;
}

export class Share {
  readonly #deps: ShareDeps;
  readonly #roster: Roster;
  readonly #heard = new Map<string, Heard>();

  constructor(deps: ShareDeps) {
    this.#deps = deps;
    const { control, topics } = deps;
    this.#roster = new Roster({
      control,
      topics,
      role: 'splitter',
      parse: parseStatus,
      changed: (status, live) => this.#changed(status, live),
    });
  }

  async start(): Promise<void> {
    await this.#roster.start();
  }

  async stop(): Promise<void> {
    await this.#roster.stop();
    this.#heard.clear();
  }

  /** Splitters that take frames of a pipeline besides this one. */
  peers(pipeline: string): string[] {
    if (this.#heard.size === 0) return [];
    const digests = this.#deps.plans(pipeline);
    const now = this.#deps.now();
    return this.#roster
      .online()
      .filter(({ id, plans }) => {
        const heard = this.#heard.get(id);
        if (heard === undefined || now - heard.last > SILENT_MS || now - heard.first < OVERLAP_MS)
          return false;
        return digests.some((digest) => plans?.[digest] !== undefined);
      })
      .map(({ id }) => id);
  }

  /** Whether a camera's frames are this splitter's to run. */
  mine(pipeline: string, source: string): boolean {
    const peers = this.peers(pipeline);
    if (peers.length === 0) return true;
    const camera = `${pipeline}/${source}`;
    const own = weight(this.#deps.id, camera);
    return peers.every((id) => weight(id, camera) <= own);
  }

  #changed({ id, state }: Status, live: boolean): void {
    if (id === this.#deps.id) return;
    if (state !== 'online') {
      if (this.#heard.delete(id)) this.#deps.log.info({ splitter: id }, 'another splitter is gone');
      return;
    }
    if (!live) return;
    const now = this.#deps.now();
    const heard = this.#heard.get(id);
    if (heard !== undefined) {
      heard.last = now;
      return;
    }
    this.#heard.set(id, { first: now, last: now });
    this.#deps.log.info(
      { splitter: id },
      'another splitter is online: the cameras of common pipelines are shared',
    );
    this.#deps.met();
  }
}

function weight(splitter: string, camera: string): number {
  return createHash('sha256').update(`${splitter} ${camera}`).digest().readUIntBE(0, 6);
}
