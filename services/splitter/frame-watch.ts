/** Camera messages of this splitter's pipelines: whose they are by their topic, and whether they are ours to run. */

import type { Bus, Incoming } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { subscribeAll } from '../core/control/subscribe-all.ts';
import type { Log } from '../core/runtime/log.ts';

/** A camera as its topic names it. */
export interface Camera {
  readonly pipeline: string;
  readonly source: string;
}

export interface FrameWatchDeps {
  readonly intake: Bus;
  readonly topics: Topics;
  readonly log: Log;
  /** Only these pipelines; absent: all. */
  readonly pipelines?: readonly string[];
  /** Whether a camera's frames are this splitter's: another one may take them. */
  readonly mine: (pipeline: string, source: string) => boolean;
  readonly received: (camera: Camera, message: Incoming) => void;
}

/** Topics remembered, to be named once in the log; when there are more, they are only counted. */
const NAMED = 64;
const SHOWN = 200;

export class FrameWatch {
  readonly #deps: FrameWatchDeps;
  readonly #named = new Set<string>();
  #undo: (() => Promise<void>) | undefined;
  #misnamed = 0;
  #elsewhere = 0;

  constructor(deps: FrameWatchDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { intake, topics, pipelines = ['+'] } = this.#deps;
    const filters = pipelines.map((pipeline) => topics.filter('frame', { pipeline, source: '+' }));
    this.#undo = await subscribeAll(intake, filters, (message) => this.#receive(message), { qos: 1 });
  }

  async stop(): Promise<void> {
    await this.#undo?.();
    this.#undo = undefined;
  }

  /** Messages under names that nobody could answer to, and those another splitter runs. */
  counters(): Record<string, number> {
    return { 'rejected.topic': this.#misnamed, elsewhere: this.#elsewhere };
  }

  #receive(message: Incoming): void {
    const { topics, mine, received } = this.#deps;
    const camera = topics.parse('frame', message.topic);
    if (camera === undefined) this.#refuse(message.topic);
    else if (mine(camera.pipeline, camera.source)) received(camera, message);
    else this.#elsewhere++;
  }

  /** No result topic has such a name, so that the log is all there is to say it. */
  #refuse(topic: string): void {
    this.#misnamed++;
    if (this.#named.size >= NAMED || this.#named.has(topic)) return;
    this.#named.add(topic);
    this.#deps.log.warn(
      { topic: topic.slice(0, SHOWN) },
      'frames refused: pipeline and source consist of 1 to 64 letters, digits, "-", "_" and "."',
    );
  }
}
